import { apply } from "../autograd/apply.ts";
import { ShapeError } from "../errors.ts";
import { format } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { checkIndex, selectOp } from "./index_select.ts";

/**
 * Rows of a table by index: indices [...] (i32 or u32), weight [V, C] → [..., C]. An index outside of 0…V−1 gives a row of NaN: a GPU cannot
 * throw, but no such step goes unnoticed. The gradient sums the rows of each index in a fixed order (equal inputs, equal bits) and is
 * exactly 0 for rows that were not used.
 *
 * @example
 * ```ts
 * const wte = tensor(new Float32Array(455 * 64), { shape: [455, 64], requiresGrad: true });
 * const x = embedding(tokens, wte);    // tokens [B, T] → [B, T, 64]
 * ```
 * @throws DTypeError if the indices are no integers, ShapeError if weight has not two axes.
 */
export function embedding(indices: Tensor, weight: Tensor): Tensor {
  checkIndex("embedding", indices);
  if (weight.rank !== 2) throw new ShapeError(`embedding: expected weight [V, C] but found shape ${format(weight.shape)}`);
  return apply(selectOp, [weight, indices], { axis: 0 });
}
