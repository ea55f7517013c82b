import { apply } from "../autograd/apply.ts";
import type { Op } from "../autograd/node.ts";
import { DTypeError, ShapeError } from "../errors.ts";
import { broadcastShapes, format } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { add } from "./binary.ts";
import { dense } from "./copy.ts";
import { checkIndex, indexSum, pick, selectOp } from "./index_select.ts";
import { rowsOf } from "./rows.ts";
import { segmentAndPeriodicSum } from "./segments.ts";
import { reshape, sumTo } from "./view.ts";

/** Options of {@link embedding}. */
export interface EmbeddingOptions {
  /** Added to the rows, f32 of any shape that broadcasts to the result's: positions `[T, C]` to tokens `[B, T, C]` in one kernel. */
  readonly plus?: Tensor;
}

/** Rows of a table by index, and what is added to them: table [V, C], index [.., T], plus [T, C]. */
const embeddingOp: Op<object> = {
  name: "embedding",
  forward: ([table, index, plus]) => [pick(table!, index!, { axis: 0, shape: [...index!.shape, table!.shape[1]!], plus: rowsOf(plus!) })],
  gradient({ inputs: [table, index, plus], gradients: [g], needs }) {
    const [size, inner] = table!.shape as [number, number];
    if (needs[0] && needs[2] && plus!.size === index!.shape.at(-1)! * inner) {
      const both = segmentAndPeriodicSum({ index: dense(index!), source: dense(g!), outer: 1, inner, vocab: size });
      if (both) return [reshape(both.sums, [size, inner]), null, reshape(both.periodic, plus!.shape)];
    }
    return [needs[0] ? indexSum(index!, g!, { axis: 0, size }) : null, null, needs[2] ? sumTo(g!, plus!.shape) : null];
  },
};

/**
 * Rows of a table by index: indices [...] (i32 or u32), weight [V, C] → [..., C]. An index outside of 0…V−1 gives a row of NaN: a GPU cannot
 * throw, but no such step goes unnoticed. The gradient sums the rows of each index in a fixed order (equal inputs, equal bits) and is
 * exactly 0 for rows that were not used.
 *
 * @example
 * ```ts
 * const wte = tensor(new Float32Array(455 * 64), { shape: [455, 64], requiresGrad: true });
 * const x = embedding(tokens, wte);                     // tokens [B, T] → [B, T, 64]
 * const y = embedding(tokens, wte, { plus: positions }); // positions [T, 64] or [1, T, 64]: the same, and their sum
 * ```
 * @throws DTypeError if the indices are no integers, ShapeError if weight has not two axes or `plus` does not fit.
 */
export function embedding(indices: Tensor, weight: Tensor, { plus }: EmbeddingOptions = {}): Tensor {
  checkIndex("embedding", indices);
  if (weight.rank !== 2) throw new ShapeError(`embedding: expected weight [V, C] but found shape ${format(weight.shape)}`);
  const shape = [...indices.shape, weight.shape[1]!];
  if (!plus) return apply(selectOp, [weight, indices], { axis: 0 });
  for (const t of [weight, plus]) if (t.dtype !== "f32") throw new DTypeError(`embedding: expected f32 to add up but found ${t.dtype}`);
  if (format(broadcastShapes("embedding", shape, plus.shape)) !== format(shape))
    throw new ShapeError(`embedding: expected plus to fit ${format(shape)} but found ${format(plus.shape)}`);
  return isPeriodic(plus, shape) ? apply(embeddingOp, [weight, indices, plus], {}) : add(embedding(indices, weight), plus);
}

/** Whether the rows of the result take those of `plus` in turn: all its axes are the result's last ones, but for leading 1s. */
function isPeriodic(plus: Tensor, shape: readonly number[]): boolean {
  const own = plus.shape.slice(plus.shape.findIndex((n) => n !== 1));
  return plus.size > 1 && own.length <= shape.length && format(own) === format(shape.slice(-own.length));
}
