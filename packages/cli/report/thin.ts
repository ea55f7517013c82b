import type { StepRow } from "../run/metrics.ts";
import type { Spread, StepCurves } from "./report_data.ts";

/** Points a curve has at most: more than a screen has columns for it. */
const MOST_POINTS = 1500;

/**
 * The curves of a run's steps, thinned to at most {@link MOST_POINTS}: of equally many steps each, a bucket keeps the mean, the least and the
 * greatest value, so no spike is lost. Short runs keep every step.
 */
export function thinSteps(rows: readonly StepRow[], options: { readonly most?: number } = {}): StepCurves {
  const buckets = stepBuckets(rows, options);
  return {
    ...bucketAxes(buckets),
    loss: spread(buckets, (row) => row.loss),
    lr: buckets.map((part) => (Number.isFinite(part.at(-1)!.lr) ? rounded(part.at(-1)!.lr) : null)),
    milliseconds: spread(buckets, (row) => row.milliseconds),
  };
}

/** What every row of metrics has. */
interface TimedRow {
  readonly step: number;
  readonly milliseconds: number;
}

/** Rows in buckets of equally many, {@link MOST_POINTS} buckets at most. */
export function stepBuckets<R>(rows: readonly R[], options: { readonly most?: number } = {}): readonly (readonly R[])[] {
  const bucket = Math.max(1, Math.ceil(rows.length / (options.most ?? MOST_POINTS)));
  return Array.from({ length: Math.ceil(rows.length / bucket) }, (_, i) => rows.slice(i * bucket, (i + 1) * bucket));
}

/** Where buckets end, in steps and in time trained. */
export function bucketAxes(buckets: readonly (readonly TimedRow[])[]): Pick<StepCurves, "count" | "bucket" | "step" | "seconds"> {
  let seconds = 0;
  const ends = buckets.map((part) => {
    for (const { milliseconds } of part) seconds += Number.isFinite(milliseconds) ? milliseconds / 1000 : 0;
    return Math.round(1000 * seconds) / 1000;
  });
  return {
    count: buckets.reduce((sum, part) => sum + part.length, 0),
    bucket: buckets[0]?.length ?? 1,
    step: buckets.map((part) => part.at(-1)!.step),
    seconds: ends,
  };
}

/** Mean, least and greatest of a figure in each bucket. */
export function spread<R>(buckets: readonly (readonly R[])[], measure: (row: R) => number): Spread {
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
