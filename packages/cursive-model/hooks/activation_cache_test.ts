import { type Device, type HostTensor, noGrad, openDevice, type Tensor, tensor } from "@cursive/tensor";
import { seededIndices } from "@cursive/tensor/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { randomModel } from "../testing/random_model.ts";
import type { Transformer } from "../transformer.ts";
import { CacheBudgetError } from "./budget.ts";

const config = { nLayer: 2, nHead: 2, nEmbd: 8, blockSize: 12, contextBlockSize: 5, vocabSize: 11, contextVocabSize: 6 };
const [T, S] = [7, 5];

let device: Device;
let model: Transformer;
let tokens: Tensor;
let context: Tensor;
let targets: Tensor;
beforeAll(async () => {
  device = await openDevice();
  const ids = (seed: number, shape: number[], n: number): Tensor => tensor(Int32Array.from(seededIndices(seed, shape, n).data), { shape });
  [tokens, context, targets] = [ids(1, [2, T], 11), ids(2, [2, S], 6), ids(3, [2, T], 11)];
  model = randomModel(config, 1);
});
afterAll(() => device.destroy());

type Host = Map<string, HostTensor>;
const hostOf = async (cache: { toCPU(): Promise<Iterable<[string, HostTensor]>> }): Promise<Host> => new Map(await cache.toCPU());

