import { access } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { StrokeTokenizer, Transformer, type TransformerConfig } from "@cursive/cursive-model";
import { readConfigFile, resolveConfig } from "../config/resolve.ts";
import type { RunConfig } from "../config/run_config.ts";
import { oneLine, UsageError } from "../errors.ts";
import { CheckpointError, unseal } from "./checkpoint.ts";
import { readIfThere } from "./files.ts";
import { findRun, listRuns } from "./find_run.ts";

/** A trained model and where it comes from. */
export interface LoadedModel {
  readonly model: Transformer;
  readonly tokenizer: StrokeTokenizer;
  /** Steps it was trained. */
  readonly step: number;
  /** The checkpoint's file. */
  readonly path: string;
  /** The run it is of, where it lies in a run's folder. */
  readonly run: { readonly name: string; readonly config: RunConfig } | undefined;
}

/** Which checkpoint is meant, as options of a command have it. */
export interface ModelChoice {
  /** Where run folders are. */
  readonly runs: string;
  /** A run: `last`, its number, its name, or its folder's path. Default `last`. */
  readonly run?: string;
  /** Which of the run's checkpoints. Default: the best, or the last where there is no best yet. */
  readonly which?: "best" | "last";
  /** A checkpoint's file instead. */
  readonly checkpoint?: string;
}

/**
 * Finds a checkpoint, a model by itself or a whole run's, and makes its model again. A device must be open.
 *
 * @throws UsageError where there is none, or it is damaged or of another kind.
 */
export async function loadModel(choice: ModelChoice): Promise<LoadedModel> {
  const path = await checkpointPath(choice);
  const bytes = await readIfThere(path).catch((error) => {
    throw new UsageError(`Expected a checkpoint at ${path} but found: ${oneLine(error)}`);
  });
  if (!bytes) throw new UsageError(`Expected a checkpoint at ${path} but found no such file`);
  try {
    return { ...decodeModel(bytes), path, run: await runOf(path) };
  } catch (error) {
    if (error instanceof CheckpointError) throw new UsageError(`${path}: ${error.message}`);
    throw error;
  }
}

/** The model in a checkpoint of either kind. @throws CheckpointError if it is damaged or of another kind. */
export function decodeModel(bytes: Uint8Array): Pick<LoadedModel, "model" | "tokenizer" | "step"> {
  const { tensors, metadata } = unseal(bytes);
  const prefix = { "cursive-model": "", "cursive-run": "model." }[metadata.format ?? ""];
  if (prefix === undefined) throw new CheckpointError(`Expected a model's checkpoint but found ${metadata.format ?? "another file"}`);
  const parameters = [...tensors].filter(([name]) => name.startsWith(prefix)).map(([name, t]) => [name.slice(prefix.length), t] as const);
  try {
    const model = new Transformer(JSON.parse(metadata.config ?? "") as TransformerConfig);
    const tokenizer = new StrokeTokenizer(JSON.parse(metadata.tokenizer ?? ""));
    model.loadStateDict(new Map(parameters));
    return { model, tokenizer, step: Number(metadata.step) };
  } catch (error) {
    throw new CheckpointError(`Expected a whole model but found: ${oneLine(error)}`);
  }
}

async function checkpointPath({ runs, run, which, checkpoint }: ModelChoice): Promise<string> {
  if (checkpoint !== undefined) {
    if (run !== undefined || which !== undefined) throw new UsageError("Expected either --checkpoint or a run but found both");
    return resolve(checkpoint);
  }
  if (run === undefined && (await listRuns(resolve(runs))).length === 0) {
    throw new UsageError(
      `Expected a trained model but found no run in ${resolve(runs)}: \`pnpm cli train\` makes one, or give --checkpoint FILE`,
    );
  }
  const entry = await findRun(resolve(runs), run ?? "last");
  const found: string[] = [];
  for (const name of ["best", "last"]) if (await isThere(join(entry.path, "checkpoints", `${name}.safetensors`))) found.push(name);
  const name = which ?? found[0];
  if (name === undefined || !found.includes(name)) {
    const others = found.length > 0 ? `only ${found.join(", ")}` : "none: it has not saved any yet";
    throw new UsageError(`Expected a ${which ?? "saved"} checkpoint of ${entry.name} but found ${others}`);
  }
  return join(entry.path, "checkpoints", `${name}.safetensors`);
}

/** The run in whose folder a checkpoint lies. */
async function runOf(path: string): Promise<LoadedModel["run"]> {
  const folder = dirname(dirname(path));
  const file = join(folder, "config.json");
  if (!(await isThere(file))) return undefined;
  try {
    const { preset = "tiny", overrides } = await readConfigFile(file);
    return { name: basename(folder), config: resolveConfig(preset, overrides).config };
  } catch {
    return undefined; // another program's config.json
  }
}

/** A model in words for people: `tiny-001, best checkpoint, step 1500`. */
export function describeModel({ run, path, step }: LoadedModel): string {
  const name = basename(path, ".safetensors");
  const what = run ? `${run.name}, ${name} checkpoint` : relative("", path);
  return Number.isFinite(step) ? `${what}, step ${step}` : what;
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
