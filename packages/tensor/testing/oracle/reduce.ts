/** Oracles of the ops that turn many elements into one, and of the running sum. */
import { countOf, frontAxis, map, mapRows, type Nd, nd } from "../nd.ts";
import { permute } from "./shape.ts";

/** Over which axes to reduce (all without), and whether they stay with size 1. */
export interface ReduceOptions {
  axis?: number | readonly number[];
  keepDims?: boolean;
}

/** One number from each group of elements that differ only along the axes. The group is in row-major order. */
function reduce(x: Nd, { axis, keepDims = false }: ReduceOptions, f: (group: Float64Array) => number): Nd {
  const rank = x.shape.length;
  const axes = axis === undefined ? x.shape.map((_, i) => i) : [axis].flat().map((a) => frontAxis(a as number, rank));
  axes.sort((a, b) => a - b);
  const kept = x.shape.map((_, i) => i).filter((i) => !axes.includes(i));
  const sizes = kept.map((i) => x.shape[i]!);
  const groups = nd([...sizes, countOf(axes.map((i) => x.shape[i]!))], permute(x, [...kept, ...axes]).data);
  const result = mapRows(groups, -1, (group) => [f(group)]);
  return nd(keepDims ? x.shape.map((size, i) => (axes.includes(i) ? 1 : size)) : sizes, result.data);
}

function total(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}

function meanSquareDeviation(values: Float64Array, correction: number): number {
  const mean = total(values) / values.length;
  return total(values.map((v) => (v - mean) ** 2)) / Math.max(0, values.length - correction);
}

/** log Σ exp of a row, shifted by its maximum so that nothing overflows. */
function logSumExp(values: Float64Array): number {
  const max = greatest(values);
  return Math.abs(max) === Infinity ? max : max + Math.log(total(values.map((v) => Math.exp(v - max))));
}

function greatest(values: Float64Array): number {
  return values.reduce((a, b) => Math.max(a, b), -Infinity); // NaN if any is
}

/** Place of the first greatest value; NaN is greater than all others. */
function firstGreatest(values: Float64Array): number {
  let best = 0;
  for (let i = 1; i < values.length && !Number.isNaN(values[best]!); i++) {
    if (values[i]! > values[best]! || Number.isNaN(values[i]!)) best = i;
  }
  return best;
}

export const sum = (x: Nd, options: ReduceOptions = {}): Nd => reduce(x, options, total);
export const mean = (x: Nd, options: ReduceOptions = {}): Nd => reduce(x, options, (group) => total(group) / group.length);
export const prod = (x: Nd, options: ReduceOptions = {}): Nd => reduce(x, options, (group) => group.reduce((a, b) => a * b, 1));
export const max = (x: Nd, options: ReduceOptions = {}): Nd => reduce(x, options, greatest);
export const min = (x: Nd, options: ReduceOptions = {}): Nd => reduce(x, options, (group) => -greatest(group.map((v) => -v)));
export const logsumexp = (x: Nd, options: ReduceOptions = {}): Nd => reduce(x, options, logSumExp);

/** Σ (x − mean)² / (N − correction). */
export function variance(x: Nd, { correction = 1, ...options }: ReduceOptions & { correction?: number } = {}): Nd {
  return reduce(x, options, (group) => meanSquareDeviation(group, correction));
}

/** The square root of {@linkcode variance}. */
export function std(x: Nd, options: ReduceOptions & { correction?: number } = {}): Nd {
  return map(variance(x, options), Math.sqrt);
}

/** (Σ |x|ᵖ)^(1/p), for p = ∞ the greatest |x|. */
export function norm(x: Nd, { p = 2, ...options }: ReduceOptions & { p?: number } = {}): Nd {
  if (p === Infinity) return reduce(x, options, (group) => greatest(group.map(Math.abs)));
  return reduce(x, options, (group) => total(group.map((v) => Math.abs(v) ** p)) ** (1 / p));
}

/** Places of the first greatest values; without an axis, the place in row-major order. */
export function argmax(x: Nd, options: { axis?: number; keepDims?: boolean } = {}): Nd {
  return reduce(x, options, firstGreatest);
}

/** Places of the first least values; without an axis, the place in row-major order. */
export function argmin(x: Nd, options: { axis?: number; keepDims?: boolean } = {}): Nd {
  return reduce(x, options, (group) => firstGreatest(group.map((v) => -v)));
}

/** Element i along the axis is the sum of elements 0 … i. */
export function cumsum(x: Nd, { axis = -1 }: { axis?: number } = {}): Nd {
  return mapRows(x, axis, (row) => {
    let running = 0;
    return row.map((value) => {
      running += value;
      return running;
    });
  });
}
