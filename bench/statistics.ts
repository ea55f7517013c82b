/** The middle value, or the mean of the two in the middle. @throws RangeError for no values. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("Expected values to take a median of but found none");
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** How many times as long `times` took as `reference`: the median over rounds of each round's ratio, which a slow drift of the machine leaves alone. */
export function pairedRatio(times: readonly number[], reference: readonly number[]): number | undefined {
  const ratios = times.slice(0, reference.length).map((time, round) => time / reference[round]!);
  return ratios.length > 0 ? median(ratios) : undefined;
}

/** How far the largest value lies above the smallest: 0.1 for 10 %; undefined for fewer values than two. */
export function movement(values: readonly number[]): number | undefined {
  return values.length > 1 ? Math.max(...values) / Math.min(...values) - 1 : undefined;
}

/** Whether two results agree as far as two engines' single precision does after a few steps. */
export function agree(a: number, b: number): boolean {
  return Math.abs(a - b) <= 1e-3 * Math.max(Math.abs(a), Math.abs(b));
}
