import { apply } from "../../autograd/apply.ts";
import type { Op } from "../../autograd/node.ts";
import type { Tensor } from "../../tensor.ts";
import { COMBINE, expectFloat, fold, MAP, type ReduceOptions, reducedShape } from "./fold.ts";
import { elementGradient, KIND, spread } from "./gradient.ts";

const sumOp: Op<ReduceOptions> = {
  name: "sum",
  forward([x], options) {
    const shape = reducedShape(x!.shape, options);
    if (x!.dtype === "f32") return [fold(x!, shape, { combine: COMBINE.add })];
    return [fold(x!, shape, { combine: COMBINE.addIntegers, dtype: x!.dtype === "bool" ? "i32" : x!.dtype })];
  },
  gradient: ({ inputs: [x], attributes, gradients }) => [spread(gradients[0]!, x!, attributes)],
};

/**
 * Sum over axes, of f32, i32, u32 or bool (which counts). Floats are added pairwise: the rounding error grows with the logarithm of how
 * many there are.
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
  check: expectFloat("mean"),
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

const prodOp: Op<ReduceOptions> = {
  name: "prod",
  check: expectFloat("prod"),
  forward: ([x], options) => [fold(x!, reducedShape(x!.shape, options), { combine: COMBINE.multiply })],
  /** The product of the other elements: with one zero among them only it has a gradient, with two nothing has. */
  gradient({ inputs: [x], attributes: options, gradients }) {
    const shape = reducedShape(x!.shape, options);
    const y = fold(x!, shape, { map: MAP.zeroAsOne, combine: COMBINE.multiply });
    const extra = fold(x!, shape, { map: MAP.isZero, combine: COMBINE.addIntegers, dtype: "u32" });
    return [elementGradient(KIND.product, x!, { options, gradient: gradients[0]!, y, extra })];
  },
};

/** Product over axes; 1 over no elements. */
export function prod(x: Tensor, options: ReduceOptions = {}): Tensor {
  return apply(prodOp, [x], options);
}
