import { apply } from "../autograd/apply.ts";
import type { Op } from "../autograd/node.ts";
import type { DType } from "../dtype.ts";
import type { Tensor } from "../tensor.ts";
import { checkOperands } from "./binary.ts";
import { launchBinary } from "./elementwise.ts";

type Compare = (a: Tensor, b: Tensor | number) => Tensor;

const ordered: readonly DType[] = ["f32", "i32", "u32"];
const every: readonly DType[] = ["f32", "i32", "u32", "bool"];

function compareOp(name: string, define: string, dtypes: readonly DType[]): Compare {
  const op: Op<{ number?: number }> = {
    name,
    check: ([a, b]) => checkOperands(name, [a!, b], dtypes),
    forward: ([a, b], { number }) => [launchBinary([a!, b ?? number!], { op: name, define, dtype: "bool" })],
    gradient: null,
  };
  return (a, b) => (typeof b === "number" ? apply(op, [a], { number: b }) : apply(op, [a, b], {}));
}

/** True where a = b. NaN equals nothing. */
export const eq: Compare = compareOp("eq", "EQ", every);

/** True where a ≠ b. */
export const ne: Compare = compareOp("ne", "NE", every);

/** True where a < b. */
export const lt: Compare = compareOp("lt", "LT", ordered);

/** True where a ≤ b. */
export const le: Compare = compareOp("le", "LE", ordered);

/** True where a > b. */
export const gt: Compare = compareOp("gt", "GT", ordered);

/** True where a ≥ b. */
export const ge: Compare = compareOp("ge", "GE", ordered);

/** True where both are true, or not 0. */
export const logicalAnd: Compare = compareOp("logicalAnd", "LOGICAL_AND", every);

/** True where one is true, or not 0. */
export const logicalOr: Compare = compareOp("logicalOr", "LOGICAL_OR", every);
