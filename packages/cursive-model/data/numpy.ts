import { portableExp, portableLog } from "@cursive/tensor";

/**
 * NumPy's spacings and bins, in float64 and in NumPy's order of operations: token indices depend on the last bit of an edge
 * (`linspace(-π, π, 151)[75]` is -4.4e-16, so that an angle of exactly 0 falls above it).
 */

/** `numpy.linspace(start, stop, count)`: `start + i·step`, with `stop` itself at the end. */
export function linspace(start: number, stop: number, count: number): Float64Array {
  const step = count > 1 ? (stop - start) / (count - 1) : 0;
  const values = Float64Array.from({ length: count }, (_, i) => i * step + start);
  if (count > 1) values[count - 1] = stop;
  return values;
}

/**
 * `numpy.geomspace(start, stop, count)`: powers of one ratio, with both ends themselves. NumPy's own last bits vary with its version; these
 * are the same everywhere.
 */
export function geomspace(start: number, stop: number, count: number): Float64Array {
  const values = linspace(0, portableLog(stop / start), count).map((exponent) => start * portableExp(exponent));
  if (count > 0) values[0] = start;
  if (count > 1) values[count - 1] = stop;
  return values;
}

/** `numpy.digitize(value, edges) - 1` for increasing edges: the largest i with `edges[i] <= value`, or -1 below them all. */
export function binOf(value: number, edges: Float64Array): number {
  let low = 0;
  let high = edges.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (edges[middle]! <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
