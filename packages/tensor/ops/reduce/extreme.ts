import { apply } from "../../autograd/apply.ts";
import type { Op } from "../../autograd/node.ts";
import { ShapeError } from "../../errors.ts";
import { format } from "../../shape.ts";
import type { Tensor } from "../../tensor.ts";
import { COMBINE, FINISH, fold, MAP, ORDER, orderOf, type ReduceOptions, reducedShape } from "./fold.ts";
import { elementGradient, KIND } from "./gradient.ts";

/** There is no greatest of no elements. */
function expectElements(name: string): (inputs: readonly Tensor[], options: ReduceOptions) => void {
  return ([x], options) => {
    if (reducedShape(x!.shape, options).length === 0)
      throw new ShapeError(`${name}: expected at least one element to reduce but found shape ${format(x!.shape)}`);
  };
}

function extremeOp(name: string, end: number): Op<ReduceOptions> {
  return {
    name,
    check: expectElements(name),
    forward([x], options) {
      const order = orderOf(x!.dtype) | end;
      return [fold(x!, reducedShape(x!.shape, options), { map: MAP.key, combine: COMBINE.max, finish: FINISH.value, order })];
    },
    gradient({ inputs: [x], outputs: [y], attributes: options, gradients }) {
      const how = { map: MAP.equals, combine: COMBINE.addIntegers, reference: y, dtype: "u32" } as const;
      const extra = fold(x!, reducedShape(x!.shape, options), how);
      return [elementGradient(KIND.extreme, x!, { options, gradient: gradients[0]!, y, extra })];
    },
  };
}

const amaxOp = extremeOp("amax", 0);
const aminOp = extremeOp("amin", ORDER.least);

/** Greatest value over axes, NaN if there is one; equal ones share the gradient. @throws ShapeError over no elements. */
export function amax(x: Tensor, options: ReduceOptions = {}): Tensor {
  return apply(amaxOp, [x], options);
}

/** Least value over axes, NaN if there is one; equal ones share the gradient. @throws ShapeError over no elements. */
export function amin(x: Tensor, options: ReduceOptions = {}): Tensor {
  return apply(aminOp, [x], options);
}

/** Options of {@link argmax} and {@link argmin}. */
export interface ArgOptions {
  /** Default: all axes, and the place is that in row-major order. */
  readonly axis?: number;
  readonly keepDims?: boolean;
}

/** The best key first, then the first place that has it. */
function placeOp(name: string, end: number): Op<ArgOptions> {
  return {
    name,
    check: expectElements(name),
    forward([x], options) {
      const shape = reducedShape(x!.shape, options);
      const order = orderOf(x!.dtype) | end;
      const reference = fold(x!, shape, { map: MAP.key, combine: COMBINE.max, order, dtype: "u32" });
      return [fold(x!, shape, { map: MAP.place, combine: COMBINE.max, finish: FINISH.invert, order, reference, dtype: "i32" })];
    },
    gradient: null,
  };
}

const argmaxOp = placeOp("argmax", 0);
const argminOp = placeOp("argmin", ORDER.least);

/** Place of the greatest value, the first of equal ones, as i32; NaN counts as greatest. @throws ShapeError over no elements. */
export function argmax(x: Tensor, options: ArgOptions = {}): Tensor {
  return apply(argmaxOp, [x], options);
}

/** Place of the least value, the first of equal ones, as i32; NaN counts as least. @throws ShapeError over no elements. */
export function argmin(x: Tensor, options: ArgOptions = {}): Tensor {
  return apply(argminOp, [x], options);
}
