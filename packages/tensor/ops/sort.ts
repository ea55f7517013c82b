import { applyAll } from "../autograd/apply.ts";
import type { Op } from "../autograd/node.ts";
import { kernel } from "../device/kernel.ts";
import { ShapeError } from "../errors.ts";
import { format, normalizeAxis } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { dense, empty } from "./copy.ts";
import { stableOrder } from "./counting_sort.ts";
import { gather } from "./gather.ts";
import { place } from "./scatter.ts";
import { narrow, reshape, transpose } from "./view.ts";

/** Values in order, and the places along the axis (i32) where they stood. */
export interface Sorted {
  readonly values: Tensor;
  readonly indices: Tensor;
}

/** Longest row that one workgroup sorts. */
const SHORT_ROW = 2048;
/** The same on software adapters, where workgroup memory gains nothing and long rows are better off with counting. */
const SHORT_ROW_SOFTWARE = 256;
/** Most places that `smallest` finds: the chosen ones lie in workgroup memory. */
const MOST_CHOSEN = 1024;
/** Rows longer than this are cut into pieces, unless there are many rows. */
const LONG_ROW = 16384;
const PIECE = 8192;
const MANY_ROWS = 256;

const KINDS = { f32: 1, i32: 2, u32: 3, bool: 3 } as const;

const powerOfTwo = (n: number): number => 2 ** Math.ceil(Math.log2(n));

/** Sorts along the last axis. */
const sortOp: Op<{ descending: boolean }> = {
  name: "sort",
  visible: 2,
  forward([x], { descending }) {
    const { device, dtype, shape } = x!;
    const n = shape.at(-1)!;
    const rows = x!.size / (n || 1);
    const keys = dense(x!);
    if (x!.size > 0 && n > (device.family === "tile" ? SHORT_ROW : SHORT_ROW_SOFTWARE)) {
      const order = stableOrder({ keys, rows, n, kind: dtype, descending }).order.reshape(shape);
      return [gather(keys, order, { axis: -1 }), order];
    }
    const values = empty(shape, { dtype, device });
    const places = empty(shape, { dtype: "i32", device });
    const width = powerOfTwo(Math.max(n, 1));
    device.run(kernel("sort", "short_rows"), {
      bindings: { input: keys, values, places },
      params: { rows, n, width, kind: KINDS[dtype], flip: descending ? 0xffffffff : 0 },
      workgroups: Math.ceil((x!.size === 0 ? 0 : rows * width) / SHORT_ROW),
    });
    return [values, places];
  },
  gradient: ({ inputs: [x], outputs: [, indices], gradients }) => [place(indices!, gradients[0]!, { shape: x!.shape, axis: x!.rank - 1 })],
};

/** Finds the first k places of the last axis in order. */
const topkOp: Op<{ k: number; largest: boolean }> = {
  name: "topk",
  visible: 2,
  forward([x], { k, largest }) {
    const { device, dtype } = x!;
    const shape = [...x!.shape.slice(0, -1), k];
    let n = x!.shape.at(-1)!;
    const rows = x!.size / (n || 1);
    let candidates = dense(x!);
    let map: Tensor | undefined;
    for (;;) {
      const pieces = n > LONG_ROW && rows < MANY_ROWS ? Math.ceil(n / PIECE) : 1;
      const values = empty([rows, pieces * k], { dtype, device });
      const places = empty([rows, pieces * k], { dtype: "i32", device });
      device.run(kernel("sort", "smallest", { LANES: device.family === "tile" ? 256 : 8 }), {
        bindings: { input: candidates, map: map ?? candidates, values, places },
        params: {
          rows,
          n,
          k,
          width: powerOfTwo(k),
          pieces,
          placeDigits: Math.ceil(Math.log2(n) / 8),
          mapped: map ? 1 : 0,
          kind: KINDS[dtype],
          flip: largest ? 0xffffffff : 0,
        },
        workgroups: k === 0 ? 0 : rows * pieces,
      });
      if (pieces === 1) return [values.reshape(shape), places.reshape(shape)];
      n = pieces * k;
      candidates = values;
      map = places;
    }
  },
  gradient: ({ inputs: [x], outputs: [, indices], gradients }) => [place(indices!, gradients[0]!, { shape: x!.shape, axis: x!.rank - 1 })],
};

/**
 * Sorts along an axis (default: the last), as torch's `sort` with `stable=True`: equal values stay in their order, also in descending order,
 * and NaN counts as greater than everything. −0 equals 0. The gradient goes back through `values`.
 *
 * @example
 * ```ts
 * const { values, indices } = tensor([3, 1, 2]).sort();   // [1, 2, 3] and [1, 2, 0]
 * ```
 */
export function sort(x: Tensor, options: { axis?: number; descending?: boolean } = {}): Sorted {
  const { axis = -1, descending = false } = options;
  return alongAxis(x, axis, (rows) => applyAll(sortOp, [rows], { descending }));
}

/**
 * The k greatest (or least) values along an axis (default: the last), in order; of equal ones those that stand first. NaN counts as greater
 * than everything. The gradient goes back through `values`.
 *
 * @example
 * ```ts
 * const { values, indices } = activations.topk(32);       // [B, 4096] → [B, 32] each
 * ```
 * @throws ShapeError if the axis has fewer than k places.
 */
export function topk(x: Tensor, k: number, options: { axis?: number; largest?: boolean } = {}): Sorted {
  const { axis = -1, largest = true } = options;
  return alongAxis(x, axis, (rows) => {
    const n = rows.shape.at(-1)!;
    if (!Number.isInteger(k) || k < 0 || k > n)
      throw new ShapeError(`topk: expected k in 0…${n} for axis ${axis} of ${format(x.shape)} but found ${k}`);
    const worthSorting = k > MOST_CHOSEN || (n <= SHORT_ROW_SOFTWARE && 4 * k > n);
    if (!worthSorting) return applyAll(topkOp, [rows], { k, largest });
    return applyAll(sortOp, [rows], { descending: largest }).map((t) => narrow(t, -1, { start: 0, length: k }));
  });
}

/** Applies to the last axis what is meant for another. */
function alongAxis(x: Tensor, axis: number, order: (rows: Tensor) => Tensor[]): Sorted {
  const at = normalizeAxis(axis, Math.max(x.rank, 1));
  const [values, indices] = order(x.rank === 0 ? reshape(x, [1]) : transpose(x, at, -1)) as [Tensor, Tensor];
  if (x.rank === 0) return { values: reshape(values, []), indices: reshape(indices, []) };
  return { values: transpose(values, at, -1), indices: transpose(indices, at, -1) };
}
