import type { Transformer } from "@cursive/cursive-model";
import { type Device, HookError, openDevice, type Tensor, tensor } from "@cursive/tensor";
import { seededIndices } from "@cursive/tensor/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { randomModel } from "../../cursive-model/testing/random_model.ts";
import { createSae, type SaeConfig } from "../create_sae.ts";
import { spliceHook } from "../evaluation/splice.ts";
import type { SparseAutoencoder } from "../sae.ts";
import { addSae } from "./add_sae.ts";

const hook = "blocks.0.hook_mlp_out";
const [B, T, D, F] = [2, 6, 8, 12];
const names = ["input", "acts_pre", "acts_post", "recons", "error", "output"].map((name) => `${hook}.hook_sae_${name}`);

let device: Device;
let model: Transformer;
let tokens: Tensor;
let context: Tensor;
let targets: Tensor;
beforeAll(async () => {
  device = await openDevice();
  model = randomModel({ nLayer: 2, nHead: 2, nEmbd: D, blockSize: T, contextBlockSize: 3, vocabSize: 11, contextVocabSize: 5 }, 1);
  const ids = (seed: number, length: number, n: number) =>
    tensor(Int32Array.from(seededIndices(seed, [B, length], n).data), { shape: [B, length] });
  [tokens, context, targets] = [ids(1, T, 11), ids(2, 3, 5), ids(3, T, 11)];
});
afterAll(() => device.destroy());

const architectures = ["standard", "topk", "batchtopk", "jumprelu", "gated", "matryoshka"] as const;
function made(architecture: (typeof architectures)[number], sizes: { dIn: number; dSae: number } = { dIn: D, dSae: F }): SparseAutoencoder {
  const own = { standard: {}, topk: { k: 3 }, batchtopk: { k: 3 }, jumprelu: {}, gated: {}, matryoshka: { k: 3 } }[architecture];
  return createSae({ architecture, seed: 2, ...sizes, ...own } as SaeConfig);
}

/** Logits with hooks, as bits. */
const logitsOf = async (fwdHooks: Parameters<Transformer["runWithHooks"]>[2]["fwdHooks"]): Promise<ArrayLike<number>> =>
  model.runWithHooks(tokens, context, { fwdHooks: fwdHooks ?? [] }).data();
const looking = [hook, (): void => {}] as const;
/** Turns one feature up and another off. */
const edit = (features: Tensor): Tensor => {
  const [gain, shift] = [Array.from({ length: F }, (_, f) => Number(f !== 1)), Array.from({ length: F }, (_, f) => 3 * Number(f === 4))];
  return features.mul(tensor(gain)).add(tensor(shift));
};

