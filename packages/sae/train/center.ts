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
 * less than 1e-6 of the rows' spread. Where it hits rows exactly, at which it would stand still, these hold it back by no more than they
 * weigh (Y. Vardi and C.-H. Zhang, "The multivariate L1-median and associated data depth", 2000).
 */
export function geometricMedian(rows: Float32Array, width: number): Float64Array {
  let center = meanRow(rows, width);
  for (let round = 0; round < 100; round++) {
    const sum = new Float64Array(width);
    let [total, spread, hit] = [0, 0, 0];
    for (let start = 0; start < rows.length; start += width) {
      let squares = 0;
      for (let d = 0; d < width; d++) squares += (rows[start + d]! - center[d]!) ** 2;
      const distance = Math.sqrt(squares);
      if (distance < 1e-12) {
        hit++;
        continue;
      }
      spread += distance;
      total += 1 / distance;
      for (let d = 0; d < width; d++) sum[d]! += rows[start + d]! / distance;
    }
    if (total === 0) break; // all rows are here
    const step = sum.map((value, d) => value / total - center[d]!);
    const pull = total * Math.hypot(...step); // of the rows elsewhere, each by 1
    const share = hit === 0 ? 1 : Math.max(0, 1 - hit / pull);
    center = center.map((value, d) => value + share * step[d]!);
    if (share * Math.hypot(...step) <= (1e-6 * spread * width) / rows.length) break;
  }
  return center;
}
