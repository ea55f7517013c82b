import { apply, applyAll } from "../autograd/apply.ts";
import type { Op } from "../autograd/node.ts";
import { kernel } from "../device/kernel.ts";
import { ShapeError } from "../errors.ts";
import { format } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { dense, empty, full } from "./copy.ts";
import { expectDType } from "./elementwise.ts";
import { inFours } from "./rows.ts";

/** Options of {@link keepTopk} and {@link keepBatchTopk}. */
export interface KeepOptions {
  /** Values that are not greater never stay: 0 makes a ReLU of it. Default: −∞. */
  readonly above?: number;
}

interface Attributes {
  readonly k: number;
  readonly above: number;
}

/** Stretches that a long row is counted in: what keeps an adapter busy. */
const PARTS_SOFTWARE = 512;
const PARTS = 16_384;

function check(name: string): (inputs: readonly Tensor[], attributes: Attributes) => void {
  return ([x], { k }) => {
    expectDType(name, x!, ["f32"]);
    const n = x!.shape.at(-1);
    if (n === undefined) throw new ShapeError(`${name}: expected a tensor with an axis but found a scalar`);
    if (!Number.isInteger(k) || k < 1 || k > n)
      throw new ShapeError(`${name}: expected k in 1…${n} for the last axis of ${format(x!.shape)} but found ${k}`);
  };
}

/** Whether rows of such a length are moved by vectors of four. */
function formOf(n: number): { readonly VEC: boolean; readonly wide: number } {
  const VEC = inFours(n);
  return { VEC, wide: VEC ? 4 : 1 };
}

/** dx = dy where something stayed. A kept value of exactly 0 gets none, as with ReLU. */
function keptGradient(y: Tensor, dy: Tensor): Tensor {
  const out = empty(y.shape, { device: y.device });
  const { VEC, wide } = formOf(y.shape.at(-1)!);
  y.device.run(kernel("keep_topk", "gradient", { VEC }), {
    bindings: { out, x: dense(y), dy: dense(dy) },
    params: { size: y.size },
    workgroups: Math.ceil(y.size / wide / 64),
  });
  return out;
}

const rowsOp: Op<Attributes> = {
  name: "keepTopk",
  check: check("keepTopk"),
  forward([x], { k, above }) {
    const { device, shape } = x!;
    const n = shape.at(-1)!;
    const rows = x!.size / n;
    const out = empty(shape, { device });
    const isShared = device.family === "tile";
    device.run(isShared ? kernel("keep_topk", "wide_rows") : kernel("keep_topk", "rows", { VEC: formOf(n).VEC }), {
      bindings: { out, x: dense(x!) },
      params: { rows, n, k, above },
      workgroups: isShared ? rows : Math.ceil(rows / 8),
    });
    return [out];
  },
  gradient: ({ outputs: [y], gradients: [dy] }) => [keptGradient(y!, dy!)],
};

const batchOp: Op<Attributes> = {
  name: "keepBatchTopk",
  check: check("keepBatchTopk"),
  visible: 2,
  forward([x], { k, above }) {
    const { device, shape, size } = x!;
    const n = shape.at(-1)!;
    const rows = size / n;
    const values = dense(x!);
    const { VEC, wide } = formOf(n);
    const parts = Math.max(1, Math.min(Math.ceil((device.isSoftware ? PARTS_SOFTWARE : PARTS) / rows), Math.ceil(n / 64)));
    const partials = empty([rows, parts, 16], { dtype: "u32", device });
    const digits = full([rows], 0, { dtype: "u32", device });
    const thresholds = empty(shape.slice(0, -1), { device });
    for (let shift = 28; shift >= 0; shift -= 4) {
      device.run(kernel("keep_topk", "count", { VEC }), {
        bindings: { x: values, partials, chosen: digits },
        params: { rows, n, parts, shift, above },
        workgroups: Math.ceil((rows * parts) / 64),
      });
      device.run(kernel("keep_topk", "narrow"), {
        bindings: { counted: partials, digits, thresholds },
        params: { rows, k, parts, shift, above },
        workgroups: rows,
      });
    }
    const out = empty(shape, { device });
    device.run(kernel("keep_topk", "keep", { VEC }), {
      bindings: { out, x: values, chosen: digits },
      params: { n, size, above },
      workgroups: Math.ceil(size / wide / 64),
    });
    return [out, thresholds];
  },
  gradient: ({ outputs: [y], gradients: [dy] }) => [dy ? keptGradient(y!, dy) : null],
};

/**
 * The k greatest values of every row `[.., N]` where they stand, 0 elsewhere: the activation of TopK autoencoders (Gao et al.,
 * arXiv 2406.04093). Of equal values those that stand first stay, so a row never has more than k; NaN counts as the greatest. What
 * `topk` and a scatter give, in one kernel, and without sorting.
 *
 * @example
 * ```ts
 * const features = keepTopk(preActivations, 16, { above: 0 }); // [B, F], at most 16 positive numbers in a row
 * ```
 * @throws ShapeError unless 1 ≤ k ≤ N.
 */
export function keepTopk(x: Tensor, k: number, { above = Number.NEGATIVE_INFINITY }: KeepOptions = {}): Tensor {
  return apply(rowsOp, [x], { k, above });
}

/**
 * {@link keepTopk} for long rows `[.., N]`, such as all activations of a batch in one (Bussmann et al., arXiv 2412.06410). Values equal to
 * the k-th greatest all stay. `threshold [..]` is the least value that stays, `above` where none does; no gradient goes through it.
 *
 * @example
 * ```ts
 * const { kept, threshold } = keepBatchTopk(preActivations.reshape([-1]), 16 * batch, { above: 0 });
 * ```
 * @throws ShapeError unless 1 ≤ k ≤ N.
 */
export function keepBatchTopk(
  x: Tensor,
  k: number,
  { above = Number.NEGATIVE_INFINITY }: KeepOptions = {},
): { readonly kept: Tensor; readonly threshold: Tensor } {
  const [kept, threshold] = applyAll(batchOp, [x], { k, above }) as [Tensor, Tensor];
  return { kept, threshold: threshold.detach() };
}
