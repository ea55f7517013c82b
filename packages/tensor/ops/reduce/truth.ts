import { apply } from "../../autograd/apply.ts";
import type { Op } from "../../autograd/node.ts";
import type { Tensor } from "../../tensor.ts";
import { COMBINE, FINISH, fold, MAP, ORDER, orderOf, type ReduceOptions, reducedShape } from "./fold.ts";

const anyOp: Op<ReduceOptions> = {
  name: "any",
  forward([x], options) {
    const order = orderOf(x!.dtype);
    return [fold(x!, reducedShape(x!.shape, options), { map: MAP.truth, combine: COMBINE.max, order, dtype: "bool" })];
  },
  gradient: null,
};

/** Whether any element is not zero (NaN is not), as bool; false over no elements. */
export function any(x: Tensor, options: ReduceOptions = {}): Tensor {
  return apply(anyOp, [x], options);
}

/** All are true if none is false. */
const allOp: Op<ReduceOptions> = {
  name: "all",
  forward([x], options) {
    const order = orderOf(x!.dtype) | ORDER.least;
    const how = { map: MAP.truth, combine: COMBINE.max, finish: FINISH.not, order, dtype: "bool" } as const;
    return [fold(x!, reducedShape(x!.shape, options), how)];
  },
  gradient: null,
};

/** Whether no element is zero, as bool; true over no elements. */
export function all(x: Tensor, options: ReduceOptions = {}): Tensor {
  return apply(allOp, [x], options);
}

const countOp: Op<ReduceOptions> = {
  name: "countNonzero",
  forward([x], options) {
    const order = orderOf(x!.dtype);
    return [fold(x!, reducedShape(x!.shape, options), { map: MAP.truth, combine: COMBINE.addIntegers, order, dtype: "i32" })];
  },
  gradient: null,
};

/** How many elements are not zero (NaN is not), as i32: torch's `count_nonzero`. */
export function countNonzero(x: Tensor, options: ReduceOptions = {}): Tensor {
  return apply(countOp, [x], options);
}
