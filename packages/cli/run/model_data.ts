import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { resolveConfig } from "../config/resolve.ts";
import type { RunConfig } from "../config/run_config.ts";
import { UsageError } from "../errors.ts";
import { openData, type RunData } from "./data.ts";
import { type FoundModel, findModel, type ModelChoice } from "./find_model.ts";

/** A trained model with words for it to read. */
export interface ModelWithData {
  readonly found: FoundModel;
  /** How the words become examples of the model's form. */
  readonly config: RunConfig;
  readonly data: RunData;
  /** The word bank's file that was asked for; null for the words of the model's run. */
  readonly bank: string | null;
  /** SHA-256 of the checkpoint's file. */
  readonly modelHash: string;
  /** SHA-256 of the checkpoint and the words: what activations depend on. */
  readonly hash: string;
}

/** A choice of a model, and of other words than its run's. */
export interface ModelDataChoice extends ModelChoice {
  /** A word bank's file. Default: the words of the model's run, or the built-in hand's where it has none. */
  readonly data?: string;
}

/** Finds a model and opens data in its form. A device must be open. @throws UsageError where either is not there or cannot be used. */
export async function openModelWithData({ data: bank, ...choice }: ModelDataChoice): Promise<ModelWithData> {
  const found = await findModel(choice);
  const suited = suitedTo(found, found.run?.config ?? resolveConfig("tiny", []).config);
  const path = bank === undefined ? null : resolve(bank);
  const config = path === null ? suited : { ...suited, data: { ...suited.data, source: path } };
  const data = await openData(config);
  const file = await readFile(found.path);
  return { found, config, data, bank: path, modelHash: hashOf(file), hash: hashOf(file, data.hash) };
}

/** SHA-256 of bytes and texts, one after another. */
export function hashOf(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

/** A configuration whose data have the form that a model takes. */
export function suitedTo({ model, tokenizer }: FoundModel, config: RunConfig): RunConfig {
  const { bins } = tokenizer.toJSON();
  if (typeof bins !== "string") throw new UsageError("Expected a model of named stroke bins but found one with its own");
  return { ...config, data: { ...config.data, bins, maxLength: model.config.blockSize, contextLength: model.config.contextBlockSize } };
}
