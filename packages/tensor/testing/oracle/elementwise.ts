/** Oracles of the ops that treat every element by itself. Shapes broadcast; comparisons give 0 or 1. */
import { broadcastShape, broadcastTo, map, type Nd, zip } from "../nd.ts";

type Unary = (x: Nd) => Nd;
type Binary = (a: Nd, b: Nd) => Nd;

export const neg: Unary = (x) => map(x, (v) => -v);
export const exp: Unary = (x) => map(x, Math.exp);
export const log: Unary = (x) => map(x, Math.log);
export const sqrt: Unary = (x) => map(x, Math.sqrt);
export const rsqrt: Unary = (x) => map(x, (v) => 1 / Math.sqrt(v));
export const abs: Unary = (x) => map(x, Math.abs);
export const sign: Unary = (x) => map(x, Math.sign);
export const square: Unary = (x) => map(x, (v) => v * v);
export const reciprocal: Unary = (x) => map(x, (v) => 1 / v);
export const sin: Unary = (x) => map(x, Math.sin);
export const cos: Unary = (x) => map(x, Math.cos);
export const tanh: Unary = (x) => map(x, Math.tanh);
export const sigmoid: Unary = (x) => map(x, logistic);
export const relu: Unary = (x) => map(x, (v) => Math.max(v, 0)); // NaN stays NaN
export const silu: Unary = (x) => map(x, (v) => v * logistic(v));
export const softplus: Unary = (x) => map(x, (v) => Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v))));
export const erf: Unary = (x) => map(x, errorFunction);
export const floor: Unary = (x) => map(x, Math.floor);
export const ceil: Unary = (x) => map(x, Math.ceil);
/** Halves go to the even neighbour, as in IEEE 754. */
export const round: Unary = (x) => map(x, roundHalfToEven);

export const add: Binary = (a, b) => zip(a, b, (p, q) => p + q);
export const sub: Binary = (a, b) => zip(a, b, (p, q) => p - q);
export const mul: Binary = (a, b) => zip(a, b, (p, q) => p * q);
export const div: Binary = (a, b) => zip(a, b, (p, q) => p / q);
export const pow: Binary = (a, b) => zip(a, b, (p, q) => p ** q);
export const maximum: Binary = (a, b) => zip(a, b, Math.max); // NaN if either is
export const minimum: Binary = (a, b) => zip(a, b, Math.min);

export const eq: Binary = (a, b) => zip(a, b, (p, q) => Number(p === q));
export const ne: Binary = (a, b) => zip(a, b, (p, q) => Number(p !== q));
export const lt: Binary = (a, b) => zip(a, b, (p, q) => Number(p < q));
export const le: Binary = (a, b) => zip(a, b, (p, q) => Number(p <= q));
export const gt: Binary = (a, b) => zip(a, b, (p, q) => Number(p > q));
export const ge: Binary = (a, b) => zip(a, b, (p, q) => Number(p >= q));

/**
 * x Φ(x) with the normal distribution Φ (Hendrycks and Gimpel, arXiv 1606.08415), or the approximation by tanh of their section 2,
 * which GPT-2 uses.
 */
export function gelu(x: Nd, { approximate = "none" }: { approximate?: "none" | "tanh" } = {}): Nd {
  if (approximate === "none") return map(x, (v) => (v / 2) * (1 + errorFunction(v / Math.SQRT2)));
  return map(x, (v) => (v / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3))));
}

/** Elements held between bounds; where they cross, `max` wins. */
export function clamp(x: Nd, { min = -Infinity, max = Infinity }: { min?: number; max?: number }): Nd {
  return map(x, (v) => Math.min(Math.max(v, min), max));
}

/** Elements of `a` where the condition is not 0, else of `b`. All three broadcast. */
export function where(condition: Nd, a: Nd, b: Nd): Nd {
  const shape = broadcastShape(condition.shape, a.shape, b.shape);
  const [c, p, q] = [condition, a, b].map((x) => broadcastTo(x, shape).data) as [Float64Array, Float64Array, Float64Array];
  return { shape, data: c.map((value, i) => (value !== 0 ? p[i]! : q[i]!)) };
}

/** Elements of `x`, but `value` where the mask is not 0. */
export function maskedFill(x: Nd, mask: Nd, value: number): Nd {
  return zip(x, mask, (v, masked) => (masked !== 0 ? value : v));
}

function logistic(v: number): number {
  return 1 / (1 + Math.exp(-v));
}

/** erf by its series with positive terms only (DLMF 7.6.2), which loses no digits; from 6 on it is 1 in float64. */
function errorFunction(v: number): number {
  if (!(Math.abs(v) <= 6)) return Math.sign(v); // also NaN
  let term = v;
  let sum = 0;
  for (let n = 0; sum + term !== sum; n++) {
    sum += term;
    term *= (2 * v * v) / (2 * n + 3);
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-v * v) * sum;
}

function roundHalfToEven(v: number): number {
  const below = Math.floor(v);
  if (v - below !== 0.5) return Math.round(v);
  return below % 2 === 0 ? below : below + 1;
}
