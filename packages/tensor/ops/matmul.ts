import { apply } from "../autograd/apply.ts";
import type { Op } from "../autograd/node.ts";
import { DTypeError, ShapeError } from "../errors.ts";
import { broadcastShapes, format } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { gemm } from "./gemm/gemm.ts";
import { reshape, squeeze, sumTo, transpose, unsqueeze } from "./view.ts";

/** `a [.., M, K] · b [.., K, N] → [.., M, N]`; dA = dC·Bᵀ, dB = Aᵀ·dC. Transposes are strides, never copies. */
const matmulOp: Op = {
  name: "matmul",
  forward: ([a, b]) => [gemm({ a: a!, b: b! }).out],
  gradient({ inputs: [a, b], gradients: [dc], needs }) {
    const da = needs[0] ? sumTo(matmul(dc!, transpose(b!, -1, -2)), a!.shape) : null;
    return [da, needs[1] ? rightGradient(a!, b!, dc!) : null];
  },
};

/** Where one matrix B served a whole batch, dB sums over the batch: that sum is part of a single product's k. */
function rightGradient(a: Tensor, b: Tensor, dc: Tensor): Tensor {
  if (b.rank === 2 && a.rank > 2) return rightGradient(reshape(a, [-1, a.shape.at(-1)!]), b, reshape(dc, [-1, dc.shape.at(-1)!]));
  return sumTo(matmul(transpose(a, -1, -2), dc), b.shape);
}

/**
 * Matrix product with torch's rules: `[.., M, K] · [.., K, N] → [.., M, N]`, batch axes broadcast; a vector on the left is a row, one on the
 * right a column, and that axis is dropped from the result.
 *
 * @example
 * ```ts
 * const scores = matmul(query, key.transpose(-1, -2)); // [B, H, T, D] · [B, H, D, S] → [B, H, T, S]
 * ```
 * @throws ShapeError if the inner sizes differ, the batch axes do not broadcast, or an operand is a scalar.
 */
export function matmul(a: Tensor, b: Tensor): Tensor {
  check(a, b);
  const product = apply(matmulOp, [a.rank === 1 ? unsqueeze(a, 0) : a, b.rank === 1 ? unsqueeze(b, 1) : b], {});
  const rows = a.rank === 1 ? squeeze(product, -2) : product;
  return b.rank === 1 ? squeeze(rows, -1) : rows;
}

function check(a: Tensor, b: Tensor): void {
  if (a.dtype !== "f32" || b.dtype !== "f32") throw new DTypeError(`matmul: expected f32 tensors but found ${a.dtype} and ${b.dtype}`);
  const shapes = `${format(a.shape)} and ${format(b.shape)}`;
  if (a.rank === 0 || b.rank === 0) throw new ShapeError(`matmul: expected at least one axis each but found shapes ${shapes}`);
  const inner = b.shape.at(b.rank === 1 ? 0 : -2);
  if (a.shape.at(-1) !== inner)
    throw new ShapeError(`matmul: expected equal inner sizes but found ${a.shape.at(-1)} and ${inner} in shapes ${shapes}`);
  broadcastShapes("matmul", a.shape.slice(0, -2), b.shape.slice(0, -2));
}
