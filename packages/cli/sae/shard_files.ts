import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { StrokeTokenizerConfig } from "@cursive/cursive-model";
import { readShardIndex, type ShardFiles, type ShardIndex } from "@cursive/sae";
import { oneLine, UsageError } from "../errors.ts";
import { writeWhole } from "../run/files.ts";
import type { ActivationOrigin } from "./activation_origin.ts";

/** What `activations cache` writes down about a cache. */
export interface CacheAbout extends ActivationOrigin {
  /** TransformerLens' name of the hook. */
  readonly hook: string;
  readonly step: number;
  readonly split: "train" | "test";
  readonly sequences: number;
  /** Tokens a sequence. */
  readonly length: number;
  /** Kinds of tokens that have rows. */
  readonly tokens: readonly string[];
  /** The tokenizer, as its `toJSON` gives it: what the column `token` means. */
  readonly tokenizer: StrokeTokenizerConfig;
  /** SHA-256 of checkpoint and words. */
  readonly hash: string;
}

/** The files of one folder; each is written whole. */
export function folderFiles(folder: string): ShardFiles {
  return { read: async (name) => readFile(join(folder, name)), write: async (name, bytes) => writeWhole(join(folder, name), bytes) };
}

/** A folder of cached activations. */
export interface OpenCache {
  readonly path: string;
  readonly files: ShardFiles;
  readonly index: ShardIndex;
  readonly about: CacheAbout;
}

/** Opens what `activations cache` wrote. @throws UsageError for a folder that is none. */
export async function openCache(folder: string): Promise<OpenCache> {
  const path = resolve(folder);
  const files = folderFiles(path);
  try {
    const index = await readShardIndex(files);
    return { path, files, index, about: index.about as unknown as CacheAbout };
  } catch (error) {
    throw new UsageError(`Expected cached activations in ${path} (\`activations cache\` makes them) but found: ${oneLine(error)}`);
  }
}
