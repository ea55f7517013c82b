/** How values are spread, as TensorBoard takes it. */
export interface Histogram {
  readonly min: number;
  readonly max: number;
  readonly count: number;
  readonly sum: number;
  readonly sumSquares: number;
  /** The upper end of each bucket, which is not in it but for the last one's. */
  readonly limits: readonly number[];
  /** How many values lie in each bucket. */
  readonly counts: readonly number[];
}

/** Buckets of a histogram: as many as TensorFlow's `tf.summary.histogram` makes. */
const BUCKETS = 30;

/** Counts values in buckets of equal width between the least and the greatest. Values that are not finite are left out. */
export function histogramOf(values: Iterable<number> & ArrayLike<number>): Histogram {
  let [min, max, count, sum, sumSquares] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0, 0];
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (!Number.isFinite(value)) continue;
    min = Math.min(min, value);
    max = Math.max(max, value);
    count++;
    sum += value;
    sumSquares += value * value;
  }
  if (count === 0) return { min: 0, max: 0, count, sum, sumSquares, limits: [], counts: [] };
  const width = (max - min) / BUCKETS;
  if (width === 0) return { min, max, count, sum, sumSquares, limits: [max], counts: [count] };
  const counts = new Array<number>(BUCKETS).fill(0);
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (Number.isFinite(value)) counts[Math.min(BUCKETS - 1, Math.floor((value - min) / width))]!++;
  }
  const limits = counts.map((_, i) => (i === BUCKETS - 1 ? max : min + (i + 1) * width));
  return { min, max, count, sum, sumSquares, limits, counts };
}
