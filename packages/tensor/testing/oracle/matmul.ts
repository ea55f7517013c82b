/** Oracles of matrix products. */
import { broadcastShape, broadcastTo, type Nd, nd } from "../nd.ts";

/** `[..., M, K] · [..., K, N] → [..., M, N]`. The leading dimensions broadcast. */
export function matmul(a: Nd, b: Nd): Nd {
  const [m, k] = a.shape.slice(-2) as [number, number];
  const [inner, n] = b.shape.slice(-2) as [number, number];
  if (a.shape.length < 2 || b.shape.length < 2 || inner !== k) {
    throw new RangeError(`Expected [..., M, K] and [..., K, N] but found [${a.shape}] and [${b.shape}]`);
  }
  const batch = broadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const left = broadcastTo(a, [...batch, m, k]).data;
  const right = broadcastTo(b, [...batch, k, n]).data;
  const result = nd([...batch, m, n]);
  for (let flat = 0; flat < result.data.length; flat++) {
    const column = flat % n;
    const row = Math.floor(flat / n); // over all batches
    const matrix = Math.floor(row / m);
    let sum = 0;
    for (let i = 0; i < k; i++) sum += left[row * k + i]! * right[(matrix * k + i) * n + column]!;
    result.data[flat] = sum;
  }
  return result;
}

/** `x [..., in] · weightᵀ + bias → [..., out]` with weight `[out, in]` and bias `[out]`. */
export function linear(x: Nd, weight: Nd, bias?: Nd): Nd {
  const [outputs, inputs] = weight.shape as [number, number];
  const result = nd([...x.shape.slice(0, -1), outputs]);
  for (let flat = 0; flat < result.data.length; flat++) {
    const row = Math.floor(flat / outputs);
    const output = flat % outputs;
    let sum = bias?.data[output] ?? 0;
    for (let i = 0; i < inputs; i++) sum += x.data[row * inputs + i]! * weight.data[output * inputs + i]!;
    result.data[flat] = sum;
  }
  return result;
}
