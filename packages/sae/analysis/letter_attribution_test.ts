import { spliceSite, type Transformer } from "@cursive/cursive-model";
import { createRng, type Device, openDevice, type Tensor, tensor } from "@cursive/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { randomModel } from "../../cursive-model/testing/random_model.ts";
import { createSae, type SaeConfig } from "../create_sae.ts";
import type { SparseAutoencoder } from "../sae.ts";
import { type AttributedSequence, attributeLetters, type PlaceAttribution } from "./letter_attribution.ts";
import { letterPath } from "./letter_path.ts";

const sizes = { vocabulary: 13, length: 7, characters: 4, width: 8, heads: 2, dSae: 12 };
const { length, characters, width, heads, dSae } = sizes;

let device: Device;
let model: Transformer;
beforeAll(async () => {
  device = await openDevice();
  const config = { nLayer: 2, nHead: heads, nEmbd: width, blockSize: length, contextBlockSize: characters };
  model = randomModel({ ...config, vocabSize: sizes.vocabulary, contextVocabSize: 5 }, 1);
});
afterAll(() => device.destroy());

const tokens = Int32Array.from({ length }, (_, i) => createRng(1, "token", i).integer(sizes.vocabulary));
const context = Int32Array.from({ length: characters }, (_, i) => createRng(1, "character", i).integer(5));
const places = [
  { latent: 3, position: 0 },
  { latent: 7, position: 5 },
  { latent: 0, position: 6 },
];

function saeOf(site: string, config: Partial<SaeConfig> = {}): SparseAutoencoder {
  const { shape } = model.hookTable({ tokens: length, characters }).find(({ name }) => name === site)!;
  const sae = createSae({
    architecture: "standard",
    dIn: shape.slice(2).reduce((a, b) => a * b, 1),
    dSae,
    seed: 2,
    ...config,
  } as SaeConfig);
  sae.b_dec.load({ shape: sae.b_dec.shape, dtype: "f32", data: Float32Array.from({ length: sae.b_dec.size }, (_, d) => 0.1 * d - 0.3) });
  return sae;
}

async function attributed(sae: SparseAutoencoder, site: string, given: Partial<AttributedSequence> = {}): Promise<PlaceAttribution[]> {
  const path = letterPath(model, site)!;
  const found: PlaceAttribution[] = [];
  const sequences = [{ sequence: 9, tokens, context, places, ...given }];
  for await (const one of attributeLetters(sae, { model, path, sequences, atOnce: 2 })) found.push(one);
  return found;
}

/** Everything that the model computes, in main memory. */
async function cached(names: readonly string[]): Promise<(name: string) => ArrayLike<number>> {
  const ids = (data: Int32Array) => ({ shape: [1, data.length], dtype: "i32", data }) as const;
  const { cache } = await model.runWithCache(ids(tokens), ids(context), { namesFilter: names, device: "cpu" });
  return (name) => cache.get(name).data;
}

async function directionOf(sae: SparseAutoencoder, latent: number): Promise<Float64Array> {
  const weights = (await sae.stateDict()).get("W_enc")!.data;
  return Float64Array.from({ length: sae.config.dIn }, (_, d) => weights[d * dSae + latent]!);
}

const total = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0);

