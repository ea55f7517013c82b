import { join, resolve } from "node:path";
import { type ConfigFlags, configFromFlags } from "../config/config_options.ts";
import type { RunConfig } from "../config/run_config.ts";
import { UsageError } from "../errors.ts";
import { findRun } from "../run/find_run.ts";

/** Options that say which words, and what is to be made of them. */
export interface SourceFlags extends ConfigFlags {
  readonly run?: string;
  readonly runs: string;
}

/** The configuration whose data are meant: a run's, a file's or a preset's, with what was changed of it. */
export async function configOfSource(flags: SourceFlags): Promise<RunConfig> {
  if (flags.run === undefined) return (await configFromFlags(flags)).config;
  const stray = (["preset", "config"] as const).find((name) => flags[name] !== undefined);
  if (stray !== undefined) throw new UsageError(`Expected no --${stray} with --run but found it: the run has its own configuration`);
  const run = await findRun(resolve(flags.runs), flags.run);
  return (await configFromFlags({ ...flags, config: join(run.path, "config.json") })).config;
}
