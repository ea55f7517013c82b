import { type ActivationHook, attentionHeads, generate } from "@cursive/cursive-model";
import { type Device, openDevice, tensor } from "@cursive/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { randomBench } from "../testing/random_bench.ts";
import { type AttentionBench, lossOnInk, lossOnWords, lossWithoutEach, readAttention, writeWithout } from "./attention.ts";

let device: Device;
let bench: AttentionBench;
beforeAll(async () => {
  device = await openDevice();
  bench = { ...randomBench(), modelFacts: { characters: "abcdefghijklmnopqrstuvwxyz", longestWord: 8 } };
});
afterAll(() => device.destroy());

const quiet = { report: () => {}, signal: new AbortController().signal };
const request = { text: "ink", seed: 3, temperature: 0.8, topK: 20 };
const cross = { attention: "cross_attn", layer: 1, head: 0 } as const;
const self = { attention: "attn", layer: 0, head: 1 } as const;

const sum = (values: ArrayLike<number>): number => Array.from(values).reduce((a, b) => a + b, 0);

/** What {@link cross} and {@link self} being off means, said in another way. */
const keeping =
  (...gates: number[]): ActivationHook =>
  (z) =>
    z.mul(tensor(gates).reshape([1, 1, 2, 1]));
const hooks = { fwdHooks: [["blocks.1.cross_attn.hook_z", keeping(0, 1)] as const, ["blocks.0.attn.hook_z", keeping(1, 0)] as const] };

describe("writeWithout", () => {
  it("writes what the model writes by itself where no head is off, and tells of each token", async () => {
    const [expected] = await generate(bench.model, { ...request, tokenizer: bench.tokenizer, texts: ["ink"] });
    let told: readonly number[] = [];
    const { tokens, ended } = await writeWithout(
      bench,
      { ...request, off: [] },
      {
        ...quiet,
        report: (now) => {
          told = [...now];
        },
      },
    );
    expect(tokens).toEqual([...expected!]);
    expect(told).toEqual(tokens);
    expect(ended).toBe(tokens.length < bench.model.config.blockSize);
  });

  it("writes what the whole sequence's recomputation gives with those heads zeroed, other ink than with them", async () => {
    const { tokens } = await writeWithout(bench, { ...request, off: [cross, self] }, quiet);
    const maxTokens = 24; // recomputing takes a whole pass a token
    {
      using _scope = bench.model.hooks(hooks);
      const [expected] = await generate(bench.model, { ...request, maxTokens, tokenizer: bench.tokenizer, texts: ["ink"] });
      expect(tokens.slice(0, maxTokens)).toEqual([...expected!]);
    }
    expect(tokens).not.toEqual((await writeWithout(bench, { ...request, off: [] }, quiet)).tokens);
  });

  it("leaves no hook behind where it is stopped", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(writeWithout(bench, { ...request, off: [cross] }, { ...quiet, signal })).rejects.toThrow("enough");
    expect([...bench.model.namedModules()].some(([, module]) => module.isHooked)).toBe(false);
  });
});

describe("readAttention", () => {
  it("gives every head's map over the ink and its figures", async () => {
    const { tokens } = await writeWithout(bench, { ...request, off: [] }, quiet);
    const { characters, heads, path } = await readAttention(bench, { text: "ink", tokens });
    expect(characters).toEqual(["i", "n", "k"]);
    expect(heads.map(({ attention, layer, head }) => ({ attention, layer, head }))).toEqual(attentionHeads(bench.model.config));
    expect(path).toHaveLength(tokens.length);
    for (const { attention, map } of heads) expect(map.keys).toBe(attention === "attn" ? tokens.length : 10);
  });
});

describe("lossOnInk", () => {
  it("is the loss of each token, and how it rises where heads are zeroed", async () => {
    const { tokens } = await writeWithout(bench, { ...request, off: [] }, quiet);
    const ink = tokens.slice(0, 40);
    const { losses, rises, meanLoss, meanRise } = await lossOnInk(bench, { text: "ink", tokens: ink, off: [cross, self] });
    const ids = (data: readonly number[]) => ({ shape: [1, data.length], dtype: "i32", data: Int32Array.from(data) }) as const;
    const context = ids([...bench.tokenizer.encodeText("ink", { length: 10 })]);
    const targets = ids([...ink.slice(1), bench.tokenizer.endToken]);
    const expected = (fwdHooks: typeof hooks.fwdHooks) =>
      bench.model.runWithHooks(ids(ink), context, { targets, fwdHooks, returnType: "loss", lossPerToken: true }).data();
    const [all, without] = [await expected([]), await expected(hooks.fwdHooks)];
    for (const [i, loss] of losses.entries()) {
      expect(loss).toBeCloseTo(all[i]!, 4);
      expect(loss + rises[i]!).toBeCloseTo(without[i]!, 4);
    }
    expect(meanLoss).toBeCloseTo(sum(all) / ink.length, 4);
    expect(meanRise).toBeCloseTo(sum(without) / ink.length - meanLoss, 4);
  });

  it("finds no rise without a head off, and refuses no ink", async () => {
    expect((await lossOnInk(bench, { text: "ink", tokens: [5, 6], off: [] })).meanRise).toBe(0);
    await expect(lossOnInk(bench, { text: "ink", tokens: [], off: [] })).rejects.toThrow("Expected ink but found none");
  });
});

describe("lossOnWords", () => {
  it("finds for each head what ablating the heads in turn finds", async () => {
    const passes: number[] = [];
    const { heads, real } = await lossWithoutEach(bench, { words: 3 }, { ...quiet, report: ({ done }) => void passes.push(done) });
    for (const { all: _, real: rise, ...head } of [heads[1]!, heads[6]!]) {
      const found = await lossOnWords(bench, { off: [head], words: 3 });
      expect(found.loss).toBeCloseTo(real.loss, 5);
      expect(found.rise).toBeCloseTo(rise.loss, 5);
      expect(found.standardError).toBeCloseTo(rise.standardError, 5);
    }
    expect(passes).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
});
