import type { StepRow } from "../run/metrics.ts";
import type { Spread, StepCurves } from "./report_data.ts";

/** Points a curve has at most: more than a screen has columns for it. */
const MOST_POINTS = 1500;

/**
 * The curves of a run's steps, thinned to at most {@link MOST_POINTS}: of equally many steps each, a bucket keeps the mean, the least and the
 * greatest value, so no spike is lost. Short runs keep every step.
 */
export function thinSteps(rows: readonly StepRow[], options: { readonly most?: number } = {}): StepCurves {
  const bucket = Math.max(1, Math.ceil(rows.length / (options.most ?? MOST_POINTS)));
  const buckets = Array.from({ length: Math.ceil(rows.length / bucket) }, (_, i) => rows.slice(i * bucket, (i + 1) * bucket));
  let seconds = 0;
  const ends = buckets.map((part) => {
    for (const { milliseconds } of part) seconds += Number.isFinite(milliseconds) ? milliseconds / 1000 : 0;
    return Math.round(1000 * seconds) / 1000;
  });
  return {
    count: rows.length,
    bucket,
    step: buckets.map((part) => part.at(-1)!.step),
    seconds: ends,
    loss: spread(buckets, (row) => row.loss),
    lr: buckets.map((part) => (Number.isFinite(part.at(-1)!.lr) ? rounded(part.at(-1)!.lr) : null)),
    milliseconds: spread(buckets, (row) => row.milliseconds),
  };
}

function spread(buckets: readonly (readonly StepRow[])[], measure: (row: StepRow) => number): Spread {
  const finite = buckets.map((part) => part.map(measure).filter(Number.isFinite));
  const of = (fold: (values: readonly number[]) => number): (number | null)[] =>
    finite.map((values) => (values.length === 0 ? null : rounded(fold(values))));
  const mean = of((values) => values.reduce((sum, value) => sum + value, 0) / values.length);
  if (buckets.every((part) => part.length === 1)) return { mean };
  return { mean, min: of((values) => Math.min(...values)), max: of((values) => Math.max(...values)) };
}

/** Five digits: more than can be seen, and half the size. */
export function rounded(value: number): number {
  return Number(value.toPrecision(5));
}
