import { apply } from "../autograd/apply.ts";
import type { GradientContext, Op } from "../autograd/node.ts";
import type { DType } from "../dtype.ts";
import { DTypeError } from "../errors.ts";
import { broadcastShapes } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { launchBinary } from "./elementwise.ts";
import { neg } from "./unary.ts";
import { sumTo } from "./view.ts";

export { eq, ge, gt, le, logicalAnd, logicalOr, lt, ne } from "./compare.ts";

type Binary = (a: Tensor, b: Tensor | number) => Tensor;

/** A number as the second operand travels as an attribute. */
interface Attributes {
  readonly number?: number;
}

/** What tells one binary op from another. */
interface BinaryRule {
  readonly name: string;
  readonly define: string;
  readonly dtypes: readonly DType[];
  /** Slopes times `g`, the gradient of the result, in the result's shape. `b` may be a number; then `byB` is not asked for. */
  readonly byA: (g: Tensor, a: Tensor, b: Tensor | number, y: Tensor) => Tensor;
  readonly byB: (g: Tensor, a: Tensor, b: Tensor, y: Tensor) => Tensor;
}

const numbers: readonly DType[] = ["f32", "i32", "u32"];

function binaryOp({ name, define, dtypes, byA, byB }: BinaryRule): Binary {
  const op: Op<Attributes> = {
    name,
    check(inputs) {
      const [a, b] = inputs as [Tensor, Tensor | undefined];
      checkOperands(name, [a, b], dtypes);
    },
    forward: ([a, b], { number }) => [launchBinary([a!, b ?? number!], { op: name, define })],
    gradient({ inputs, outputs, gradients, needs, attributes }: GradientContext<Attributes>) {
      const [a, b] = inputs as [Tensor, Tensor | undefined];
      const [g, y] = [gradients[0]!, outputs[0]!];
      const da = needs[0] ? sumTo(byA(g, a, b ?? attributes.number!, y), a.shape) : null;
      return b ? [da, needs[1] ? sumTo(byB(g, a, b, y), b.shape) : null] : [da];
    },
  };
  return (a, b) => (typeof b === "number" ? apply(op, [a], { number: b }) : apply(op, [a, b], {}));
}

/** Throws DTypeError unless both operands have one dtype that the op takes, and ShapeError unless they broadcast. */
export function checkOperands(op: string, [a, b]: readonly [Tensor, Tensor | undefined], dtypes: readonly DType[]): void {
  for (const x of b ? [a, b] : [a]) {
    if (!dtypes.includes(x.dtype))
      throw new DTypeError(`${op}: expected ${dtypes.join(" or ")} but found ${x.dtype}; convert with to("${dtypes[0]}")`);
  }
  if (!b) return;
  if (a.dtype !== b.dtype)
    throw new DTypeError(`${op}: expected operands of one dtype but found ${a.dtype} and ${b.dtype}; convert one with to("${a.dtype}")`);
  broadcastShapes(op, a.shape, b.shape);
}
/** a + b. */
export const add: Binary = binaryOp({ name: "add", define: "ADD", dtypes: numbers, byA: (g) => g, byB: (g) => g });

/** a − b. */
export const sub: Binary = binaryOp({ name: "sub", define: "SUB", dtypes: numbers, byA: (g) => g, byB: (g) => neg(g) });

/** a · b. */
export const mul: Binary = binaryOp({
  name: "mul",
  define: "MUL",
  dtypes: numbers,
  byA: (g, _a, b) => mul(g, b),
  byB: (g, a) => mul(g, a),
});

/** a / b. */
export const div: Binary = binaryOp({
  name: "div",
  define: "DIV",
  dtypes: ["f32"],
  byA: (g, _a, b) => div(g, b),
  byB: (g, _a, b, y) => neg(mul(g, div(y, b))),
});

/** The larger of a and b; NaN if either is. Equal ones share the gradient, as in torch. */
export const maximum: Binary = binaryOp({
  name: "maximum",
  define: "MAXIMUM",
  dtypes: numbers,
  byA: (g, a, b) => mul(g, launchBinary([a, b], { op: "maximum", define: "MAXIMUM_SHARE" })),
  byB: (g, a, b) => mul(g, launchBinary([b, a], { op: "maximum", define: "MAXIMUM_SHARE" })),
});

/** The smaller of a and b; NaN if either is. Equal ones share the gradient, as in torch. */
export const minimum: Binary = binaryOp({
  name: "minimum",
  define: "MINIMUM",
  dtypes: numbers,
  byA: (g, a, b) => mul(g, launchBinary([a, b], { op: "minimum", define: "MINIMUM_SHARE" })),
  byB: (g, a, b) => mul(g, launchBinary([b, a], { op: "minimum", define: "MINIMUM_SHARE" })),
});

/**
 * a to the power b, by C's rules: negative bases with integer exponents are right, x⁰ is 1 for every x. The gradient by a is 0 where b is 0,
 * that by b is 0 where a is 0 and b ≥ 0, and NaN where a is negative, as in torch.
 */
export const pow: Binary = binaryOp({
  name: "pow",
  define: "POW",
  dtypes: ["f32"],
  byA: (g, a, b) => mul(g, launchBinary([a, b], { op: "pow", define: "POW_BY_BASE" })),
  byB: (g, a, b) => mul(g, launchBinary([a, b], { op: "pow", define: "POW_BY_EXPONENT" })),
});
