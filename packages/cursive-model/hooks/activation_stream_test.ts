import { type Device, fromHost, HookError, type HostTensor, openDevice, type Tensor } from "@cursive/tensor";
import { seededIndices } from "@cursive/tensor/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WordDataset } from "../data/dataset.ts";
import { StrokeTokenizer } from "../data/tokenizer.ts";
import { inkOf } from "../testing/ink.ts";
import { randomModel } from "../testing/random_model.ts";
import type { Transformer } from "../transformer.ts";
import { type ActivationChunk, type ActivationStreamOptions, activations, datasetBatches, type TokenBatch } from "./activation_stream.ts";
import { tokenFilter } from "./token_filter.ts";

const config = { nLayer: 3, nHead: 2, nEmbd: 8, blockSize: 12, contextBlockSize: 5, vocabSize: 11, contextVocabSize: 6 };
const [T, S] = [7, 5];
const sites = ["blocks.0.hook_mlp_out", "blocks.1.attn.hook_z", "blocks.1.mlp.hook_post"];

let device: Device;
let model: Transformer;
beforeAll(async () => {
  device = await openDevice();
  model = randomModel(config, 1);
});
afterAll(() => device.destroy());

const ids = (seed: number, shape: number[], n: number): HostTensor => ({
  shape,
  dtype: "i32",
  data: Int32Array.from(seededIndices(seed, shape, n).data),
});
/** Three batches of five sequences. */
const batchAt = (index: number): TokenBatch | undefined =>
  index < 3 ? { tokens: ids(10 + index, [5, T], 11), context: ids(20 + index, [5, S], 6) } : undefined;

interface Read {
  readonly chunk: ActivationChunk;
  readonly values: Record<string, number[]>;
}

/** All chunks with their kept rows, read back. */
async function read(options: Partial<ActivationStreamOptions> = {}, source: Parameters<typeof activations>[1] = batchAt): Promise<Read[]> {
  const all: Read[] = [];
  for await (const chunk of activations(model, source, { sites, chunk: 2, ...options })) {
    const values: Record<string, number[]> = {};
    for (const site of Object.keys(chunk.activations)) values[site] = [...(await chunk.rows(site).data())];
    all.push({ chunk, values });
  }
  return all;
}

describe("activations", () => {
  it("are those of a run with a cache, a row a token, heads side by side, chunk by chunk", async () => {
    const chunks = await read();
    expect(chunks.map(({ chunk }) => [chunk.place.batch, chunk.place.sequence, chunk.sequences])).toEqual(
      [0, 1, 2].flatMap((batch) => [[batch, 0, 2], [batch, 2, 2], [batch, 4, 1]]), // biome-ignore format: a table
    );
    for (const batch of [0, 1, 2]) {
      const { tokens, context } = batchAt(batch)!;
      const { cache } = model.runWithCache(tokens, context, { namesFilter: sites });
      const parts = chunks.filter(({ chunk }) => chunk.place.batch === batch);
      expect(parts.flatMap(({ chunk }) => [...chunk.tokens])).toEqual([...tokens.data]);
      expect(parts.flatMap(({ chunk }) => [...chunk.context])).toEqual([...context.data]);
      for (const site of sites) {
        const wanted = [...(await cache.get(site).data())];
        const found = parts.flatMap(({ values }) => values[site]!);
        expect(found).toHaveLength(wanted.length);
        const largest = Math.max(...wanted.map(Math.abs));
        for (const [i, value] of found.entries()) expect(Math.abs(value - wanted[i]!)).toBeLessThan(1e-5 * largest); // chunks sum in other orders
      }
    }
  });

  it("have a vector of the site's width for each token", async () => {
    for await (const chunk of activations(model, batchAt, { sites })) {
      expect(Object.entries(chunk.activations).map(([name, { shape }]) => [name, shape])).toEqual([
        ["blocks.0.hook_mlp_out", [5 * T, 8]],
        ["blocks.1.attn.hook_z", [5 * T, 8]],
        ["blocks.1.mlp.hook_post", [5 * T, 32]],
      ]);
      expect([chunk.length, chunk.next]).toEqual([T, { batch: chunk.place.batch + 1, sequence: 0 }]);
    }
  });

  it("go on at any place with what the unbroken stream gives, bit for bit", async () => {
    const whole = await read();
    for (const at of [1, 3, 5]) {
      const rest = await read({ from: whole[at - 1]!.chunk.next });
      expect(rest.map(({ values }) => values)).toEqual(whole.slice(at).map(({ values }) => values));
      expect(rest.map(({ chunk }) => chunk.place)).toEqual(whole.slice(at).map(({ chunk }) => chunk.place));
    }
  });

  it("come from lists and streams of batches as from numbered ones", async () => {
    const whole = await read();
    const list = [0, 1, 2].map((i) => batchAt(i)!);
    async function* stream(): AsyncGenerator<TokenBatch> {
      yield* list;
    }
    const from = { batch: 1, sequence: 2 };
    expect((await read({}, list)).map(({ values }) => values)).toEqual(whole.map(({ values }) => values));
    expect((await read({ from }, stream())).map(({ values }) => values)).toEqual(whole.slice(4).map(({ values }) => values));
  });

  it("keep the rows of the tokens asked for, in memory that outlives the chunk", async () => {
    const keep = Uint8Array.from({ length: 11 }, (_, token) => Number(token % 3 === 0));
    const held: { rows: Tensor; wanted: number[] }[] = [];
    for await (const chunk of activations(model, batchAt, { sites: sites[0]!, chunk: 2, keep })) {
      expect([...chunk.kept]).toEqual([...chunk.tokens.keys()].filter((row) => chunk.tokens[row]! % 3 === 0));
      const all = await chunk.activations[sites[0]!]!.data();
      held.push({ rows: chunk.rows(sites[0]!), wanted: [...chunk.kept].flatMap((row) => [...all.subarray(8 * row, 8 * row + 8)]) });
    }
    for (const { rows, wanted } of held) expect([...(await rows.data())]).toEqual(wanted);
    for await (const chunk of activations(model, batchAt, { sites, keep: new Uint8Array(11) }))
      expect(chunk.rows(sites[0]!).shape).toEqual([0, 8]);
  });

  it("cost as many launches as the layers they need, and one submission a chunk", async () => {
    const launches = async (site: string): Promise<number> => {
      const stream = activations(model, batchAt, { sites: site, chunk: 5 });
      await stream.next();
      const before = device.stats();
      await stream.next();
      const { dispatches, submits } = device.stats();
      await stream.return();
      expect(submits - before.submits).toBe(1);
      return dispatches - before.dispatches;
    };
    const [embedding, first, second, last] = [
      await launches("hook_embed"),
      await launches("blocks.0.hook_resid_post"),
      await launches("blocks.1.hook_resid_post"),
      await launches("ln_final.hook_normalized"),
    ];
    expect(embedding).toBe(1);
    const block = second! - first!;
    expect(block).toBeGreaterThan(5);
    expect(last).toBe(second! + block + 1); // the third block and the last normalisation
  });

  it("see the hooks of a scope", async () => {
    using _scope = model.hooks({ fwdHooks: [["blocks.0.hook_mlp_out", (x) => x.mul(0)]] });
    for (const { values } of await read({ sites: "blocks.0.hook_mlp_out" }))
      expect(new Set(values["blocks.0.hook_mlp_out"])).toEqual(new Set([0]));
  });

  it("refuse sites without a vector a token, unknown ones, and chunks of nothing", async () => {
    await expect(read({ sites: "*cross_attn.hook_k" })).rejects.toThrow("[B, T, ..], but found blocks.0.cross_attn.hook_k [B, S, H, D]");
    await expect(read({ sites: "*hook_pattern" })).rejects.toThrow(HookError);
    await expect(read({ sites: "hook_pos_embed" })).rejects.toThrow("found hook_pos_embed [1, T, C]");
    await expect(read({ sites: "blocks.0.hook_mlp" })).rejects.toThrow("nearest: blocks.0.hook_mlp_in, blocks.0.hook_mlp_out");
    await expect(read({ chunk: 0 })).rejects.toThrow("Expected chunks of 1 sequence or more but found 0");
    for await (const chunk of activations(model, batchAt, { sites }))
      expect(() => chunk.rows("hook_embed")).toThrow("but found 'hook_embed'");
  });

  it("stop when asked to, and leave no hook", async () => {
    const stop = new AbortController();
    let count = 0;
    const reading = (async () => {
      for await (const _chunk of activations(model, batchAt, { sites, chunk: 1, signal: stop.signal }))
        if (++count === 2) stop.abort(new Error("enough"));
    })();
    await expect(reading).rejects.toThrow("enough");
    expect(count).toBe(2);
    expect([...model.namedModules()].some(([, module]) => module.isHooked)).toBe(false);
  });
});