describe("addSae", () => {
  it.each(architectures)("names what a %s autoencoder computes, as its formulas say", async (architecture) => {
    const sae = made(architecture);
    const { cache: alone } = model.runWithCache(tokens, context, { namesFilter: hook });
    using _sae = addSae(model, sae, { hook: "transformer.h.0.mlp.c_proj", useErrorTerm: true });
    const { cache } = model.runWithCache(tokens, context, { namesFilter: [hook, `${hook}.*`] });
    expect([...cache.keys()]).toEqual([...names, hook]); // the site shows what goes on
    const x = alone.get(hook);
    const at = (name: string): Tensor => cache.get(`${hook}.hook_sae_${name}`);
    const f = sae.encode(x);
    const expected = { input: x, acts_post: f, recons: sae.decode(f), error: x.sub(sae.decode(f)), output: x };
    for (const [name, value] of Object.entries(expected)) expect(await at(name).data(), name).toEqual(await value.data());
    expect(await cache.get(hook).data()).toEqual(await x.data());
    expect(at("acts_pre").shape).toEqual([B, T, F]);
    // features that fire are their pre-activations
    const [pre, post] = [await at("acts_pre").data(), await at("acts_post").data()];
    expect(post.some((value) => value > 0)).toBe(true);
    for (const [i, value] of post.entries()) if (value > 0) expect(pre[i]).toBe(value);
  });

  it.each(architectures)("changes no bit of the model with the error term of a %s autoencoder, and does without", async (architecture) => {
    const sae = made(architecture);
    const original = await logitsOf([looking]);
    {
      using _sae = addSae(model, sae, { hook, useErrorTerm: true });
      expect(await logitsOf([])).toEqual(original);
    }
    {
      using _sae = addSae(model, sae, { hook });
      expect(await logitsOf([])).not.toEqual(original);
      expect(() => model.hookSites.find(names[4]!)).toThrow("nearest:"); // no error term, no name of one
    }
    expect(await logitsOf([looking])).toEqual(original);
  });

  it.each([true, false])("takes edited features as steering does, with the error term: %s", async (useErrorTerm) => {
    const sae = made("topk");
    const expected = await logitsOf([[hook, spliceHook(sae, { edit, errorTerm: useErrorTerm })]]);
    const original = await logitsOf([looking]);
    using _sae = addSae(model, sae, { hook, useErrorTerm });
    expect(await logitsOf([[`${hook}.hook_sae_acts_post`, edit]])).toEqual(expected);
    expect(expected).not.toEqual(original);
  });

  it("goes on from whatever a hook on any of its points gives", async () => {
    const sae = made("standard");
    const x = model.runWithCache(tokens, context, { namesFilter: hook }).cache.get(hook);
    using _sae = addSae(model, sae, { hook, useErrorTerm: true });
    const { cache } = model.runWithCache(tokens, context, { namesFilter: `${hook}.*` });
    const [f, error] = [cache.get(names[2]!), cache.get(names[4]!)];
    const cases: readonly (readonly [name: string, change: (value: Tensor) => Tensor, expected: Tensor])[] = [
      [names[0]!, (v) => v.mul(2), sae.decode(sae.encode(x.mul(2))).add(error)],
      [names[1]!, (v) => v.mul(0), sae.decode(f.mul(0)).add(error)],
      [names[2]!, (v) => v.mul(2), sae.decode(f.mul(2)).add(error)],
      [names[3]!, (v) => v.mul(0), error],
      [names[4]!, (v) => v.mul(0), sae.decode(f)],
      [names[5]!, (v) => v.mul(0), x.mul(0)],
    ];
    for (const [name, change, expected] of cases) {
      let seen: Tensor | undefined;
      const look = (value: Tensor): void => {
        seen = value;
      };
      model.runWithHooks(tokens, context, { fwdHooks: [[name, change], [hook, look]] }); // biome-ignore format: one line
      const [found, wanted, whole] = [await seen!.data(), await expected.data(), await x.data()];
      const most = [...wanted, ...whole].reduce((a, b) => Math.max(a, Math.abs(b)), 0);
      // x + (x̂' − x̂) for x̂' + (x − x̂): four roundings of numbers up to thrice as large
      for (const [i, value] of found.entries()) expect(Math.abs(value - wanted[i]!), name).toBeLessThanOrEqual(4 * 3 * most * 2 ** -24);
    }
  });

  it("lets gradients through the features alone", async () => {
    const sae = made("standard");
    using _sae = addSae(model, sae, { hook, useErrorTerm: true });
    const gradients = async (name: string): Promise<ArrayLike<number>> => {
      const { cache } = model.runWithCache(tokens, context, { targets, inclBwd: true, namesFilter: [...names] });
      return cache.get(`${name}_grad`).data();
    };
    const ofOutput = await gradients(names[5]!);
    expect(await gradients(names[3]!)).toEqual(ofOutput);
    const state = await sae.stateDict();
    const decoder = state.get("W_dec")!.data;
    const ofFeatures = await gradients(names[2]!);
    for (let row = 0; row < B * T; row++) {
      for (let f = 0; f < F; f++) {
        let [exact, size] = [0, 0];
        for (let d = 0; d < D; d++) {
          const term = ofOutput[row * D + d]! * decoder[f * D + d]!;
          exact += term;
          size += Math.abs(term);
        }
        expect(Math.abs(ofFeatures[row * F + f]! - exact)).toBeLessThanOrEqual(2 * D * 2 ** -24 * size);
      }
    }
  });

  it("stands at several sites, heads side by side, and leaves the model's parameters alone", async () => {
    const before = [...model.namedParameters()].map(([name]) => name);
    const sites = model.hookSites.sites.map(({ name }) => name);
    {
      using _one = addSae(model, made("topk"), { hook: "blocks.1.attn.hook_z", useErrorTerm: true });
      using _two = addSae(model, made("gated", { dIn: 4 * D, dSae: F }), { hook: "blocks.1.mlp.hook_post" });
      const { cache } = model.runWithCache(tokens, context);
      expect(cache.get("blocks.1.attn.hook_z").shape).toEqual([B, T, 2, D / 2]);
      expect(cache.get("blocks.1.attn.hook_z.hook_sae_input").shape).toEqual([B, T, D]);
      expect(cache.get("blocks.1.mlp.hook_post.hook_sae_acts_post").shape).toEqual([B, T, F]);
      expect(model.hookTable().find(({ name }) => name === "blocks.1.mlp.hook_post.hook_sae_acts_pre")!.axes).toBe(`[B, T, ${F}]`);
      expect([...model.namedParameters()].map(([name]) => name)).toEqual(before);
      const { cache: early } = model.runWithCache(tokens, context, { stopAtLayer: 1 });
      expect(early.has("blocks.1.attn.hook_z.hook_sae_input")).toBe(false);
    }
    expect(model.hookSites.sites.map(({ name }) => name)).toEqual(sites);
    expect([...model.namedModules()].some(([, module]) => module.isHooked)).toBe(false);
  });

  it("refuses sites that are taken, of another width, or without a vector a token", () => {
    using first = addSae(model, made("topk"), { hook });
    expect(() => addSae(model, made("topk"), { hook })).toThrow(`Expected no module behind ${hook} but found one: remove it first`);
    first.remove();
    first.remove();
    addSae(model, made("topk"), { hook }).remove();
    expect(() => addSae(model, made("topk"), { hook: "blocks.0.mlp.hook_post" })).toThrow("Expected activations 8 wide but found");
    expect(() => addSae(model, made("topk"), { hook: "blocks.0.attn.hook_pattern" })).toThrow(HookError);
    expect(() => addSae(model, made("topk"), { hook: "blocks.0.hook_mlp_ou" })).toThrow("nearest: blocks.0.hook_mlp_out");
  });
});
