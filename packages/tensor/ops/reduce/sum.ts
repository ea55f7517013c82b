import { apply } from "../../autograd/apply.ts";
import type { Op } from "../../autograd/node.ts";
import { DTypeError } from "../../errors.ts";
import type { Tensor } from "../../tensor.ts";
import { expand, reshape } from "../view.ts";
import { COMBINE, fold, type ReduceOptions, reducedShape } from "./fold.ts";

/** A gradient of a reduction's result, repeated along the axes that were reduced. A view. */
export function spread(gradient: Tensor, x: Tensor, options: ReduceOptions): Tensor {
  return expand(reshape(gradient, reducedShape(x.shape, { ...options, keepDims: true }).shape), x.shape);
}

const sumOp: Op<ReduceOptions> = {
  name: "sum",
  forward([x], options) {
    const shape = reducedShape(x!.shape, options);
    if (x!.dtype === "f32") return [fold(x!, shape, { combine: COMBINE.add })];
    return [fold(x!, shape, { combine: COMBINE.addIntegers, dtype: x!.dtype === "bool" ? "i32" : x!.dtype })];
  },
  gradient: ({ inputs, attributes, gradients }) => [spread(gradients[0]!, inputs[0]!, attributes)],
};

/**
 * Sum over axes, of f32, i32, u32 or bool (which counts). Added pairwise: the rounding error grows with the logarithm of the number of
 * elements.
 *
 * @example
 * ```ts
 * x.sum();                             // everything
 * x.sum({ axis: -1, keepDims: true }); // [B, T, C] → [B, T, 1]
 * ```
 */
export function sum(x: Tensor, options: ReduceOptions = {}): Tensor {
  return apply(sumOp, [x], options);
}

const meanOp: Op<ReduceOptions> = {
  name: "mean",
  check([x]) {
    if (x!.dtype !== "f32") throw new DTypeError(`mean: expected an f32 tensor but found ${x!.dtype}`);
  },
  forward([x], options) {
    const shape = reducedShape(x!.shape, options);
    return [fold(x!, shape, { combine: COMBINE.add, scale: 1 / shape.length })];
  },
  gradient({ inputs: [x], attributes, gradients }) {
    return [spread(gradients[0]!.mul(1 / reducedShape(x!.shape, attributes).length), x!, attributes)];
  },
};

/** Mean over axes; NaN over no elements. */
export function mean(x: Tensor, options: ReduceOptions = {}): Tensor {
  return apply(meanOp, [x], options);
}
