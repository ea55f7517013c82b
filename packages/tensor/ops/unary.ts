import { apply } from "../autograd/apply.ts";
import type { Op } from "../autograd/node.ts";
import type { Tensor } from "../tensor.ts";
import { div, mul } from "./binary.ts";
import { bitsOf, definesFor, expectDType, launchUnary, launchUnaryGradient, unaryOp } from "./elementwise.ts";

export { gelu, relu, sigmoid, silu, softplus } from "./activation.ts";
export { cast } from "./cast.ts";

type Unary = (x: Tensor) => Tensor;

/** The gradient of functions that are flat almost everywhere. */
const flat = { gradient: ({ inputs }: { inputs: readonly Tensor[] }): Tensor[] => [inputs[0]!.zerosLike()] };

/** −x. */
export const neg: Unary = unaryOp({
  name: "neg",
  define: "NEG",
  dtypes: ["f32", "i32"],
  gradient: ({ gradients }) => [neg(gradients[0]!)],
});

/** eˣ. */
export const exp: Unary = unaryOp({ name: "exp", define: "EXP", gradient: ({ outputs, gradients }) => [mul(gradients[0]!, outputs[0]!)] });

/** The natural logarithm: −∞ of 0, NaN of negative numbers. */
export const log: Unary = unaryOp({ name: "log", define: "LOG", gradient: ({ inputs, gradients }) => [div(gradients[0]!, inputs[0]!)] });

/** √x. */
export const sqrt: Unary = unaryOp({ name: "sqrt", define: "SQRT", saves: "output" });

/** 1/√x. */
export const rsqrt: Unary = unaryOp({ name: "rsqrt", define: "RSQRT", saves: "output" });

/** |x|; its gradient at 0 is 0. */
export const abs: Unary = unaryOp({ name: "abs", define: "ABS", dtypes: ["f32", "i32"] });

/** −1, 0 or 1; NaN gives 0. */
export const sign: Unary = unaryOp({ name: "sign", define: "SIGN", dtypes: ["f32", "i32"], ...flat });

/** x². */
export const square: Unary = unaryOp({ name: "square", define: "SQUARE", dtypes: ["f32", "i32", "u32"] });

/** 1/x. */
export const reciprocal: Unary = unaryOp({ name: "reciprocal", define: "RECIPROCAL", saves: "output" });

/** Sine of radians. */
export const sin: Unary = unaryOp({ name: "sin", define: "SIN" });

/** Cosine of radians. */
export const cos: Unary = unaryOp({ name: "cos", define: "COS" });

/** The hyperbolic tangent. */
export const tanh: Unary = unaryOp({ name: "tanh", define: "TANH", saves: "output" });

/** The error function, 2/√π ∫₀ˣ e^(−t²) dt. */
export const erf: Unary = unaryOp({ name: "erf", define: "ERF" });

/** The largest integer not above x. */
export const floor: Unary = unaryOp({ name: "floor", define: "FLOOR", ...flat });

/** The smallest integer not below x. */
export const ceil: Unary = unaryOp({ name: "ceil", define: "CEIL", ...flat });

/** The nearest integer; halves go to the even one, as in torch. */
export const round: Unary = unaryOp({ name: "round", define: "ROUND", ...flat });

/** True where x is NaN. */
export const isNan: Unary = unaryOp({ name: "isNan", define: "IS_NAN", result: "bool", gradient: null });

/** True where x is 0 or false. */
export const logicalNot: Unary = unaryOp({
  name: "logicalNot",
  define: "LOGICAL_NOT",
  dtypes: ["bool", "f32", "i32", "u32"],
  result: "bool",
  gradient: null,
});

interface Limits {
  readonly min?: number;
  readonly max?: number;
}

const widest = { f32: [-Infinity, Infinity], i32: [-(2 ** 31), 2 ** 31 - 1], u32: [0, 2 ** 32 - 1], bool: [0, 1] } as const;

/** Limits as the kernel wants them. */
function limitBits(x: Tensor, { min, max }: Limits): { low: number; high: number } {
  const [least, most] = widest[x.dtype];
  return { low: bitsOf(min ?? least, x.dtype, "clamp"), high: bitsOf(max ?? most, x.dtype, "clamp") };
}

const clampOp: Op<Limits> = {
  name: "clamp",
  check: ([x]) => expectDType("clamp", x!, ["f32", "i32", "u32"]),
  forward: ([x], limits) => [launchUnary(x!, { defines: definesFor("CLAMP", x!.dtype), limits: limitBits(x!, limits) })],
  gradient({ inputs: [x], gradients, attributes }) {
    return [launchUnaryGradient(gradients[0]!, x!, { defines: { CLAMP: true }, limits: limitBits(x!, attributes) })];
  },
};

/** x held between `min` and `max`, either of which may be missing; where they cross, `max` wins. NaN stays NaN. */
export function clamp(x: Tensor, limits: Limits): Tensor {
  return apply(clampOp, [x], limits);
}
