import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { RunConfig } from "../config/run_config.ts";
import type { Environment } from "../run/environment.ts";
import { isEvaluation, type MetricsRow } from "../run/metrics.ts";
import type { SummaryValue } from "./event.ts";
import type { LogEntry } from "./event_log.ts";

/** The tag under which TensorBoard shows sample sheets. */
const SAMPLES = "samples";

/** What a row of `metrics.jsonl` tells TensorBoard. */
export function valuesOfRow(row: MetricsRow): SummaryValue[] {
  const scalars = isEvaluation(row)
    ? { "loss/test": row.testLoss, "loss/test_real": row.testLossReal }
    : {
        "loss/train": row.loss,
        learning_rate: row.lr,
        "speed/tokens_per_second": row.tokensPerSecond,
        "speed/milliseconds_per_step": row.milliseconds,
      };
  return Object.entries(scalars).flatMap(([tag, scalar]) => (Number.isFinite(scalar) ? [{ tag, scalar }] : []));
}

/** A sheet of samples, as a picture. */
export function valueOfSamples(png: Uint8Array): SummaryValue {
  return { tag: SAMPLES, png };
}

/** A run's configuration and environment, as text. */
export function valuesOfConfig(config: object, environment: Environment | undefined): SummaryValue[] {
  const code = (value: unknown): string => `\`\`\`json\n${JSON.stringify(value, null, 2)}\n\`\`\``;
  return [{ tag: "configuration", markdown: code(config) }, ...(environment ? [{ tag: "environment", markdown: code(environment) }] : [])];
}

/** What {@link runEntries} reads of a run. */
export interface RunSource {
  readonly path: string;
  readonly config: RunConfig;
  readonly environment: Environment | undefined;
  /** Up to the step at which the entries are to end. */
  readonly rows: readonly MetricsRow[];
}

/** Everything that a run's files tell TensorBoard up to a step. Histograms are not among it: parameters of old steps are gone. */
export async function runEntries({ path, config, environment, rows }: RunSource, options: { readonly step: number }): Promise<LogEntry[]> {
  const timeOf = wallTimes(rows, environment);
  const entries: LogEntry[] = [{ step: 0, wallTime: timeOf(0), values: valuesOfConfig(config, environment) }];
  for (const row of rows) entries.push({ step: row.step, wallTime: timeOf(row.step), values: valuesOfRow(row) });
  for (const { step, file } of await pictures(join(path, "samples"))) {
    if (step <= options.step) entries.push({ step, wallTime: timeOf(step), values: [valueOfSamples(await readFile(file))] });
  }
  return entries.sort((a, b) => a.step - b.step);
}

/** The PNG sheets in a folder with their steps. */
async function pictures(folder: string): Promise<{ step: number; file: string }[]> {
  const names = await readdir(folder).catch(() => []);
  return names.flatMap((name) => {
    const step = /^step-(\d+)\.png$/.exec(name)?.[1];
    return step === undefined ? [] : [{ step: Number(step), file: join(folder, name) }];
  });
}

/**
 * When steps were taken, in seconds since 1970, as far as a run's files tell: from each start of the run the steps' own times are added up.
 */
export function wallTimes(
  rows: readonly { readonly step: number; readonly milliseconds?: number }[],
  environment: Environment | undefined,
): (step: number) => number {
  const starts = [
    { step: 0, at: environment?.started ?? new Date(0).toISOString() },
    ...(environment?.resumed ?? []).map(({ step, at }) => ({ step, at })),
  ].map(({ step, at }) => ({ step, seconds: Date.parse(at) / 1000 || 0 }));
  const times = new Map<number, number>();
  let start = 0;
  let now = starts[0]!.seconds;
  for (const row of rows) {
    if (row.milliseconds === undefined) continue; // an evaluation
    for (; start + 1 < starts.length && starts[start + 1]!.step < row.step; start++) now = Math.max(now, starts[start + 1]!.seconds);
    now += row.milliseconds / 1000;
    times.set(row.step, now);
  }
  return (step) => times.get(step) ?? (step === 0 ? starts[0]!.seconds : now);
}
