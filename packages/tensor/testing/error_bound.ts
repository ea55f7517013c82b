/**
 * How far an f32 result may lie from the exact one, by derivation. Each bound follows from the roundings that any sensible evaluation
 * makes (Higham, Accuracy and Stability of Numerical Algorithms, chapter 3) and from what WGSL promises about its built-ins
 * (https://www.w3.org/TR/WGSL/#floating-point-accuracy); where it promises nothing useful, from software drivers, measured.
 */
import { map, mapRows, type Nd, zip } from "./nd.ts";
import { abs, matmul, mean, mul, scaledDotProductAttention, softmax, transpose, variance } from "./oracle/mod.ts";

/** The greatest relative error of one rounding to f32. */
export const epsilon: number = 2 ** -24;

/** Below this, results may be flushed to zero. */
const smallest = 2 ** -126;

/** The spacing of f32 numbers around a value. */
export function ulp(value: number): number {
  return 2 ** (Math.floor(Math.log2(Math.max(Math.abs(value), smallest))) - 23);
}

/** The bound on a result of so many roundings, each of a number of at most the magnitude given. */
export function roundingBound(roundings: number, magnitudes: Nd): Nd {
  return map(magnitudes, (magnitude) => roundings * (epsilon * magnitude + smallest));
}

/**
 * The bound on a dot product (or a sum) of a length, in any order of summation: 2 · K · 2⁻²⁴ · Σ |aᵢ bᵢ|.
 *
 * @param magnitudes Σ |aᵢ bᵢ| for each element of the result.
 */
export function dotBound(length: number, magnitudes: Nd): Nd {
  return roundingBound(2 * length, magnitudes);
}

/** Ops of single elements that have a bound. */
export type BoundedElement =
  | "neg"
  | "abs"
  | "sign"
  | "relu"
  | "floor"
  | "ceil"
  | "round"
  | "clamp"
  | "square"
  | "reciprocal"
  | "sqrt"
  | "rsqrt"
  | "exp"
  | "log"
  | "sin"
  | "cos"
  | "tanh"
  | "sigmoid"
  | "silu"
  | "softplus"
  | "erf"
  | "gelu";

/** From the argument `x` and the exact result `y`. */
const elementBounds: Readonly<Record<BoundedElement, (x: number, y: number) => number>> = {
  // exact or rounded once, as IEEE 754 has it; WGSL leaves open which way
  neg: () => 0,
  abs: () => 0,
  sign: () => 0,
  relu: () => 0,
  floor: () => 0,
  ceil: () => 0,
  round: () => 0,
  clamp: () => 0,
  square: (_x, y) => ulp(y),
  // WGSL's own table
  reciprocal: (_x, y) => 2.5 * ulp(y),
  sqrt: (_x, y) => 5 * ulp(y), // may be 1 / inverseSqrt(x)
  rsqrt: (_x, y) => 2 * ulp(y),
  // WGSL allows 3 + 2|x|; lavapipe and SwiftShader err by 3.4 + 2|x| just below 1, where the unit is least for the relative error of their 2ˣ
  exp: (x, y) => (3.5 + 2 * Math.abs(x)) * ulp(y),
  log: (_x, y) => 3 * ulp(y) + 2 ** -21,
  sin: (x) => 2 ** -11 + Math.abs(x) * 2 ** -23, // promised on [−π, π]; beyond, the argument's reduction rounds
  cos: (x) => 2 ** -11 + Math.abs(x) * 2 ** -23,
  // WGSL allows 10⁻⁵; lavapipe errs by 2⁻²² around 0, SwiftShader by 39 ulp
  tanh: (_x, y) => 64 * ulp(y) + 2 ** -21,
  // from their formulas
  sigmoid: (x, y) => (8 + 2 * Math.abs(x)) * ulp(y),
  silu: (x, y) => (9 + 2 * Math.abs(x)) * ulp(y),
  softplus: (_x, y) => 8 * ulp(y) + 2 ** -20,
  erf: () => 2 ** -20, // room for a rational approximation
  gelu: (x, y) => Math.abs(x) * 2 ** -17 + 4 * ulp(y), // x / 2 · (1 + tanh or erf), which cancels for negative x
};

/**
 * The bound on an op of single elements.
 *
 * @param x its argument: exactly what the GPU was given.
 * @param y its exact result, of the same shape.
 * @example
 * ```ts
 * expectClose(await t.gelu().data(), y, elementBound("gelu", x, y));
 * ```
 */
export function elementBound(op: BoundedElement, x: Nd, y: Nd): Nd {
  const bound = elementBounds[op];
  return zip(x, y, (xi, yi) => (Number.isFinite(yi) ? bound(xi, yi) + smallest : 0));
}

/** The bound on `base ** exponent` for base > 0, which WGSL takes as exp2(exponent · log2(base)). */
export function powBound(base: Nd, exponent: Nd): Nd {
  return zip(base, exponent, (b, e) => {
    const log = Math.log2(b);
    const power = e * log;
    const powerError = Math.abs(e) * (3 * ulp(log) + 2 ** -21) + ulp(power);
    return b ** e * (Math.expm1(powerError * Math.LN2) + (3 + 2 * Math.abs(power)) * 2 * epsilon) + smallest;
  });
}

