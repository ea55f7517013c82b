import { apply } from "../../autograd/apply.ts";
import type { Op } from "../../autograd/node.ts";
import { TensorError } from "../../errors.ts";
import type { Tensor } from "../../tensor.ts";
import { COMBINE, expectFloat, FINISH, fold, MAP, ORDER, type ReduceOptions, reducedShape } from "./fold.ts";
import { elementGradient, KIND } from "./gradient.ts";

/** Options of {@link norm}. */
export interface NormOptions extends ReduceOptions {
  /** 1, 2 (default) or Infinity. */
  readonly p?: number;
}

const normOp: Op<NormOptions> = {
  name: "norm",
  check(inputs, { p = 2 }) {
    expectFloat("norm")(inputs);
    if (p !== 1 && p !== 2 && p !== Number.POSITIVE_INFINITY) throw new TensorError(`norm: expected p = 1, 2 or Infinity but found ${p}`);
  },
  forward([x], options) {
    const shape = reducedShape(x!.shape, options);
    if (options.p === 1) return [fold(x!, shape, { map: MAP.abs, combine: COMBINE.add })];
    if (options.p === Number.POSITIVE_INFINITY)
      return [fold(x!, shape, { map: MAP.key, combine: COMBINE.max, finish: FINISH.value, order: ORDER.abs })];
    return [fold(x!, shape, { map: MAP.square, combine: COMBINE.add, finish: FINISH.sqrt })];
  },
  gradient({ inputs: [x], outputs: [y], attributes: options, gradients }) {
    const terms = { options, gradient: gradients[0]!, y };
    if (options.p === 1) return [elementGradient(KIND.norm1, x!, terms)];
    if (options.p !== Number.POSITIVE_INFINITY) return [elementGradient(KIND.norm2, x!, terms)];
    const extra = fold(x!, reducedShape(x!.shape, options), {
      map: MAP.equals,
      combine: COMBINE.addIntegers,
      order: ORDER.abs,
      reference: y,
      dtype: "u32",
    });
    return [elementGradient(KIND.normMax, x!, { ...terms, extra })];
  },
};

/**
 * p-norm over axes, (Σ |x|ᵖ)^(1/p). The gradient of a vector of zeros is zeros, and equal greatest values share that of the ∞-norm.
 * @throws TensorError for another p than 1, 2 and Infinity.
 */
export function norm(x: Tensor, options: NormOptions = {}): Tensor {
  return apply(normOp, [x], options);
}
