import { type Device, openDevice, type Tensor } from "@cursive/tensor";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ModelWithBatch, modelWithBatch } from "../testing/cached_model.ts";
import type { ActivationCache } from "./activation_cache.ts";

let device: Device;
let given: ModelWithBatch;
let cache: ActivationCache;
beforeAll(async () => {
  device = await openDevice();
  given = modelWithBatch();
  ({ cache } = given.model.runWithCache(given.tokens, given.context));
});
afterAll(() => device.destroy());

/** Sums of parts `[parts, ..]` and of their sizes, in float64. */
async function sums(components: Tensor): Promise<{ sum: Float64Array; size: Float64Array; parts: number }> {
  const [values, parts] = [await components.data(), components.shape[0]!];
  const count = values.length / parts;
  const [sum, size] = [new Float64Array(count), new Float64Array(count)];
  for (let i = 0; i < values.length; i++) {
    sum[i % count]! += values[i]!;
    size[i % count]! += Math.abs(values[i]!);
  }
  return { sum, size, parts };
}

/** Whether parts sum to what the model has added up one by one: of n parts (n − 1)·2⁻²⁴·Σ|part|. */
async function addUpTo(whole: Tensor, components: Tensor): Promise<boolean> {
  expect(components.shape.slice(1)).toEqual(whole.shape);
  const [expected, { sum, size, parts }] = [await whole.data(), await sums(components)];
  return sum.every((value, i) => Math.abs(value - expected[i]!) <= (parts - 1) * 2 ** -24 * size[i]!);
}

const readers = [
  [{}, "blocks.1.hook_resid_post", "ln_final"],
  [{ layer: -1 }, "blocks.1.hook_resid_post", "ln_final"],
  [{ layer: 2 }, "blocks.1.hook_resid_post", "ln_final"],
  [{ layer: 0 }, "blocks.0.hook_resid_pre", "blocks.0.ln1"],
  [{ layer: 1 }, "blocks.1.hook_resid_pre", "blocks.1.ln1"],
  [{ layer: 0, crossAttnInput: true }, "blocks.0.hook_resid_mid", "blocks.0.ln2"],
  [{ layer: 1, mlpInput: true }, "blocks.1.hook_resid_mid_cross", "blocks.1.ln3"],
] as const;

