import { type Device, openDevice, tensor } from "@cursive/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WordDataset } from "../data/dataset.ts";
import { makeWords } from "../data/make_words.ts";
import { targetBatches } from "../data/target_batches.ts";
import { StrokeTokenizer } from "../data/tokenizer.ts";
import { randomModel } from "../testing/random_model.ts";
import { Transformer } from "../transformer.ts";
import { ablateHeads, attentionHeads } from "./ablate_heads.ts";
import { measureAttention } from "./measure_attention.ts";

const tokenizer = new StrokeTokenizer({ bins: "polar-73" });
const sizes = { vocabSize: tokenizer.vocabSize, contextVocabSize: tokenizer.contextVocabSize };
const config = { nLayer: 2, nHead: 2, nEmbd: 8, blockSize: 48, contextBlockSize: 6, ...sizes };
const words = makeWords({ count: 30, seed: 3, characters: "aeinst", letters: [1, 2] });
const dataset = new WordDataset(words, { tokenizer, numWords: 1, maxLength: 48, contextLength: 6, combinations: { train: 20, test: 3 } });

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

describe("measureAttention", () => {
  const tokens = tokenizer.encodeStrokes(words[0]!.points).subarray(0, 20);

  it("gives shares of each head's own: rows sum to 1, and ink looks back only", async () => {
    const model = randomModel(config, 5);
    const { heads, path, characters } = await measureAttention(model, { text: "tin", tokens, tokenizer });
    expect(heads.map(({ attention, layer, head }) => ({ attention, layer, head }))).toEqual(attentionHeads(config));
    expect([characters.join(""), path.length]).toEqual(["tin", tokens.length]);
    for (const { attention, map } of heads) {
      const { rows, keys, weights } = map;
      expect([rows, keys, map.real]).toEqual(attention === "attn" ? [20, 20, 20] : [20, 6, 3]);
      for (let row = 0; row < rows; row++) {
        const shares = Array.from(weights).slice(row * keys, (row + 1) * keys);
        expect(shares.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);
        if (attention === "attn") expect(Math.max(0, ...shares.slice(row + 1))).toBe(0);
      }
    }
    const spelled = await model.runWithCache(
      { shape: [1, 20], dtype: "i32", data: Int32Array.from(tokens) },
      { shape: [1, 6], dtype: "i32", data: tokenizer.encodeText("tin", { length: 6 }) },
      { namesFilter: "blocks.*.*.hook_pattern", device: "cpu" },
    );
    const { data } = spelled.cache.get("blocks.1.cross_attn.hook_pattern");
    expect(Array.from(heads.at(-1)!.map.weights)).toEqual([...data.subarray(data.length / 2)]);
  });

  it("finds nothing in a model whose queries are zero: even attention, on padding by its share of the places", async () => {
    const model = new Transformer(config);
    const state = model.stateDict();
    const zeros = new Map(
      [...(await state)].map(([name, t]) => [name, name.includes("c_attn_q") ? { ...t, data: new Float32Array(t.data.length) } : t]),
    );
    model.loadStateDict(zeros);
    const { heads } = await measureAttention(model, { text: "at", tokens, tokenizer });
    for (const { attention, entropy, padMass, letterMass, diagonality } of heads) {
      if (attention === "attn") continue;
      expect([entropy, padMass, letterMass, diagonality].map((x) => x!.toFixed(5).replace("-0.00000", "0.00000"))).toEqual([
        Math.log2(6).toFixed(5),
        (4 / 6).toFixed(5),
        (1 / 6).toFixed(5),
        "0.00000",
      ]);
    }
  });

  it("refuses a text that the model has no room for, and no ink", async () => {
    const model = randomModel(config, 5);
    await expect(measureAttention(model, { text: "tinsel!", tokens, tokenizer })).rejects.toThrow("1 to 6 characters");
    await expect(measureAttention(model, { text: "a", tokens: new Int32Array(0), tokenizer })).rejects.toThrow("0 tokens");
  });
});

describe("ablateHeads", () => {
  it("gives the rise in loss that a hook gives which zeroes the head, and leaves no hook behind", async () => {
    const model = randomModel(config, 7);
    const found = await ablateHeads(model, { dataset, sequences: 3 });
    expect(found.heads.map(({ attention, layer, head }) => ({ attention, layer, head }))).toEqual(attentionHeads(config));
    const { tokens, targets, context } = targetBatches(dataset, { batches: 1, batchSize: 3 })(0)!;
    const mean = async (fwdHooks: Parameters<typeof model.hooks>[0]["fwdHooks"]): Promise<number> =>
      model.runWithHooks(tokens, context, { targets, fwdHooks, returnType: "loss" }).item();
    const baseline = await mean([]);
    expect(found.all.loss).toBeCloseTo(baseline, 5);
    for (const { attention, layer, head, all, real } of found.heads) {
      const without = await mean([
        [`blocks.${layer}.${attention}.hook_z`, (z) => z.mul(tensor([head === 0 ? 0 : 1, head === 1 ? 0 : 1]).reshape([1, 1, 2, 1]))],
      ]);
      expect(all.loss).toBeCloseTo(without - baseline, 5);
      expect(Math.abs(real.loss)).toBeGreaterThan(0);
    }
    expect(await mean([])).toBe(baseline);
  });

  it("finds the same in pieces", async () => {
    const model = randomModel(config, 7);
    const [whole, pieces] = [
      await ablateHeads(model, { dataset, sequences: 3 }),
      await ablateHeads(model, { dataset, sequences: 3, pieceSize: 2 }),
    ];
    for (const [i, { real }] of whole.heads.entries()) expect(pieces.heads[i]!.real.loss).toBeCloseTo(real.loss, 5);
    await expect(ablateHeads(model, { dataset, pieceSize: 0 })).rejects.toThrow("Expected pieceSize from 1 but found 0");
  });

  it("stops where it is asked to", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(ablateHeads(randomModel(config, 1), { dataset, sequences: 1, signal })).rejects.toThrow("enough");
  });
});
