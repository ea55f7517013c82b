import { access, readdir } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { nearest } from "@cursive/tensor";
import { systemCode, UsageError } from "../errors.ts";
import { runNumber } from "./run_folder.ts";

/** A run in a folder of runs. */
export interface RunEntry {
  readonly name: string;
  readonly path: string;
  /** The number at the end of its name. */
  readonly number: number | undefined;
}

/** All runs in a folder, in the order of their numbers. None where there is no such folder. */
export async function listRuns(parent: string): Promise<RunEntry[]> {
  const names = await readdir(parent).catch((error) => {
    if (systemCode(error) === "ENOENT") return [];
    throw new UsageError(`Expected a folder of runs at ${parent} but found: ${(error as Error).message}`);
  });
  const entries = names.filter((name) => !name.startsWith(".")).map((name) => entryOf(join(parent, name)));
  const areRuns = await Promise.all(entries.map(({ path }) => isRun(path)));
  const order = (entry: RunEntry): number => entry.number ?? 0;
  return entries.filter((_, i) => areRuns[i]).sort((a, b) => order(a) - order(b) || (a.name < b.name ? -1 : 1));
}

/**
 * The run that somebody means: `last`, its number, its name, or its folder's path.
 * @throws UsageError that names the nearest runs where there is no such one.
 */
export async function findRun(parent: string, asked: string): Promise<RunEntry> {
  const runs = await listRuns(parent);
  if (asked === "last" && runs.length > 0) return runs.at(-1)!;
  const found = runs.filter((run) => run.name === asked || (/^\d+$/.test(asked) && run.number === Number(asked)));
  if (found.length === 1) return found[0]!;
  if (found.length > 1) throw new UsageError(`Expected one run with number ${asked} but found ${found.map((run) => run.name).join(", ")}`);
  const path = resolve(asked);
  if (await isRun(path)) return entryOf(path);
  const known =
    runs.length === 0
      ? "there are none yet"
      : `the nearest are ${nearest(
          asked,
          runs.map((run) => run.name),
        ).join(", ")}`;
  throw new UsageError(`Expected a run in ${parent} but found no '${asked}': ${known}`);
}

function entryOf(path: string): RunEntry {
  const name = basename(path);
  return { name, path, number: runNumber(name) };
}

async function isRun(path: string): Promise<boolean> {
  return access(join(path, "config.json")).then(
    () => true,
    () => false,
  );
}
