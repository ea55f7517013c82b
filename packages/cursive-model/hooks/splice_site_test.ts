import { type Device, HookError, openDevice, tensor } from "@cursive/tensor";
import { seededIndices } from "@cursive/tensor/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { randomModel } from "../testing/random_model.ts";
import type { Transformer } from "../transformer.ts";
import { spliceSite } from "./splice_site.ts";

let device: Device;
let model: Transformer;
beforeAll(async () => {
  device = await openDevice();
  const config = { nLayer: 2, nHead: 2, nEmbd: 8, blockSize: 6, contextBlockSize: 3, vocabSize: 11, contextVocabSize: 5 };
  model = randomModel(config, 1);
});
afterAll(() => device.destroy());

const ids = (seed: number, shape: [number, number], n: number) => tensor(Int32Array.from(seededIndices(seed, shape, n).data), { shape });

describe("spliceSite", () => {
  it("gives the activation that a cache has, heads side by side, by any of the site's names", async () => {
    const [tokens, context] = [ids(1, [3, 6], 11), ids(2, [3, 3], 5)];
    for (const name of ["blocks.0.hook_mlp_out", "blocks.1.attn.hook_z", "ln_final.hook_normalized", "hook_embed"]) {
      const { cache } = model.runWithCache(tokens, context, { namesFilter: name });
      const { site, activation } = spliceSite(model, model.hookSites.find(name).path);
      expect(site).toBe(name);
      const found = activation(tokens, context);
      expect(found.shape).toEqual([3, 6, 8]);
      expect(await found.data(), name).toEqual(await cache.get(name).data());
    }
  });

  it("gives the logits of the model with something else there, and the same bits with the same", async () => {
    const [tokens, context] = [ids(1, [3, 6], 11), ids(2, [3, 3], 5)];
    for (const name of ["blocks.0.hook_mlp_out", "blocks.1.cross_attn.hook_z"]) {
      const { logits } = spliceSite(model, name);
      const original = await logits(tokens, context, () => undefined).data();
      expect(await logits(tokens, context, (x) => x.mul(1)).data()).toEqual(original);
      const half = await model.runWithHooks(tokens, context, { fwdHooks: [[name, (x) => x.mul(0.5)]] }).data();
      expect(await logits(tokens, context, (x) => x.mul(0.5)).data()).toEqual(half);
      expect(half).not.toEqual(original);
    }
  });

  it("refuses unknown sites, and those without a vector for each stroke token", () => {
    expect(() => spliceSite(model, "blocks.0.hook_mlp_in_")).toThrow("nearest: blocks.0.hook_mlp_in");
    expect(() => spliceSite(model, "blocks.0.attn.hook_pattern")).toThrow(HookError);
    expect(() => spliceSite(model, "blocks.0.cross_attn.hook_k")).toThrow(
      "Expected a site with a vector for each stroke token, [B, T, ..], but found blocks.0.cross_attn.hook_k [B, S, H, D]",
    );
  });
});