describe("attributeLetters", () => {
  it.each(["blocks.1.hook_resid_pre", "blocks.1.hook_resid_mid", "blocks.1.hook_resid_mid_cross", "blocks.1.hook_resid_post"])(
    "accounts for the whole pre-activation at %s, with what all other sources add",
    async (site) => {
      const sae = saeOf(site);
      const part = site.replace("blocks.1.", "");
      const before = ["hook_embed", "hook_pos_embed", "blocks.0.hook_attn_out", "blocks.0.hook_mlp_out"];
      const own = { hook_resid_pre: 0, hook_resid_mid: 1, hook_resid_mid_cross: 1, hook_resid_post: 2 }[part]!;
      const others = [...before, ...["blocks.1.hook_attn_out", "blocks.1.hook_mlp_out"].slice(0, own)];
      const value = await cached(others);
      const biases = await Promise.all(
        [...model.transformer.h].map(async ({ cross_attn }) => (await cross_attn.c_proj.bias!.data()) as Float32Array),
      );
      const state = await sae.stateDict();
      for (const { latent, position, preActivation, contributions } of await attributed(sae, site)) {
        const direction = await directionOf(sae, latent);
        const along = (vector: ArrayLike<number>, at: number): number =>
          direction.reduce((sum, w, d) => sum + w * vector[at * width + d]!, 0);
        const { blocks } = letterPath(model, site)!;
        const rest = total(others.map((name) => along(value(name), position))) + total(blocks.map((l) => along(biases[l]!, 0)));
        const constant = state.get("b_enc")!.data[latent]! - along(state.get("b_dec")!.data, 0);
        expect(Math.abs(total(contributions) + rest + constant - preActivation)).toBeLessThan(2e-5); // sums of some 30 f32 of about 1
        expect(Math.abs(total(contributions))).toBeGreaterThan(1e-2);
        expect(contributions).toHaveLength(blocks.length * heads * characters);
      }
    },
  );

  it("knows what goes into the nonlinearity", async () => {
    for (const architecture of ["standard", "gated", "jumprelu"] as const) {
      const site = "blocks.0.hook_mlp_out";
      const sae = saeOf(site, { architecture, applyBDecToInput: architecture !== "jumprelu" } as Partial<SaeConfig>);
      const x = (await cached([site]))(site);
      const state = await sae.stateDict();
      for (const { latent, position, preActivation } of await attributed(sae, site)) {
        const direction = await directionOf(sae, latent);
        const shift = architecture === "jumprelu" ? () => 0 : (d: number) => state.get("b_dec")!.data[d]!;
        const bias = (state.get("b_enc") ?? state.get("b_gate"))!.data[latent]!;
        const expected = direction.reduce((sum, w, d) => sum + w * (x[position * width + d]! - shift(d)), bias);
        expect(Math.abs(preActivation - expected)).toBeLessThan(1e-5);
      }
    }
  });

  it.each([
    "blocks.1.ln3.hook_normalized",
    "blocks.1.mlp.hook_pre",
    "blocks.1.mlp.hook_post",
    "blocks.0.hook_mlp_out",
    "ln_final.hook_normalized",
  ])("follows contributions to %s as far as their gradient goes, which differences confirm", async (site) => {
    const sae = saeOf(site);
    const { entry, blocks } = letterPath(model, site)!;
    const names = blocks.flatMap((l) => [`blocks.${l}.cross_attn.hook_pattern`, `blocks.${l}.cross_attn.hook_v`]);
    const value = await cached(names);
    const projections = await Promise.all(
      [...model.transformer.h].map(async ({ cross_attn }) => (await cross_attn.c_proj.weight.data()) as Float32Array),
    );
    /** pattern · v W_O of one head and character, `[C]`, as the model's formula has it. */
    const vectorOf = (l: number, { h, s, t }: { h: number; s: number; t: number }): Float64Array => {
      const size = width / heads;
      const pattern = value(`blocks.${l}.cross_attn.hook_pattern`)[(h * length + t) * characters + s]!;
      const v = value(`blocks.${l}.cross_attn.hook_v`);
      return Float64Array.from({ length: width }, (_, c) =>
        total(
          Array.from({ length: size }, (_, d) => pattern * v[(s * heads + h) * size + d]! * projections[l]![c * width + h * size + d]!),
        ),
      );
    };
    /** The pre-activation's part x·W_enc with some of a vector added where cross-attention's outputs go. */
    const shifted = async (
      vector: Float64Array,
      { latent, position, by }: { latent: number; position: number; by: number },
    ): Promise<number> => {
      const delta = new Float32Array(length * width);
      delta.set(
        vector.map((v) => by * v),
        position * width,
      );
      const add = tensor(delta, { shape: [1, length, width] });
      using _scope = model.hooks({ fwdHooks: [[entry, (x: Tensor) => x.add(add)]] });
      const ids = (data: Int32Array): Tensor => tensor(data, { shape: [1, data.length] });
      const x = (await spliceSite(model, site).activation(ids(tokens), ids(context)).data()) as Float32Array;
      const direction = await directionOf(sae, latent);
      return direction.reduce((sum, w, d) => sum + w * x[position * direction.length + d]!, 0);
    };
    const found = await attributed(sae, site);
    const largest = Math.max(...found.flatMap(({ contributions }) => [...contributions].map(Math.abs)));
    for (const { latent, position, contributions } of found) {
      for (const k of [0, 3, contributions.length - 1]) {
        const [block, h, s] = [blocks[Math.floor(k / (heads * characters))]!, Math.floor(k / characters) % heads, k % characters];
        const vector = vectorOf(block, { h, s, t: position });
        const by = 0.02 / Math.hypot(...vector); // a step of one length, whatever the pattern
        const [up, down] = [await shifted(vector, { latent, position, by }), await shifted(vector, { latent, position, by: -by })];
        const scale = Math.hypot(...vector); // rounding of 1e-6 over a step of 0.04, curvature over its square
        expect(Math.abs((up - down) / (2 * by) - contributions[k]!)).toBeLessThan(2e-3 * Math.max(scale, largest));
      }
    }
    expect(largest).toBeGreaterThan(1e-2);
  });

  it("leaves the parameters' gradients alone, and refuses places that are not there", async () => {
    const sae = saeOf("blocks.0.hook_mlp_out");
    await attributed(sae, "blocks.0.hook_mlp_out");
    for (const parameter of [...model.parameters(), ...sae.parameters()]) {
      expect(parameter.grad).toBeNull();
      expect(parameter.requiresGrad).toBe(true);
    }
    await expect(attributed(sae, "blocks.0.hook_mlp_out", { places: [{ latent: dSae, position: 0 }] })).rejects.toThrow(
      "Expected a latent below 12",
    );
    await expect(attributed(sae, "blocks.0.hook_mlp_out", { places: [{ latent: 0, position: 7 }] })).rejects.toThrow("a position below 7");
  });
});

describe("letterPath", () => {
  it("knows from which blocks letters reach a site directly", () => {
    const blocksOf = (site: string): readonly number[] | null => letterPath(model, site)?.blocks ?? null;
    const expected: Record<string, readonly number[] | null> = {
      hook_embed: null,
      "blocks.0.hook_resid_pre": null,
      "blocks.0.hook_resid_mid": null,
      "blocks.0.attn.hook_z": null,
      "blocks.1.cross_attn.hook_q": null,
      "blocks.0.hook_resid_mid_cross": [0],
      "blocks.0.hook_mlp_out": [0],
      "blocks.1.hook_resid_pre": [0],
      "blocks.1.hook_cross_attn_out": [1],
      "blocks.1.mlp.hook_post": [0, 1],
      "ln_final.hook_normalized": [0, 1],
    };
    expect(Object.fromEntries(Object.keys(expected).map((site) => [site, blocksOf(site)]))).toEqual(expected);
  });
});
