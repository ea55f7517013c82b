import { apply } from "../autograd/apply.ts";
import type { Op } from "../autograd/node.ts";
import type { DType } from "../dtype.ts";
import { Tensor } from "../tensor.ts";
import { clone } from "./copy.ts";
import { launchUnary } from "./elementwise.ts";

/** The conversion of `unary.wgsl` between two dtypes; undefined where the bits stay as they are. */
function conversion(source: DType, target: DType): string | undefined {
  if (source === "f32") return target === "i32" ? "FLOAT_TO_I32" : target === "u32" ? "FLOAT_TO_U32" : "FLOAT_TO_BOOL";
  if (target === "f32") return source === "i32" ? "I32_TO_FLOAT" : "U32_TO_FLOAT";
  return target === "bool" ? "INTEGER_TO_BOOL" : undefined;
}

const castOp: Op<{ dtype: DType }> = {
  name: "cast",
  forward([x], { dtype }) {
    const define = conversion(x!.dtype, dtype);
    if (define) return [launchUnary(x!, { defines: { [define]: true }, dtype })];
    const { device, storage, shape, strides, offset } = clone(x!);
    return [new Tensor(device, storage, { shape, strides, offset, dtype })];
  },
  gradient: null,
};

/**
 * The same values in another dtype. Fractions are cut off, values beyond an integer's range become its nearest end, NaN becomes 0; anything
 * but 0 is true. Between i32 and u32 the bits stay. No gradient: the only dtype that has one is f32.
 */
export function cast(x: Tensor, dtype: DType): Tensor {
  return x.dtype === dtype ? x : apply(castOp, [x], { dtype });
}
