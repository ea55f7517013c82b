/** What the first rows of a stream say about it: where its middle lies and how long its rows are. */

/** Means of the columns of `rows` `[N, D]`. */
export function meanRow(rows: Float32Array, width: number): Float64Array {
  const mean = new Float64Array(width);
  for (let i = 0; i < rows.length; i++) mean[i % width]! += rows[i]!;
  return mean.map((sum) => (sum * width) / rows.length);
}

/** Mean over rows of ‖x‖. */
export function meanNorm(rows: Float32Array, width: number): number {
  let sum = 0;
  for (let start = 0; start < rows.length; start += width) sum += Math.hypot(...rows.subarray(start, start + width));
  return (sum * width) / rows.length;
}

/**
 * The point with the least sum of distances to the rows, which outliers hardly move: Weiszfeld's iteration from the mean, until it moves by
 * less than 1e-6 of the rows' spread.
 */
export function geometricMedian(rows: Float32Array, width: number): Float64Array {
  let center = meanRow(rows, width);
  for (let round = 0; round < 100; round++) {
    const next = new Float64Array(width);
    let total = 0;
    let spread = 0;
    for (let start = 0; start < rows.length; start += width) {
      let squares = 0;
      for (let d = 0; d < width; d++) squares += (rows[start + d]! - center[d]!) ** 2;
      const distance = Math.sqrt(squares);
      spread += distance;
      const weight = 1 / Math.max(distance, 1e-12);
      total += weight;
      for (let d = 0; d < width; d++) next[d]! += weight * rows[start + d]!;
    }
    const moved = Math.hypot(...next.map((sum, d) => sum / total - center[d]!));
    center = next.map((sum) => sum / total);
    if (moved <= (1e-6 * spread * width) / rows.length) break;
  }
  return center;
}