describe("decomposeResid", () => {
  it("gives parts that sum to the residual stream that is read there, and do not without one of them", async () => {
    for (const [reader, site] of readers) {
      const [components, labels] = cache.decomposeResid({ ...reader, returnLabels: true });
      expect(labels).toHaveLength(components.shape[0]!);
      expect(await addUpTo(cache.get(site), components), site).toBe(true);
      for (let part = 0; part < labels.length; part++) {
        const without = components.slice([[part === 0 ? 1 : 0, part === 0 ? undefined : part]]);
        if (without.shape[0]! > 0) expect(await addUpTo(cache.get(site), without), `${site} without ${labels[part]}`).toBe(false);
      }
    }
  });

  it("names embeddings and each block's three parts, and takes some of them", () => {
    const labelsOf = (options: object): readonly string[] => cache.decomposeResid({ ...options, returnLabels: true })[1];
    expect(labelsOf({ layer: 1, mlpInput: true })).toEqual([
      ...["embed", "pos_embed", "0_attn_out", "0_cross_attn_out", "0_mlp_out"],
      ...["1_attn_out", "1_cross_attn_out"],
    ]);
    expect(labelsOf({ mode: "cross_attn", inclEmbeds: false })).toEqual(["0_cross_attn_out", "1_cross_attn_out"]);
    expect(labelsOf({ mode: "mlp" })).toEqual(["embed", "pos_embed", "0_mlp_out", "1_mlp_out"]);
    expect(labelsOf({ mode: "attn", layer: 0, crossAttnInput: true })).toEqual(["embed", "pos_embed", "0_attn_out"]);
    expect(() => cache.decomposeResid({ layer: 0, inclEmbeds: false })).toThrow("these options leave none");
  });

  it("gives parts that sum to what the reader's normalisation puts out, less its bias", async () => {
    const { transformer } = given.model;
    const norms = { ln_final: transformer.ln_f, "blocks.0.ln1": transformer.h.at(0).ln_1, "blocks.1.ln1": transformer.h.at(1).ln_1, "blocks.0.ln2": transformer.h.at(0).ln_2, "blocks.1.ln3": transformer.h.at(1).ln_3 }; // biome-ignore format: a table
    for (const [reader, , norm] of readers) {
      const components = cache.decomposeResid({ ...reader, applyLn: true });
      const normalized = (await cache.get(`${norm}.hook_normalized`).data()) as Float32Array;
      const [bias, weight] = await Promise.all([norms[norm].bias.data(), norms[norm].weight.data()]);
      const scale = await cache.get(`${norm}.hook_scale`).data();
      const { sum, parts } = await sums(components);
      const { size } = await sums(cache.decomposeResid(reader));
      for (let i = 0; i < sum.length; i++) {
        const [c, row] = [i % 8, Math.floor(i / 8)];
        const rowSize = size.subarray(8 * row, 8 * row + 8).reduce((a, b) => a + b, 0) / 8;
        // each of x and of its mean over 8 is rounded in n − 1 additions on one side, and in 8 + sub, div (2.5), two products and the bias on both
        const bound = 2 ** -24 * (parts + 2 * 14) * (((size[i]! + rowSize) / scale[row]!) * Math.abs(weight[c]!) + Math.abs(bias[c]!));
        expect(Math.abs(sum[i]! + bias[c]! - normalized[i]!)).toBeLessThanOrEqual(bound);
      }
    }
  });

  it("takes some stroke tokens, a batch of one without its axis, and a cache on the host", async () => {
    const whole = await cache.decomposeResid().data();
    const [parts, B, T, C] = cache.decomposeResid().shape as [number, number, number, number];
    await fc.assert(
      fc.asyncProperty(fc.nat(T - 1), async (at) => {
        const one = cache.decomposeResid({ posSlice: at, applyLn: true });
        expect(one.shape).toEqual([parts, B, C]);
        expect(await one.data()).toEqual(await cache.decomposeResid({ applyLn: true }).select(2, at).clone().data());
      }),
      { numRuns: 4 },
    );
    expect(cache.decomposeResid({ posSlice: [1, 4] }).shape).toEqual([parts, B, 3, C]);
    const host = await cache.toCPU();
    expect(await host.decomposeResid().data()).toEqual(whole);
    const single = modelWithBatch({ batch: 1 });
    const { cache: alone } = single.model.runWithCache(single.tokens, single.context, { removeBatchDim: true });
    expect(alone.decomposeResid({ applyLn: true }).shape).toEqual([parts, T, C]);
    const { cache: last } = given.model.runWithCache(given.tokens, given.context, { posSlice: -1 });
    expect(last.decomposeResid().shape).toEqual([parts, B, C]);
    expect(() => last.decomposeResid({ posSlice: 0 })).toThrow("Expected a cache of several tokens for posSlice");
  });

  it("refuses readers that there are not, and a cache that lacks a part", () => {
    expect(() => cache.decomposeResid({ layer: 3 })).toThrow("Expected a layer from 0 to 2 but found 3");
    expect(() => cache.decomposeResid({ layer: 2, mlpInput: true })).toThrow("Expected a layer from 0 to 1 but found 2");
    expect(() => cache.decomposeResid({ layer: 0, mlpInput: true, crossAttnInput: true })).toThrow("found both");
    const { cache: few } = given.model.runWithCache(given.tokens, given.context, { namesFilter: "blocks.*out" });
    expect(() => few.decomposeResid()).toThrow("found no hook_embed among");
  });
});
