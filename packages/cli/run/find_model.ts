import { access } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { readConfigFile, resolveConfig } from "../config/resolve.ts";
import type { RunConfig } from "../config/run_config.ts";
import { UsageError } from "../errors.ts";
import { findRun, listRuns } from "./find_run.ts";
import { type LoadedModel, loadModel } from "./load_model.ts";

/** A checkpoint's file. */
export interface FoundCheckpoint {
  readonly path: string;
  /** The run in whose folder it lies. */
  readonly run: { readonly name: string; readonly config: RunConfig } | undefined;
}

/** A trained model and where it comes from. */
export interface FoundModel extends FoundCheckpoint, LoadedModel {}

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

/** Finds a checkpoint and makes its model again. A device must be open. @throws UsageError where there is none, or it cannot be used. */
export async function findModel(choice: ModelChoice): Promise<FoundModel> {
  const found = await findCheckpoint(choice);
  return { ...found, ...(await loadModel(found.path)) };
}

/** Finds a checkpoint. @throws UsageError where there is none, which says how to get one. */
export async function findCheckpoint(choice: ModelChoice): Promise<FoundCheckpoint> {
  const path = await checkpointPath(choice);
  return { path, run: await runOf(path) };
}

async function checkpointPath({ runs, run, which, checkpoint }: ModelChoice): Promise<string> {
  if (checkpoint !== undefined) {
    if (run !== undefined || which !== undefined) throw new UsageError("Expected either --checkpoint or a run but found both");
    if (!(await isThere(resolve(checkpoint))))
      throw new UsageError(`Expected a checkpoint at ${resolve(checkpoint)} but found no such file`);
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
async function runOf(path: string): Promise<FoundCheckpoint["run"]> {
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
export function describeModel({ run, path, step }: FoundModel): string {
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
