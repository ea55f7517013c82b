import { type Device, openDevice, tensor } from "@cursive/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ModelWithBatch, modelWithBatch } from "../testing/cached_model.ts";
import type { ActivationCache } from "./activation_cache.ts";

const [B, T, C, V] = [2, 7, 8, 11];
let device: Device;
let given: ModelWithBatch;
let cache: ActivationCache;
let logits: Float32Array;
beforeAll(async () => {
  device = await openDevice();
  given = modelWithBatch();
  const run = given.model.runWithCache(given.tokens, given.context);
  cache = run.cache;
  logits = (await run.logits.data()) as Float32Array;
});
afterAll(() => device.destroy());

/**
 * By how much the parts' attributions and the logit, less the bias, may differ for each place and token: terms of size (|x| + mean|x|) / scale · |w| · |u| are rounded
 * some C + 6 times on either side on the way through mean, centring, division (2.5), products and sum, and the stream in as many additions as it has parts.
 */
async function bounds(): Promise<(row: number, token: number) => { bound: number; bias: number }> {
  const { lm_head, transformer } = given.model;
  const components = cache.decomposeResid();
  const parts = components.shape[0]!;
  const [values, scale, weight, bias, head] = (await Promise.all(
    [components, cache.get("ln_final.hook_scale"), transformer.ln_f.weight, transformer.ln_f.bias, lm_head.weight].map((t) => t.data()),
  )) as [Float32Array, Float32Array, Float32Array, Float32Array, Float32Array];
  return (row, token) => {
    let [size, fixed, shift] = [0, 0, 0];
    for (let part = 0; part < parts; part++) {
      const x = Array.from(values.subarray((part * B * T + row) * C, (part * B * T + row + 1) * C), Math.abs);
      const mean = x.reduce((a, b) => a + b, 0) / C;
      for (let c = 0; c < C; c++) size += ((x[c]! + mean) / scale[row]!) * Math.abs(weight[c]! * head[token * C + c]!);
    }
    for (let c = 0; c < C; c++) {
      shift += bias[c]! * head[token * C + c]!;
      fixed += Math.abs(bias[c]! * head[token * C + c]!);
    }
    return { bound: 2 ** -24 * ((4 * (C + 6) + parts) * size + 2 * C * fixed), bias: shift };
  };
}

describe("logitAttrs", () => {
  it("sums over the parts of the residual stream to the logit, less what the last bias adds", async () => {
    const components = cache.decomposeResid();
    const [about, ids] = [await bounds(), await given.targets.data()];
    const parts = components.shape[0]!;
    const found = await cache.logitAttrs(components, given.targets).data();
    let largest = 0;
    for (let row = 0; row < B * T; row++) {
      const { bound, bias } = about(row, ids[row]!);
      const each = Array.from({ length: parts }, (_, part) => found[part * B * T + row]!);
      const missing = logits[row * V + ids[row]!]! - bias - each.reduce((a, b) => a + b, 0);
      expect(Math.abs(missing)).toBeLessThanOrEqual(bound);
      for (const one of each) largest = Math.max(largest, Math.abs(one) / bound);
    }
    expect(largest).toBeGreaterThan(1000); // a part that is left out shows
  });

  it("gives the difference to other tokens, and takes one token for all, for a sequence or for a place", async () => {
    const components = cache.decomposeResid();
    const of = async (...args: Parameters<ActivationCache["logitAttrs"]> extends [unknown, ...infer Rest] ? Rest : never) =>
      (await cache.logitAttrs(components, ...args).data()) as Float32Array;
    const filled = (values: number[], shape: number[]) => tensor(Int32Array.from(values), { shape });
    const four = await of(4);
    expect(await of(filled(new Array(B * T).fill(4), [B, T]))).toEqual(four);
    expect(await of(filled([4, 4], [B]))).toEqual(four);
    expect(await of({ shape: [B], dtype: "i32", data: Int32Array.of(4, 4) })).toEqual(four);
    const mixed = await of(filled([4, 9], [B]));
    const nine = await of(9);
    for (const [i, value] of mixed.entries()) expect(value).toBe((Math.floor(i / T) % B === 0 ? four : nine)[i]);
    const difference = await of(4, { incorrectTokens: 9 });
    const about = await bounds();
    for (const [i, value] of difference.entries()) {
      const row = i % (B * T);
      expect(Math.abs(value - (four[i]! - nine[i]!))).toBeLessThanOrEqual(about(row, 4).bound + about(row, 9).bound);
    }
    const last = await cache.logitAttrs(cache.decomposeResid({ posSlice: -1 }), filled([4, 4], [B]), { posSlice: -1 }).data();
    expect([...last]).toEqual([...four].filter((_, i) => i % T === T - 1));
  });

  it("refuses tokens that do not fit", () => {
    const components = cache.decomposeResid();
    const two = tensor(Int32Array.of(1, 2), { shape: [2] });
    expect(() => cache.logitAttrs(components, 11)).toThrow("Expected a token from 0 to 10 but found 11");
    expect(() => cache.logitAttrs(components, two, { incorrectTokens: 3 })).toThrow("Expected incorrectTokens of the shape of tokens");
    expect(() => cache.logitAttrs(components, two.reshape([1, 1, 2, 1]))).toThrow("Expected tokens for parts [2, 7, 8]");
  });
});
