/** Oracles of sorting. */
import { mapRows, type Nd } from "../nd.ts";

/** Sorted values, and where along the axis each one stood. */
export interface Sorted {
  values: Nd;
  indices: Nd;
}

/** The places of a row's values in sorted order. Equal values stay in order; NaN is greater than all others. */
function order(row: Float64Array, descending: boolean): number[] {
  const compare = (a: number, b: number) => (Number.isNaN(a) || Number.isNaN(b) ? +Number.isNaN(a) - +Number.isNaN(b) : a - b);
  const places = Array.from(row, (_, i) => i);
  return places.sort((i, j) => (descending ? compare(row[j]!, row[i]!) : compare(row[i]!, row[j]!)) || i - j);
}

/** All values along an axis in order, equal ones as they stood. */
export function sort(x: Nd, { axis = -1, descending = false }: { axis?: number; descending?: boolean } = {}): Sorted {
  return {
    values: mapRows(x, axis, (row) => order(row, descending).map((i) => row[i]!)),
    indices: mapRows(x, axis, (row) => order(row, descending)),
  };
}

/** The k greatest (or least) values along an axis in order; of equal ones, those that stood first. */
export function topk(x: Nd, k: number, { axis = -1, largest = true }: { axis?: number; largest?: boolean } = {}): Sorted {
  return {
    values: mapRows(x, axis, (row) =>
      order(row, largest)
        .slice(0, k)
        .map((i) => row[i]!),
    ),
    indices: mapRows(x, axis, (row) => order(row, largest).slice(0, k)),
  };
}
