import { type Device, openDevice, type Tensor } from "@cursive/tensor";
import { epsilon, expectClose, layerNormBound, type Nd, nd, oracle } from "@cursive/tensor/testing";
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

describe("accumulatedResid", () => {
  it("shows the stream before each block and at its end, and between their parts", async () => {
    const names = { pre: "resid_pre", mid: "resid_mid", mid_cross: "resid_mid_cross", post: "resid_post" };
    for (const [options, expected] of [
      [{}, ["0_pre", "1_pre", "final_post"]],
      [{ inclMid: true }, ["0_pre", "0_mid", "0_mid_cross", "1_pre", "1_mid", "1_mid_cross", "final_post"]],
      [{ layer: 0 }, ["0_pre"]],
      [{ layer: 1, mlpInput: true }, ["0_pre", "1_pre", "1_mid", "1_mid_cross"]],
      [{ layer: 1, crossAttnInput: true, inclMid: true }, ["0_pre", "0_mid", "0_mid_cross", "1_pre", "1_mid"]],
    ] as const) {
      const [components, labels] = cache.accumulatedResid({ ...options, returnLabels: true });
      expect(labels).toEqual(expected);
      for (const [i, label] of labels.entries()) {
        const [, block, site] = /^(\d|final)_(.*)$/.exec(label)!;
        const value = cache.get(names[site as keyof typeof names], block === "final" ? -1 : Number(block));
        expect(await components.select(0, i).clone().data(), label).toEqual(await value.data());
      }
    }
  });

  it("makes the model's own logits of the last one, the logit lens of the others", async () => {
    const { model, tokens, context } = given;
    const [streams, normalised] = [cache.accumulatedResid(), cache.accumulatedResid({ applyLn: true })];
    const { weight, bias } = model.transformer.ln_f;
    const [x, w, b, head] = await Promise.all([streams, weight, bias, model.lm_head.weight].map(host));
    const bound = layerNormBound(x!, w, b);
    expectClose(await normalised.data(), oracle.layerNorm(x!, w, b), bound);
    const logits = await model.runWithHooks(tokens, context, { fwdHooks: [] }).data();
    const lens = model.lm_head.call(normalised);
    expect(lens.shape).toEqual([3, 2, 7, 11]);
    const last = await lens.select(0, 2).clone().data();
    const [rows, values] = [2 * 7, await normalised.data()];
    for (let i = 0; i < logits.length; i++) {
      const [row, token] = [2 * rows + Math.floor(i / 11), i % 11];
      let [normError, size] = [0, 0];
      for (let c = 0; c < 8; c++) {
        const u = Math.abs(head!.data[8 * token + c]!);
        normError += bound.data[8 * row + c]! * u;
        size += Math.abs(values[8 * row + c]!) * u;
      }
      // a normalisation and a dot product of 8 on either side
      expect(Math.abs(last[i]! - logits[i]!)).toBeLessThanOrEqual(2 * (normError + 2 * 8 * epsilon * size));
    }
  });

  it("takes the scale of an earlier reader as it was", async () => {
    const { ln_1 } = given.model.transformer.h.at(1);
    const read = cache.accumulatedResid({ layer: 1, applyLn: true }).select(0, 1).add(ln_1.bias);
    const [x, w, b] = await Promise.all([cache.get("resid_pre", 1), ln_1.weight, ln_1.bias].map(host));
    expectClose(await read.data(), oracle.layerNorm(x!, w, b), layerNormBound(x!, w, b));
  });
});

async function host(value: Tensor): Promise<Nd> {
  return nd(value.shape, Float64Array.from(await value.data()));
}