/** The relative error of `exp(x − max)` and of a division by the sum of such, for x below the maximum by `gap`, in rows of a length. */
function softmaxRelative(gap: number, length: number): number {
  // twice exp's (3 + 2 gap) ulp, of which the sum's is an average with weights exp(−gap): gap · exp(−gap) < 1;
  // the rounding of x − max, gap · 2⁻²⁴, which exp makes relative; the sum's; the division's
  return epsilon * (2 * (3 + 2 * gap) + 2 * (3 + 2) + gap + 1 + length + 5);
}

/** The bound on a softmax along an axis. */
export function softmaxBound(x: Nd, { axis = -1 }: { axis?: number } = {}): Nd {
  const relative = mapRows(x, axis, (row) => {
    const max = row.reduce((a, b) => Math.max(a, b), -Infinity);
    return row.map((value) => softmaxRelative(Math.min(max - value, 150), row.length)); // beyond, exp is 0
  });
  return zip(relative, softmax(x, { axis }), (r, p) => r * p + 2 * smallest);
}

/** The bound on a log-softmax along an axis, or, its rows being losses of one class each, on a cross-entropy's element. */
export function logSoftmaxBound(x: Nd, { axis = -1 }: { axis?: number } = {}): Nd {
  return mapRows(x, axis, (row) => {
    const max = row.reduce((a, b) => Math.max(a, b), -Infinity);
    const logSum = Math.log(row.reduce((sum, value) => sum + Math.exp(value - max), 0));
    const logSumError = softmaxRelative(0, row.length) + 3 * ulp(logSum) + 2 ** -21; // a relative error becomes an absolute one
    return row.map((value) => logSumError + 2 * epsilon * (Math.abs(value - max) + logSum) + 2 * epsilon * (Math.abs(max) + logSum));
  });
}

/** The bound on a layer normalisation over the last axis: weight `[C]` and bias `[C]`, 1 and 0 without. */
export function layerNormBound(x: Nd, weight?: Nd, bias?: Nd, { eps = 1e-5 }: { eps?: number } = {}): Nd {
  const length = x.shape.at(-1)!;
  const over = { axis: -1, keepDims: true };
  const center = mean(x, over);
  const size = mean(abs(x), over);
  const inverse = map(variance(x, { ...over, correction: 0 }), (v) => 1 / Math.sqrt(v + eps));
  // the mean's error, 2 C roundings of Σ |x| / C, and those of x − mean
  const centered = zip(x, center, (xi, m) => xi - m);
  const centeredError = zip(
    zip(x, center, (xi, m) => 2 * epsilon * (Math.abs(xi) + Math.abs(m))),
    size,
    (e, s) => e + 2 * epsilon * (length + 1) * s,
  );
  const rowError = mapRows(centeredError, -1, (row) => row.map(() => row.reduce((a, b) => Math.max(a, b), 0)));
  // the variance passes on the row's error and adds its own sum's; it enters by its root
  const relative = map(mul(rowError, inverse), (e) => e + e * e + (length + 8) * epsilon);
  const normalized = mul(centered, inverse);
  const error = zip(mul(centeredError, inverse), mul(abs(normalized), relative), (a, b) => a + b);
  const w = weight === undefined ? map(error, () => 1) : zip(error, weight, (_e, wi) => wi);
  const b = bias === undefined ? map(error, () => 0) : zip(error, bias, (_e, bi) => bi);
  const result = zip(mul(abs(normalized), abs(w)), abs(b), (p, q) => 2 * epsilon * (p + q));
  return zip(mul(error, abs(w)), result, (p, q) => p + q + smallest);
}

/** The bound on attention; see the oracle for shapes and options. */
export function attentionBound(
  q: Nd,
  k: Nd,
  v: Nd,
  { causal = false, scale = 1 / Math.sqrt(q.shape.at(-1)!) }: { causal?: boolean; scale?: number } = {},
): Nd {
  const places = k.shape.at(-2)!;
  // errors of the scores, which exp makes relative errors of the probabilities; the denominator has the greatest of its row's
  const scores = map(matmul(q, transpose(k, -1, -2)), (score) => Math.abs(score * scale));
  const scoreErrors = map(matmul(abs(q), transpose(abs(k), -1, -2)), (s) => 2 * (q.shape.at(-1)! + 1) * epsilon * Math.abs(scale) * s);
  const greatest = (x: Nd) => mapRows(x, -1, (row) => [row.reduce((a, b) => Math.max(a, b), 0)]);
  const gaps = greatest(scores);
  const relative = zip(
    greatest(scoreErrors),
    gaps,
    (e, gap) => 2 * e + softmaxRelative(Math.min(2 * gap, 150), places) + 2 * places * epsilon,
  );
  const magnitudes = scaledDotProductAttention(q, k, abs(v), { causal, scale });
  const values = greatest(map(v, Math.abs)).data.reduce((a, b) => Math.max(a, b), 0);
  return zip(magnitudes, relative, (m, r) => r * m + 2 * places * smallest * (1 + values));
}
