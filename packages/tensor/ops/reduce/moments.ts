import { apply } from "../../autograd/apply.ts";
import type { Op } from "../../autograd/node.ts";
import type { Tensor } from "../../tensor.ts";
import { COMBINE, expectFloat, FINISH, fold, MAP, type ReduceOptions, reducedShape } from "./fold.ts";
import { elementGradient, KIND } from "./gradient.ts";

/** Options of {@link variance} and {@link std}. */
export interface VarianceOptions extends ReduceOptions {
  /** Subtracted from the number of elements in the divisor; default 1 (a sample's), 0 for a population's. */
  readonly correction?: number;
}

/** 1 / (N − correction), infinite where too few elements are there, as torch has it. */
function scaleOf(length: number, { correction = 1 }: VarianceOptions): number {
  return 1 / Math.max(0, length - correction);
}

/** Two passes, mean first: Σx² − (Σx)² would cancel. Returns the result and the mean, which the gradient wants. */
function deviation(x: Tensor, options: VarianceOptions, finish: number): Tensor[] {
  const shape = reducedShape(x.shape, options);
  const mean = fold(x, shape, { combine: COMBINE.add, scale: 1 / shape.length });
  const scale = scaleOf(shape.length, options);
  return [fold(x, shape, { map: MAP.squaredDeviation, combine: COMBINE.add, finish, scale, reference: mean }), mean];
}

const varianceOp: Op<VarianceOptions> = {
  name: "var",
  check: expectFloat("var"),
  forward: ([x], options) => deviation(x!, options, FINISH.scale),
  gradient({ inputs: [x], outputs: [y, mean], attributes: options, gradients }) {
    const scale = 2 * scaleOf(reducedShape(x!.shape, options).length, options);
    return [elementGradient(KIND.variance, x!, { options, gradient: gradients[0]!, y, extra: mean, scale })];
  },
};

/** Variance over axes: Σ (x − mean)² / (N − correction). */
export function variance(x: Tensor, options: VarianceOptions = {}): Tensor {
  return apply(varianceOp, [x], options);
}

const stdOp: Op<VarianceOptions> = {
  name: "std",
  check: expectFloat("std"),
  forward: ([x], options) => deviation(x!, options, FINISH.sqrt),
  gradient({ inputs: [x], outputs: [y, mean], attributes: options, gradients }) {
    const scale = scaleOf(reducedShape(x!.shape, options).length, options);
    return [elementGradient(KIND.std, x!, { options, gradient: gradients[0]!, y, extra: mean, scale })];
  },
};

/** Standard deviation over axes, the root of {@link variance}. Where it is 0 the gradient is taken as 0. */
export function std(x: Tensor, options: VarianceOptions = {}): Tensor {
  return apply(stdOp, [x], options);
}