describe("runWithCache", () => {
  it("gives logits, loss and activations: the ones that hooks see", async () => {
    const seen = new Map<string, Tensor>();
    const { logits, loss } = noGrad(() =>
      model.runWithHooks(tokens, context, { targets, returnType: "both", fwdHooks: [["*", (x, { name }) => void seen.set(name, x)]] }),
    );
    const run = model.runWithCache(tokens, context, { targets, namesFilter: "*" });
    expect([...run.cache.keys()]).toEqual([...seen.keys()]);
    for (const [name, value] of run.cache) expect(await value.data(), name).toEqual(await seen.get(name)!.data());
    expect([await run.logits.data(), await run.loss.item()]).toEqual([await logits.data(), await loss.item()]);
    expect(run.loss.requiresGrad).toBe(false);
    expect(model.runWithCache(tokens, context).loss).toBeNull();
  });

  it("leaves each head's result, and what repeats others, to those who name it", () => {
    const { cache } = model.runWithCache(tokens, context);
    expect([cache.has("result", 0), cache.has("hook_embed"), cache.has("blocks.0.hook_mlp_in"), cache.has("attn_scores", 1)]).toEqual([
      false,
      true,
      false,
      true,
    ]);
    expect(model.runWithCache(tokens, context, { namesFilter: "*hook_result" }).cache.size).toBe(4);
  });

  it("is found by short names, aliases and layers from the last", () => {
    const { cache } = model.runWithCache(tokens, context);
    const pattern = cache.get("blocks.1.cross_attn.hook_pattern");
    expect(cache.get("pattern", 1, "cross_attn")).toBe(pattern);
    expect(cache.get("pattern", -1, "cross_attn")).toBe(pattern);
    expect(cache.get("transformer.h.1.cross_attn.hook_pattern")).toBe(pattern);
    expect(() => cache.get("patern", 1)).toThrow("Expected the name of a hook but found 'blocks.1.hook_patern'; nearest:");
    expect(() => cache.get("blocks.0.attn.hook_result")).toThrow(
      "found no blocks.0.attn.hook_result among 60; nearest: blocks.0.attn.hook_",
    );
    expect(cache.bytes).toBe([...cache].reduce((sum, [, { size }]) => sum + 4 * size, 0));
  });

  it("shows how heads make up what attention puts out, and parts the residual stream", async () => {
    const { cache } = model.runWithCache(tokens, context, { namesFilter: ["*", "*hook_result"] });
    const close = async (a: Tensor, b: Tensor) => {
      const difference = await a.sub(b).abs().amax().item();
      expect(difference).toBeLessThan(1e-5 * (await b.abs().amax().item()));
    };
    for (const part of ["attn", "cross_attn"] as const) {
      const { bias } = model.transformer.h.at(1)[part].c_proj;
      await close(cache.get("result", 1, part).sum({ axis: 2 }).add(bias!), cache.get(`${part}_out`, 1));
    }
    const parts = ["attn_out", "cross_attn_out", "mlp_out"].map((name) => cache.get(name, 0));
    await close(parts.reduce((sum, part) => sum.add(part), cache.get("embed").add(cache.get("pos_embed"))), cache.get("resid_post", 0)); // biome-ignore format: one line
    const masked = [...(await cache.get("attn_scores", 0).data())].filter((s) => s < -1e29).length;
    expect(masked).toBe(2 * 2 * ((T * (T - 1)) / 2));
  });

  it("stops at a layer with the residual stream of the full run there, without running more", async () => {
    const { cache: full } = model.runWithCache(tokens, context);
    for (const [stopAtLayer, name] of [
      [0, "blocks.0.hook_resid_pre"],
      [1, "blocks.0.hook_resid_post"],
      [-1, "blocks.1.hook_resid_pre"],
      [2, "blocks.1.hook_resid_post"],
    ] as const) {
      // biome-ignore format: a table
      const { residual, cache } = model.runWithCache(tokens, context, { stopAtLayer });
      expect(await residual.data(), name).toEqual(await full.get(name).data());
      const last = stopAtLayer < 0 ? 2 + stopAtLayer : stopAtLayer;
      expect([...cache.keys()]).toEqual(
        [...full.keys()].filter((key) => !/^ln_final/.test(key) && Number(/\d/.exec(key)?.[0] ?? -1) < last),
      );
      for (const [key, value] of cache) expect(await value.data()).toEqual(await full.get(key).data());
    }
    expect(() => model.runWithCache(tokens, context, { stopAtLayer: 3 })).toThrow("Expected stopAtLayer from -2 to 2 but found 3");
    expect(() => model.runWithCache(tokens, context, { stopAtLayer: 1, namesFilter: ["hook_embed", "blocks.1.hook_resid_pre"] })).toThrow(
      "Expected a run that reaches blocks.1.hook_resid_pre but found one that stops at layer 1",
    );
  });

  it("keeps some places only, of what has places", async () => {
    const { cache: full } = model.runWithCache(tokens, context, { namesFilter: "*" });
    const positions = (axes: readonly unknown[]): number => axes.indexOf("T");
    for (const [posSlice, from, to] of [
      [3, 3, 4],
      [-1, 6, 7],
      [[2, 5], 2, 5],
      [[-3], 4, 7],
    ] as const) {
      // biome-ignore format: a table
      const { cache } = model.runWithCache(tokens, context, { namesFilter: "*", posSlice });
      for (const { name, axes } of model.hookSites.sites) {
        const [whole, axis] = [full.get(name), positions(axes)];
        const part = axis < 0 ? whole : whole.narrow(axis, { start: from, length: to - from });
        const wanted = axis >= 0 && typeof posSlice === "number" ? part.squeeze(axis) : part;
        expect(cache.get(name).shape, name).toEqual(wanted.shape);
        expect(await cache.get(name).data()).toEqual(await wanted.data());
      }
    }
    const strided = model.runWithCache(tokens, context, { namesFilter: "hook_embed", posSlice: [null, null, 3] }).cache.get("hook_embed");
    expect(strided.shape).toEqual([2, 3, 8]);
  });

  it("drops the batch's axis for a batch of one, and no other", async () => {
    const one = tokens.narrow(0, { start: 0, length: 1 });
    const text = context.narrow(0, { start: 0, length: 1 });
    const { cache } = model.runWithCache(one, text, { removeBatchDim: true });
    const { cache: full } = model.runWithCache(one, text);
    for (const [name, value] of cache) {
      expect(value.shape).toEqual(full.get(name).shape.slice(1));
      expect(await value.data()).toEqual(await full.get(name).data());
    }
    expect(() => model.runWithCache(tokens, context, { removeBatchDim: true })).toThrow(
      "Expected a batch of one for removeBatchDim but found 2",
    );
  });

  it("brings a cache to the host, on demand or at once", async () => {
    const gpu = model.runWithCache(tokens, context, { namesFilter: "*hook_z" });
    const { cache, logits } = await model.runWithCache(tokens, context, { namesFilter: "*hook_z", device: "cpu" });
    expect(cache.get("z", 1).data).toBeInstanceOf(Float32Array);
    expect(new Map(cache)).toEqual(await hostOf(gpu.cache));
    expect(await logits.data()).toEqual(await gpu.logits.data());
  });

  it("keeps gradients of activations, those of hooks on gradients, and leaves the parameters' alone", async () => {
    const seen = new Map<string, Tensor>();
    {
      using _scope = model.hooks({ bwdHooks: [["*", (g, { name }) => void seen.set(name, g)]] });
      model.forward(tokens, context, targets).loss!.backward();
    }
    const before = [...model.parameters()].map((p) => p.grad);
    const { cache } = model.runWithCache(tokens, context, { targets, inclBwd: true, namesFilter: "*" });
    expect([...model.parameters()].map((p) => p.grad)).toEqual(before);
    for (const { name } of model.hookSites.sites) {
      expect(cache.get(`${name}_grad`).shape).toEqual(cache.get(name).shape);
      expect(await cache.get(`${name}_grad`).data(), name).toEqual(await seen.get(name)!.data());
    }
    expect(cache.get("resid_post_grad", 1)).toBe(cache.get("blocks.1.hook_resid_post_grad"));
    expect(() => model.runWithCache(tokens, context, { inclBwd: true })).toThrow("found no loss");
    model.zeroGrad();
  });

  it("sees what hooks before it have made of activations", async () => {
    using _scope = model.hooks({ fwdHooks: [["blocks.0.hook_mlp_out", (x) => x.mul(0)]] });
    const { cache } = model.runWithCache(tokens, context, { namesFilter: "blocks.0.hook_mlp_out" });
    expect(await cache.get("mlp_out", 0).abs().amax().item()).toBe(0);
  });
});

