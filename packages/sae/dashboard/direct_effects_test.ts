import { StrokeTokenizer, type Transformer } from "@cursive/cursive-model";
import { type Device, openDevice } from "@cursive/tensor";
import { seededValues } from "@cursive/tensor/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { randomModel } from "../../cursive-model/testing/random_model.ts";
import { directEffects } from "./direct_effects.ts";

const tokenizer = new StrokeTokenizer({ alphabet: "ab", bins: "polar-73", decode: "centre" });
const width = 8;

let device: Device;
let model: Transformer;
beforeAll(async () => {
  device = await openDevice();
  const { vocabSize, contextVocabSize } = tokenizer;
  model = randomModel({ nLayer: 1, nHead: 2, nEmbd: width, blockSize: 8, contextBlockSize: 2, vocabSize, contextVocabSize }, 1);
});
afterAll(() => device.destroy());

const of = (site: string) => directEffects(model, { site, tokenizer });

describe("directEffects", () => {
  it("sorts what a direction of the residual stream does by what tokens mean", async () => {
    const direction = Float32Array.from(seededValues(1, [width]).data);
    const { theta, radiusDown, radiusUp, special } = (await of("blocks.0.hook_resid_post"))!.of(direction);
    expect([theta.length, radiusDown.length, radiusUp.length]).toEqual([
      tokenizer.bins.theta.length,
      tokenizer.bins.radius.length,
      tokenizer.bins.radius.length,
    ]);
    expect(special.map(({ name }) => name)).toEqual(["PAD", "END", ...(tokenizer.wordToken === null ? [] : ["WORD"])]);
    const effects = [...radiusDown, ...radiusUp, ...theta, ...special.map(({ effect }) => effect)];
    expect(effects.reduce((a, b) => a + b, 0)).toBeCloseTo(0, 9);
    const [weight, scale] = [await model.lm_head.weight.data(), await model.transformer.ln_f.weight.data()];
    const mean = direction.reduce((a, b) => a + b, 0) / width;
    const raw = effects.map((_, token) => direction.reduce((sum, d, c) => sum + (d - mean) * scale[c]! * weight[token * width + c]!, 0));
    const level = raw.reduce((a, b) => a + b, 0) / raw.length;
    for (const [token, effect] of effects.entries()) expect(effect).toBeCloseTo(raw[token]! - level, 9);
  });

  it.each(["mlp.hook_post", "attn.hook_z", "cross_attn.hook_z"])("goes through the projection after %s", async (site) => {
    const { mlp, attn, cross_attn } = [...model.transformer.h][0]!;
    const layer = { "mlp.hook_post": mlp.c_proj, "attn.hook_z": attn.c_proj, "cross_attn.hook_z": cross_attn.c_proj }[site]!;
    const [rows, columns] = layer.weight.shape as [number, number];
    const weight = await layer.weight.data();
    const direction = Float32Array.from(seededValues(2, [columns]).data);
    const projected = Float32Array.from({ length: rows }, (_, c) => direction.reduce((sum, d, j) => sum + d * weight[c * columns + j]!, 0));
    expect((await of(`blocks.0.${site}`))!.of(direction)).toEqual((await of("blocks.0.hook_resid_pre"))!.of(projected));
  });

  it("knows of no direct effect where a site adds nothing to the residual stream", async () => {
    for (const site of ["blocks.0.attn.hook_q", "blocks.0.ln3.hook_normalized", "blocks.0.mlp.hook_pre", "ln_final.hook_normalized"])
      expect(await of(site)).toBeNull();
  });
});
