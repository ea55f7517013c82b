import { kernel } from "../device/kernel.ts";
import type { Tensor } from "../tensor.ts";
import { empty } from "./copy.ts";

/** How the bits of a key become a u32 that sorts as the keys should; the numbers are those of `counting_sort.wgsl`. */
const KINDS = { index: 0, f32: 1, i32: 2, u32: 3, bool: 3 } as const;

/** Keys to be sorted. */
export interface Keys {
  /** Dense, rows · n elements. */
  readonly keys: Tensor;
  readonly rows: number;
  readonly n: number;
  /** `index` sorts u32 and i32 alike as u32, with everything from `limit` on counted as `limit`. */
  readonly kind: keyof typeof KINDS;
  readonly limit?: number;
  readonly descending?: boolean;
}

/** Which digit of the keys a pass sorts by. */
interface Digit {
  readonly shift: number;
  readonly mask: number;
  readonly bins: number;
}

/** Most bins of one pass: their first places are kept in workgroup memory. */
const MOST_BINS = 2048;
/** Widest digit where a key takes several passes. */
const DIGIT_BITS = 10;
/** About how many counters a pass keeps: chunks grow where there would be more, … */
const GOOD_COUNTERS = 2 ** 20;
/** … but not beyond an eighth of a row, so that short rows keep several invocations busy, unless there would be more than these. */
const MOST_COUNTERS = 2 ** 24;
/** Places that one invocation walks at least. */
const LEAST_CHUNK = 64;
const WALKERS = 32;
/** Forms of the prefix's workgroups: many parts share the chunks of few bins, or, where chunks are few, each invocation has a bin. */
const MANY_CHUNKS = { BINS: 16, PARTS: 16 };
const FEW_CHUNKS = { BINS: 64, PARTS: 1 };

/** The order of a sort. */
export interface Order {
  /** [rows, n] i32: the places of each row in sorted order, equal keys as they stood. */
  readonly order: Tensor;
  /** [rows, limit + 2] i32, where each key's places start; only where one pass was enough to sort by the whole key. */
  readonly starts: Tensor | undefined;
}

/**
 * Sorts rows of keys stably: a counting sort for indices below 2048, else a radix sort of as many counting passes as the keys need.
 * Three dispatches a pass, no atomics; nothing is read back. `n` and `rows` must not be 0.
 */
export function stableOrder(input: Keys): Order {
  const { kind, limit = 0 } = input;
  if (kind === "index" && limit < MOST_BINS) return countingPass(input, { shift: 0, mask: 0xffffffff, bins: limit + 1 });
  const bits = kind === "index" ? Math.ceil(Math.log2(limit + 1)) : kind === "bool" ? 1 : 32;
  const width = kind === "index" ? Math.ceil(bits / Math.ceil(bits / DIGIT_BITS)) : Math.min(8, bits);
  let order: Tensor | undefined;
  for (let shift = 0; shift < bits; shift += width) {
    const bins = 2 ** Math.min(width, bits - shift);
    order = countingPass(input, { shift, mask: bins - 1, bins }, order).order;
  }
  return { order: order!, starts: undefined };
}

function countingPass({ keys, rows, n, kind, limit = 0, descending }: Keys, digit: Digit, before?: Tensor): Order & { starts: Tensor } {
  const { device } = keys;
  const counters = rows * n * digit.bins; // with chunks of one place each
  const good = Math.min(counters / GOOD_COUNTERS, n / 8);
  const chunk = Math.ceil(Math.max(LEAST_CHUNK, good, counters / MOST_COUNTERS));
  const chunks = Math.ceil(n / chunk);
  const params = {
    ...digit,
    rows,
    n,
    chunk,
    chunks,
    limit,
    first: before ? 0 : 1,
    kind: KINDS[kind],
    flip: descending ? 0xffffffff : 0,
  };
  const table = empty([rows, chunks, digit.bins], { dtype: "u32", device });
  const totals = empty([rows, digit.bins], { dtype: "u32", device });
  const sorted = empty([rows, n], { dtype: "i32", device });
  const starts = empty([rows, digit.bins + 1], { dtype: "i32", device });
  const order = before ?? keys;
  const walkers = rows * Math.ceil(chunks / WALKERS);
  device.run(kernel("counting_sort", "count"), { bindings: { keys, order, table }, params, workgroups: walkers });
  const form = chunks > 16 ? MANY_CHUNKS : FEW_CHUNKS;
  const workgroups = rows * Math.ceil(digit.bins / form.BINS);
  device.run(kernel("counting_sort", "prefix", form), { bindings: { table, totals }, params, workgroups });
  const bindings = { keys, order, table, sums: totals, sorted, starts };
  device.run(kernel("counting_sort", "scatter"), { bindings, params, workgroups: walkers });
  return { order: sorted, starts };
}
