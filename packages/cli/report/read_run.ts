import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { presets } from "../config/presets.ts";
import { valueAt } from "../config/resolve.ts";
import type { RunConfig } from "../config/run_config.ts";
import { runFields } from "../config/run_schema.ts";
import { UsageError } from "../errors.ts";
import type { Environment } from "../run/environment.ts";
import { readIfThere } from "../run/files.ts";
import type { RunEntry } from "../run/find_run.ts";
import { type EvaluationRow, isEvaluation, type MetricsRow, parseMetrics, type StepRow } from "../run/metrics.ts";
import { readStatus } from "../run/status.ts";
import { type RunSummary, runConfig, runEnvironment, sumUp } from "../run/summary.ts";
import type { EvaluationCurves, StepCurves } from "./report_data.ts";
import { thinSteps } from "./thin.ts";

/** Sheets of samples that a report shows of a run at most. */
const MOST_SHEETS = 60;

/** A run as a report tells of it. */
export interface ReportedRun {
  readonly summary: RunSummary;
  readonly config: RunConfig;
  readonly environment: Environment | undefined;
  /** Values that are not the preset's. */
  readonly changes: readonly { readonly path: string; readonly preset: unknown; readonly value: unknown }[];
  /** What somebody who looks at the curves should know, a line each. */
  readonly warnings: readonly string[];
  readonly steps: StepCurves;
  readonly evaluations: EvaluationCurves;
  /** Sheets that are shown, in the order of their steps, and how many there are. */
  readonly samples: readonly { readonly step: number; readonly svg: string }[];
  readonly sampleCount: number;
}

/** Reads what a report tells of a run. @throws UsageError where its configuration, or all of its metrics, are damaged. */
export async function readRunForReport(entry: RunEntry): Promise<ReportedRun> {
  const [config, environment, status, metrics, sheets] = await Promise.all([
    runConfig(entry),
    runEnvironment(entry),
    readStatus(entry.path),
    readIfThere(join(entry.path, "metrics.jsonl")),
    sheetNames(entry.path),
  ]);
  const { rows, unreadable } = parseMetrics(metrics?.toString("utf8") ?? "");
  if (rows.length === 0 && unreadable > 0)
    throw new UsageError(`Expected metrics in ${join(entry.path, "metrics.jsonl")} but found none of its lines readable`);
  const summary = sumUp(entry, { status, rows });
  const stepRows = rows.filter((row): row is StepRow => !isEvaluation(row));
  const preset = presets[config.preset].config;
  return {
    summary,
    config,
    environment,
    changes: runFields
      .map(({ path }) => ({ path, preset: valueAt(preset, path), value: valueAt(config, path) }))
      .filter((change) => JSON.stringify(change.preset) !== JSON.stringify(change.value)),
    warnings: warningsOf({ summary, environment, rows, unreadable }),
    steps: thinSteps(stepRows),
    evaluations: evaluationCurves(rows.filter(isEvaluation), stepRows),
    samples: await Promise.all(
      chosen(sheets).map(async ({ step, file }) => ({ step, svg: await readFile(join(entry.path, "samples", file), "utf8") })),
    ),
    sampleCount: sheets.length,
  };
}

function evaluationCurves(evaluations: readonly EvaluationRow[], steps: readonly StepRow[]): EvaluationCurves {
  const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
  const times = new Map<number, number>();
  let seconds = 0;
  for (const { step, milliseconds } of steps) {
    seconds += (milliseconds || 0) / 1000;
    times.set(step, seconds);
  }
  return {
    step: evaluations.map((row) => row.step),
    seconds: evaluations.map((row) => Math.round(1000 * (times.get(row.step) ?? seconds)) / 1000),
    testLoss: evaluations.map((row) => finite(row.testLoss)),
    testLossReal: evaluations.map((row) => finite(row.testLossReal)),
  };
}

async function sheetNames(run: string): Promise<{ step: number; file: string }[]> {
  const names = await readdir(join(run, "samples")).catch(() => []);
  return names
    .flatMap((file) => {
      const step = /^step-(\d+)\.svg$/.exec(file)?.[1];
      return step === undefined ? [] : [{ step: Number(step), file }];
    })
    .sort((a, b) => a.step - b.step);
}

/** Of too many sheets those nearest to equal distances on a scale between linear and logarithmic: writing changes most at the start. */
function chosen<T extends { readonly step: number }>(sheets: readonly T[]): readonly T[] {
  if (sheets.length <= MOST_SHEETS) return sheets;
  const places = Array.from({ length: MOST_SHEETS }, (_, i) => Math.round((i / (MOST_SHEETS - 1)) ** 1.5 * (sheets.length - 1)));
  return [...new Set(places)].map((place) => sheets[place]!);
}

function warningsOf(about: {
  summary: RunSummary;
  environment: Environment | undefined;
  rows: readonly MetricsRow[];
  unreadable: number;
}): string[] {
  const { summary, environment, rows, unreadable } = about;
  const warnings: string[] = [];
  if (summary.state === "killed") warnings.push(`The process was killed; step ${summary.step} is saved, train --resume goes on from it.`);
  if (summary.state === "failed") warnings.push(`The run failed: ${summary.message ?? "it does not say why"}.`);
  if (summary.state === "interrupted") warnings.push(`The run was interrupted at step ${summary.step}.`);
  for (const { step, at, adapter } of environment?.resumed ?? []) {
    const elsewhere = adapter === environment?.adapter?.name ? "" : ` on another adapter, ${adapter}`;
    warnings.push(`Resumed from step ${step} on ${at.slice(0, 16).replace("T", " ")} UTC${elsewhere}.`);
  }
  const measured = (row: MetricsRow): number[] => (isEvaluation(row) ? [row.testLoss, row.testLossReal] : [row.loss]);
  const broken = rows.filter((row) => !measured(row).every(Number.isFinite));
  if (broken.length > 0)
    warnings.push(`${count(broken.length, "row has", "rows have")} a loss that is no number, first at step ${broken[0]!.step}.`);
  if (unreadable > 0)
    warnings.push(
      `${count(unreadable, "line", "lines")} of metrics.jsonl could not be read and ${unreadable === 1 ? "is" : "are"} left out.`,
    );
  const steps = rows.filter((row) => !isEvaluation(row));
  const gap = steps.findIndex((row, i) => row.step !== i + 1);
  if (gap >= 0) warnings.push(`Expected metrics of step ${gap + 1} but found step ${steps[gap]!.step}: steps are missing or out of order.`);
  if (rows.length === 0) warnings.push("There are no metrics yet.");
  return warnings;
}

function count(n: number, one: string, many: string): string {
  return `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
}