describe("disposing of a cache", () => {
  it("gives its memory back at once, and neither the model's nor the results'", async () => {
    const plain = await model.forward(tokens, context).logits.data();
    const inUse = () => device.stats().bytesInUse;
    const { cache, logits } = model.runWithCache(tokens, context, { namesFilter: "*" });
    const watched = await logits.clone().data();
    const before = inUse();
    const { bytes } = cache;
    cache.dispose();
    expect(before - inUse()).toBeGreaterThan(bytes / 2); // some share memory
    expect(await logits.data()).toEqual(watched);
    expect(await model.forward(tokens, context).logits.data()).toEqual(plain);
    expect(() => cache.get("hook_embed")).toThrow("one that was disposed of");
    cache.dispose();
  });

  it("leaves tensors alone that a hook has put in", async () => {
    const mean = tensor(new Float32Array(2 * T * 8).fill(0.5), { shape: [2, T, 8] });
    {
      using _scope = model.hooks({ fwdHooks: [["blocks.0.hook_mlp_out", () => mean]] });
      using _cache = model.runWithCache(tokens, context, { namesFilter: "*hook_mlp_out" }).cache;
    }
    expect(await mean.mean().item()).toBe(0.5);
  });
});

describe("a cache that is too large", () => {
  const refusal = (options: Parameters<Transformer["runWithCache"]>[2]): CacheBudgetError => {
    const before = device.stats();
    try {
      model.runWithCache(tokens, context, options);
    } catch (error) {
      expect(device.stats()).toEqual(before); // before anything ran
      return error as CacheBudgetError;
    }
    return expect.unreachable();
  };

  it("is refused before anything runs, with its size and a filter that fits", () => {
    const { cache } = model.runWithCache(tokens, context);
    const error = refusal({ budget: cache.bytes - 1 });
    expect(error).toBeInstanceOf(CacheBudgetError);
    expect(error.bytes).toBe(cache.bytes);
    expect(error.message).toMatch(/found that 60 activations of 2 × 7 tokens and 5 characters take .* It fits without "blocks\.\*\./);
    expect(model.runWithCache(tokens, context, { budget: cache.bytes - 1, namesFilter: error.namesFilter! }).cache.size).toBe(58);
    expect(model.runWithCache(tokens, context, { budget: cache.bytes }).cache.size).toBe(60);
  });

  it("counts slices and gradients, and suggests single layers where no more fits", () => {
    const namesFilter = "*attn.hook_pattern";
    const [self, cross] = [4 * 2 * 2 * T * T, 4 * 2 * 2 * T * S];
    expect(refusal({ namesFilter, budget: 1 }).bytes).toBe(2 * (self + cross));
    expect(refusal({ namesFilter, budget: 1, posSlice: [0, 2] }).bytes).toBe((2 * (self + cross) * 2) / T);
    expect(refusal({ namesFilter, budget: 1, targets, inclBwd: true }).bytes).toBe(4 * (self + cross));
    expect(refusal({ namesFilter, budget: 1 }).namesFilter).toBeNull();
    const one = refusal({ namesFilter, budget: cross });
    expect(one.namesFilter).toEqual(["blocks.0.cross_attn.hook_pattern"]);
    expect(one.message).toContain('Try namesFilter: ["blocks.0.cross_attn.hook_pattern"], posSlice');
  });

  it("is 512 MB by default: more than a batch of 32 with its patterns has, at the original's size", () => {
    const rows = model.hookTable({ batch: 32, tokens: 1000, characters: 50 });
    const bytes = rows.filter(({ isDefault }) => isDefault).reduce((sum, row) => sum + row.bytes, 0);
    expect(bytes).toBeGreaterThan(512 * 2 ** 20);
    const ids = (width: number): HostTensor => ({ shape: [32, width], dtype: "i32", data: new Int32Array(32 * width) });
    expect(() => model.runWithCache(ids(1000), ids(50))).toThrow("at most 512 MB but found that 60 activations of 32 × 1000 tokens");
  });
});
