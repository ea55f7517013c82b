import { apply } from "../../autograd/apply.ts";
import type { Op } from "../../autograd/node.ts";
import type { Tensor } from "../../tensor.ts";
import { COMBINE, expectFloat, FINISH, fold, MAP, type ReduceOptions, reducedShape } from "./fold.ts";
import { elementGradient, KIND } from "./gradient.ts";

const logsumexpOp: Op<ReduceOptions> = {
  name: "logsumexp",
  check: expectFloat("logsumexp"),
  forward([x], options) {
    const shape = reducedShape(x!.shape, options);
    const greatest = fold(x!, shape, { map: MAP.key, combine: COMBINE.max, finish: FINISH.value });
    return [fold(x!, shape, { map: MAP.exp, combine: COMBINE.add, finish: FINISH.log, reference: greatest })];
  },
  gradient({ inputs: [x], outputs: [y], attributes: options, gradients }) {
    return [elementGradient(KIND.logsumexp, x!, { options, gradient: gradients[0]!, y })];
  },
};

/** log Σ exp(x) over axes, shifted by the greatest value so that nothing overflows; −∞ over no elements or where all are −∞. */
export function logsumexp(x: Tensor, options: ReduceOptions = {}): Tensor {
  return apply(logsumexpOp, [x], options);
}