describe("activations of a dataset", () => {
  it("are of the very batches that training sees, of ink only if that is asked for", async () => {
    const tokenizer = new StrokeTokenizer({ bins: { theta: [-Math.PI, -1, 0, 1], radius: [0, 0.5, 1], wordToken: true } });
    const words = ["ab", "ba", "aa", "bb", "abb", "bab"].map((text, i) => ({ text, author: "one", points: inkOf(`0,0 1,${i} 2,0 2,0/`) }));
    const dataset = new WordDataset(words, { tokenizer, numWords: 2, maxLength: 30, contextLength: 8, split: { minTest: 2, maxTest: 2 } });
    const writer = randomModel({ ...config, blockSize: 30, contextBlockSize: 8, vocabSize: tokenizer.vocabSize, contextVocabSize: tokenizer.contextVocabSize }, 2); // biome-ignore format: one call
    const keep = tokenFilter(tokenizer);
    const options = { sites: "hook_embed", batchSize: 3, batches: 2, split: "train", keep } as const;
    const seen: number[] = [];
    for await (const chunk of activations(writer, dataset, options)) {
      seen.push(...chunk.tokens);
      expect([...chunk.kept].every((row) => chunk.tokens[row]! < tokenizer.padToken)).toBe(true);
      expect(chunk.kept.length).toBe([...chunk.tokens].filter((token) => token < tokenizer.padToken).length);
    }
    expect(seen).toEqual([0, 1].flatMap((step) => [...dataset.batch({ step, batchSize: 3, split: "train" }).tokens]));
    const second = datasetBatches(dataset, options)(1)!;
    expect(fromHost(second.tokens).shape).toEqual([3, 30]);
    expect(datasetBatches(dataset, options)(2)).toBeUndefined();
  });
});

describe("tokenFilter", () => {
  it("keeps kinds of tokens", () => {
    const tokenizer = new StrokeTokenizer({ bins: "polar-220-word" });
    const { firstThetaToken, padToken, endToken, wordToken, vocabSize } = tokenizer;
    const kept = (options?: Parameters<typeof tokenFilter>[1]): number[] =>
      [...tokenFilter(tokenizer, options)].flatMap((flag, token) => (flag ? [token] : []));
    const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
    expect(tokenFilter(tokenizer)).toHaveLength(vocabSize);
    expect(kept()).toEqual(range(0, padToken));
    expect(kept({ theta: false })).toEqual(range(0, firstThetaToken));
    expect(kept({ radius: false })).toEqual(range(firstThetaToken, padToken));
    expect(kept({ theta: false, radius: false, pad: true, end: true, word: true })).toEqual([padToken, endToken, wordToken]);
  });
});
