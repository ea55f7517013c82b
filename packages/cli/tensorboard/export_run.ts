import { join } from "node:path";
import type { RunEntry } from "../run/find_run.ts";
import { readMetrics } from "../run/metrics.ts";
import { runConfig, runEnvironment } from "../run/summary.ts";
import { exportEvents } from "./event_log.ts";
import { runEntries } from "./run_events.ts";

/** Where a run's own event files are, in its folder. */
export const EVENTS_FOLDER = "tensorboard";

/**
 * Writes an event file with all that a run's folder tells, in place of those that are in the target: curves, sheets, configuration, and the
 * histograms of its own event files.
 *
 * @returns The file's path.
 */
export async function exportRun(run: RunEntry, target: string): Promise<string> {
  const [config, environment, rows] = await Promise.all([
    runConfig(run),
    runEnvironment(run),
    readMetrics(join(run.path, "metrics.jsonl")),
  ]);
  const step = Number.MAX_SAFE_INTEGER;
  const expected = await runEntries({ path: run.path, config, environment, rows }, { step });
  return exportEvents(target, { from: join(run.path, EVENTS_FOLDER), step, expected });
}
