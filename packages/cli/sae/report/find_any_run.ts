import { join } from "node:path";
import { findRun, type RunEntry } from "../../run/find_run.ts";

/** Where `sae train` keeps its runs, within the folder of runs. */
export const SAE_RUNS = "saes";

/** A run of a model, or behind `saes/` one of autoencoders: `saes/default-001`, `saes/2`, `saes/last`. @throws UsageError as {@link findRun}. */
export function findAnyRun(runs: string, asked: string): Promise<RunEntry> {
  const prefix = `${SAE_RUNS}/`;
  return asked.startsWith(prefix) ? findRun(join(runs, SAE_RUNS), asked.slice(prefix.length)) : findRun(runs, asked);
}
