import { stat } from "node:fs/promises";
import { join } from "node:path";
import { readConfigFile, resolveConfig } from "../config/resolve.ts";
import type { RunConfig } from "../config/run_config.ts";
import type { Environment } from "./environment.ts";
import { readJsonIfThere } from "./files.ts";
import type { RunEntry } from "./find_run.ts";
import { isEvaluation, type MetricsRow, readMetrics, type StepRow } from "./metrics.ts";
import { median } from "./speed.ts";
import { readStatus } from "./status.ts";

/** What a run's folder tells, in numbers. */
export interface RunSummary extends RunEntry {
  /** `killed`: it never came to say that it ended. `unknown`: its files do not tell. */
  readonly state: "running" | "finished" | "interrupted" | "failed" | "killed" | "unknown";
  /** Steps that are saved. */
  readonly step: number;
  readonly steps: number | null;
  readonly updated: string | null;
  readonly message: string | null;
  /** Least and latest loss on held-out words, and the latest on their ink alone. */
  readonly bestTestLoss: number | null;
  readonly testLoss: number | null;
  readonly testLossReal: number | null;
  /** Of the latest step. */
  readonly loss: number | null;
  /** Median. */
  readonly millisecondsPerStep: number | null;
  readonly tokensPerSecond: number | null;
}

/** Sums a run up. Damaged files are left out, not complained about. */
export async function summarizeRun(run: RunEntry): Promise<RunSummary> {
  const [status, rows] = await Promise.all([readStatus(run.path), readMetrics(join(run.path, "metrics.jsonl"))]);
  return sumUp(run, { status, rows });
}

/** Sums up what was read of a run. */
export function sumUp(
  run: RunEntry,
  { status, rows }: { readonly status: Awaited<ReturnType<typeof readStatus>>; readonly rows: readonly MetricsRow[] },
): RunSummary {
  const evaluations = rows.filter(isEvaluation);
  const steps = rows.filter((row: MetricsRow): row is StepRow => !isEvaluation(row));
  const orNull = (value: number): number | null => (Number.isFinite(value) ? value : null);
  return {
    ...run,
    state: status?.state ?? "unknown",
    step: status?.step ?? 0,
    steps: status?.steps ?? null,
    updated: status?.updated ?? null,
    message: status?.message ?? null,
    bestTestLoss: orNull(Math.min(Number.POSITIVE_INFINITY, ...evaluations.map((row) => row.testLoss))),
    testLoss: evaluations.at(-1)?.testLoss ?? null,
    testLossReal: evaluations.at(-1)?.testLossReal ?? null,
    loss: steps.at(-1)?.loss ?? null,
    millisecondsPerStep: steps.length > 0 ? median(steps.map((row) => row.milliseconds)) : null,
    tokensPerSecond: steps.length > 0 ? median(steps.map((row) => row.tokensPerSecond)) : null,
  };
}

/** The configuration that a run has. @throws UsageError for a file that is damaged. */
export async function runConfig(run: RunEntry): Promise<RunConfig> {
  const { preset, overrides } = await readConfigFile(join(run.path, "config.json"));
  return resolveConfig(preset ?? "tiny", overrides).config;
}

/** Where a run took place, if it tells. */
export async function runEnvironment(run: RunEntry): Promise<Environment | undefined> {
  return (await readJsonIfThere(join(run.path, "env.json"))) as Environment | undefined;
}

/** The files that a run has left, with their sizes. */
export async function runFiles(run: RunEntry, names: readonly string[]): Promise<{ name: string; bytes: number }[]> {
  const found = await Promise.all(
    names.map((name) =>
      stat(join(run.path, name)).then(
        ({ size }) => ({ name, bytes: size }),
        () => undefined,
      ),
    ),
  );
  return found.filter((file) => file !== undefined);
}
