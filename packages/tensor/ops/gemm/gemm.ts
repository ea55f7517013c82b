import type { Param } from "../../device/command.ts";
import type { Bindable } from "../../device/device.ts";
import { kernel } from "../../device/kernel.ts";
import { broadcastShapes, eight, rowMajorStrides } from "../../shape.ts";
import { Tensor } from "../../tensor.ts";
import { dense, empty } from "../copy.ts";
import { inFours, type Rows, rowsOf } from "../rows.ts";
import { pairLayout, sumInto } from "../sum_slices.ts";
import { plan } from "./plan.ts";
import { describe, type Problem } from "./problem.ts";

/** A product of matrices with what may be fused to it. */
export interface Product {
  /** `[.., M, K]`, any strides. */
  readonly a: Tensor;
  /** `[.., K, N]`, any strides; batch axes broadcast. */
  readonly b: Tensor;
  /** `[N]`, added to every row. */
  readonly bias?: Tensor | undefined;
  /** Applied after the bias: GELU in its tanh form. */
  readonly activation?: "gelu" | undefined;
  /** The sum is multiplied by these, of the result's shape: by an activation's slopes on a gradient's way back. */
  readonly times?: Tensor | undefined;
  /** Added last, of the result's shape. */
  readonly residual?: Tensor | undefined;
  /** Ask for `rowSums`; only for operands without batch axes. */
  readonly rowSums?: boolean | undefined;
  /** Let long rows begin at multiples of 4 elements, which later products over them load faster; the gaps' contents are arbitrary. */
  readonly alignRows?: boolean | undefined;
}

/** What {@link gemm} computes. */
export interface ProductResult {
  /** `activation(a·b + bias) + residual`, `[.., M, N]`. */
  readonly out: Tensor;
  /** The activation's slopes at `a·b + bias`, where there is one. */
  readonly slopes: Tensor | undefined;
  /** Sums of `a`'s rows, `[M]`. */
  readonly rowSums: Tensor | undefined;
}

/**
 * Launches a matrix product. Shapes are the caller's to check. Sums run in a fixed order: the same inputs give the same bits.
 *
 * @example
 * ```ts
 * const { out, rowSums } = gemm({ a: dy.transpose(-1, -2), b: x, rowSums: true }); // gradients of a weight and its bias
 * ```
 */
export function gemm(product: Product): ProductResult {
  const { a, b, activation, residual, rowSums = false } = product;
  const { device } = a;
  const problem = describe(a, b);
  const { batches, m, n } = problem;
  const outRow = product.alignRows && !product.times && n >= WORTH_ALIGNING ? Math.ceil(n / 4) * 4 : n;
  const added = residual && rowsOf(residual);
  const chosen = plan(device, problem, {
    gelu: activation === "gelu",
    times: product.times !== undefined,
    rowSums,
    inFours: inFours(outRow, added?.stride ?? 0, added?.tensor.offset ?? 0),
  });

  const shape = [...broadcastShapes("matmul", a.shape.slice(0, -2), b.shape.slice(0, -2)), a.shape.at(-2)!, n];
  const size = batches * m * outRow;
  // Row sums go behind the matrix in the same storage: a kernel may write to few of them.
  const { secondAt, slice } = pairLayout({ first: size, second: rowSums ? m : 0 });
  const { storage, range } = empty([slice], { device });
  const strides = rowMajorStrides([...shape.slice(0, -1), outRow]);
  const out = new Tensor(device, storage, { shape, strides, dtype: "f32" });
  const slopes = activation ? new Tensor(device, empty([size], { device }).storage, { shape, strides, dtype: "f32" }) : undefined;

  const isSplit = chosen.splits > 1;
  const target = isSplit ? empty([chosen.splits * slice], { device }).range : range;
  const epilogue = epilogueOf(product, { slopes, added });
  const own = isSplit ? epilogueOf({ a, b }) : epilogue;
  device.run(chosen.kernel, {
    bindings: { a: a.whole, b: b.whole, a4: a.whole, b4: b.whole, out: target, out4: target, ...own.bindings },
    params: {
      ...operandParams(problem),
      ...own.params,
      splits: chosen.splits,
      splitLength: chosen.splitLength,
      stretch: chosen.stretch,
      outRow,
      outSlice: slice,
      rowSumsOffset: secondAt,
    },
    workgroups: chosen.workgroups,
  });
  if (isSplit && outRow === n && !hasEpilogue(product)) {
    sumInto(range, { partials: target, pair: { first: size, second: rowSums ? m : 0 }, splits: chosen.splits, device });
  } else if (isSplit) {
    device.run(kernel("gemm_reduce", "main", { GELU: activation === "gelu", TIMES: product.times !== undefined }), {
      bindings: { partials: target, out: range, ...epilogue.bindings },
      params: { ...epilogue.params, slice, splits: chosen.splits, n, rows: batches * m, outRow, rowSumsOffset: secondAt },
      workgroups: Math.ceil(slice / 64),
    });
  }
  const sums = rowSums ? new Tensor(device, storage, { shape: [m], offset: secondAt, dtype: "f32" }) : undefined;
  return { out, slopes, rowSums: sums };
}

/** With shorter rows the gaps would cost more than they bring. */
const WORTH_ALIGNING = 64;

/** Whether a product has anything done to it besides being added up. */
function hasEpilogue({ bias, activation, times, residual }: Product): boolean {
  return [bias, activation, times, residual].some((part) => part !== undefined);
}

interface Epilogue {
  readonly bindings: Readonly<Record<string, Bindable>>;
  readonly params: Readonly<Record<string, number>>;
}

/** Bindings that a product does not use are bound to `a`: WebGPU knows no empty ones. */
function epilogueOf(
  { a, bias, times }: Product,
  { slopes, added }: { slopes?: Tensor | undefined; added?: Rows | undefined } = {},
): Epilogue {
  const residual = (added?.tensor ?? a).whole;
  const factors = times && dense(times);
  return {
    bindings: {
      bias: bias ? dense(bias) : a.whole,
      residual,
      residual4: residual,
      ...(slopes && { slopes: slopes.whole, slopes4: slopes.whole }),
      ...(factors && { times: factors, times4: factors }),
    },
    params: {
      hasBias: bias ? 1 : 0,
      hasResidual: added ? 1 : 0,
      residualOffset: added?.tensor.offset ?? 0,
      residualRow: added?.stride ?? 0,
    },
  };
}

function operandParams({ m, n, k, batches, batchShape, a, b }: Problem): Record<string, Param> {
  return {
    m,
    n,
    k,
    aOffset: a.tensor.offset,
    aRow: a.row,
    aColumn: a.column,
    bOffset: b.tensor.offset,
    bRow: b.row,
    bColumn: b.column,
    batches,
    batchRank: batchShape.length,
    batchShape: eight(batchShape, 1),
    aBatch: eight(a.batch, 0),
    bBatch: eight(b.batch, 0),
  };
}
