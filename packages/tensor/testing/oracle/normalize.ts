/** Oracles of softmax and layer normalisation. */
import { at, build, mapRows, type Nd } from "../nd.ts";

/** exp(x) / Σ exp(x) along an axis. */
export function softmax(x: Nd, { axis = -1 }: { axis?: number } = {}): Nd {
  return mapRows(x, axis, (row) => {
    const max = row.reduce((a, b) => Math.max(a, b), -Infinity);
    const powers = row.map((v) => Math.exp(v - max));
    const sum = powers.reduce((a, b) => a + b, 0);
    return powers.map((power) => power / sum);
  });
}

/** log(softmax(x)) along an axis, exact also where the softmax underflows. */
export function logSoftmax(x: Nd, { axis = -1 }: { axis?: number } = {}): Nd {
  return mapRows(x, axis, (row) => {
    const max = row.reduce((a, b) => Math.max(a, b), -Infinity);
    const logSum = Math.log(row.reduce((sum, v) => sum + Math.exp(v - max), 0));
    return row.map((v) => v - max - logSum);
  });
}

/**
 * (x − mean) / sqrt(variance + eps) · weight + bias over the last axis (Ba, Kiros and Hinton, arXiv 1607.06450), with the variance of
 * a population. x `[..., C]`, weight and bias `[C]`.
 */
export function layerNorm(x: Nd, weight?: Nd, bias?: Nd, { eps = 1e-5 }: { eps?: number } = {}): Nd {
  const normalized = mapRows(x, -1, (row) => {
    const mean = row.reduce((a, b) => a + b, 0) / row.length;
    const variance = row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / row.length;
    return row.map((v) => (v - mean) / Math.sqrt(variance + eps));
  });
  return build(x.shape, (index) => {
    const channel = index.slice(-1);
    return at(normalized, index) * (weight === undefined ? 1 : at(weight, channel)) + (bias === undefined ? 0 : at(bias, channel));
  });
}
