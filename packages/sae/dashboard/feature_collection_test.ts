import { makeWords, StrokeTokenizer, type Transformer, targetBatches, WordDataset } from "@cursive/cursive-model";
import { type Device, type HostTensor, openDevice } from "@cursive/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { randomModel } from "../../cursive-model/testing/random_model.ts";
import { logitEffects } from "../analysis/logit_effects.ts";
import { createSae } from "../create_sae.ts";
import type { FeatureCollection } from "../formats/feature_data.ts";
import { writeNeuronpedia, writeNeuronpediaBatch } from "../formats/neuronpedia.ts";
import { writeSaeDashboard } from "../formats/saedashboard.ts";
import type { SparseAutoencoder } from "../sae.ts";
import { buildFeaturePages } from "./build_feature_pages.ts";
import { featureCollection } from "./feature_collection.ts";
import type { FeaturePages } from "./feature_page_source.ts";
import type { FeaturePage } from "./feature_pages.ts";
import { madeFeatures } from "./testing/made_features.ts";
import { tokenMeaning } from "./token_table.ts";

const [width, dSae, around] = [8, 12, 6];

let device: Device;
let model: Transformer;
let sae: SparseAutoencoder;
let tokenizer: StrokeTokenizer;
let pages: FeaturePages;
let decoder: HostTensor;
let collection: FeatureCollection;

const buildAt = (hook: string, wide = sae): Promise<FeaturePages> => {
  const words = makeWords({ count: 30, characters: "aeinst", letters: [1, 3], spacing: 0.1 });
  const dataset = new WordDataset(words, {
    tokenizer,
    numWords: 1,
    maxLength: 40,
    contextLength: 4,
    combinations: { train: 20, test: 20 },
  });
  return buildFeaturePages(wide, {
    ...{ model, hook, tokenizer, batches: targetBatches(dataset, { batches: 3, batchSize: 4 }), ablations: 0, attributions: 0 },
    about: { title: "mini", words: "some words", createdAt: "2026-01-01T00:00:00.000Z" },
  });
};

beforeAll(async () => {
  device = await openDevice();
  tokenizer = new StrokeTokenizer({ alphabet: "aeinst", bins: "polar-73", decode: "centre" });
  const { vocabSize, contextVocabSize } = tokenizer;
  model = randomModel({ nLayer: 2, nHead: 2, nEmbd: width, blockSize: 40, contextBlockSize: 4, vocabSize, contextVocabSize }, 1);
  sae = createSae({ architecture: "topk", k: 3, dIn: width, dSae, seed: 2 });
  const state = await sae.stateDict();
  state.get("b_enc")!.data[5] = -1e6; // dead
  sae.loadStateDict(state);
  decoder = (await sae.stateDict()).get("W_dec")!;
  pages = await buildAt("blocks.0.hook_mlp_out");
  collection = await featureCollection(pages, { decoder, modelLayers: 2, around, logits: 7 });
});
afterAll(() => device.destroy());

const close = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-5 * Math.max(Math.abs(a), Math.abs(b));
const pageOf = (index: number): Promise<FeaturePage> => pages.page(index);

describe("featureCollection", () => {
  it("says where the features come from", async () => {
    const { features, tokensPerSequence, ...about } = collection;
    expect(about).toEqual({
      ...{ model: "cursive-transformer", modelLayers: 2, layer: 0, hookName: "blocks.0.hook_mlp_out", set: "mlp-out-12", dSae },
      ...{ dataset: "some words", sequences: 12, creator: "cursive", createdAt: "2026-01-01T00:00:00.000Z" },
    });
    const lengths = await Promise.all(Array.from({ length: 12 }, async (_, number) => (await pages.sequence(number)).tokens.length));
    expect(tokensPerSequence).toBe(Math.max(...lengths));
    const alive = (await pages.overview()).features.filter(({ density }) => density > 0);
    expect(alive.length).toBeLessThan(dSae); // 5 is dead for certain
    expect(features.map(({ index }) => index)).toEqual(alive.map(({ index }) => index));
  });

  it("shows each example with the activations around its place, and 0 where the feature is silent", async () => {
    let windows = 0;
    for (const feature of collection.features) {
      const page = await pageOf(feature.index);
      const groups = page.examples.filter(({ kind }) => kind === "top" || kind === "band");
      expect(feature.bands.map(({ kind, examples }) => [kind, examples.length])).toEqual(
        groups.map(({ kind, examples }) => [kind === "top" ? "top" : "interval", examples.length]),
      );
      for (const [b, { examples, low, high }] of feature.bands.entries()) {
        for (const [e, example] of examples.entries()) {
          const card = groups[b]!.examples[e]!;
          const { tokens } = await pages.sequence(card.sequence);
          const first = card.position - example.peak;
          expect(first).toBe(Math.max(0, card.position - around));
          expect(example.tokenIds).toEqual(tokens.slice(first, card.position + around + 1));
          expect(example.tokens).toEqual(example.tokenIds.map((id) => tokenMeaning(id, tokenizer)));
          const firings = new Map(card.positions.map((place, i) => [place, card.values[i]!]));
          for (const [i, value] of example.activations.entries()) expect(close(value, firings.get(first + i) ?? 0)).toBe(true);
          const peak = example.activations[example.peak]!;
          expect(peak).toBeGreaterThan(0);
          expect(peak >= low * (1 - 1e-5) && peak <= high * (1 + 1e-5)).toBe(true);
          windows += Number(example.tokenIds.length < 2 * around + 1); // cut at an end of the sequence
        }
      }
      const [top] = feature.bands;
      expect(close(top!.examples[0]!.activations[top!.examples[0]!.peak]!, feature.maxActivation)).toBe(true);
    }
    expect(windows).toBeGreaterThan(0);
  });

  it("counts frequencies, bars and logits of all tokens", async () => {
    const { rows } = (await pages.overview()).about;
    const { weight } = model.lm_head;
    const unembedding: HostTensor = { shape: [...weight.shape], dtype: "f32", data: (await weight.data()) as Float32Array<ArrayBuffer> };
    const effects = logitEffects(decoder, { unembedding, scale: await model.transformer.ln_f.weight.data() });
    const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
    for (const { index, frequency, activations, logits, topLogits, bottomLogits } of collection.features) {
      const { firings } = await pageOf(index);
      expect(frequency * rows).toBeCloseTo(firings, 6);
      expect(sum(activations.heights)).toBe(firings);
      expect([sum(logits.heights), logits.heights.length, logits.edges.length]).toEqual([tokenizer.vocabSize, 50, 51]);
      const ranked = Array.from(effects[index]!, (effect, id) => ({ effect, id })).sort((a, b) => b.effect - a.effect);
      expect(topLogits.tokenIds).toEqual(ranked.slice(0, 7).map(({ id }) => id));
      expect(bottomLogits.tokenIds).toEqual(
        ranked
          .slice(-7)
          .reverse()
          .map(({ id }) => id),
      );
      for (const list of [topLogits, bottomLogits]) {
        expect(list.tokens).toEqual(list.tokenIds.map((id) => tokenMeaning(id, tokenizer)));
        for (const [i, id] of list.tokenIds.entries()) expect(Math.abs(list.logits[i]! - effects[index]![id]!)).toBeLessThan(1e-5);
      }
    }
  });

  it("gives decoder rows exactly, and tells others by cosine and by correlation", async () => {
    const row = (latent: number): number[] => Array.from((decoder.data as Float32Array).subarray(latent * width, (latent + 1) * width));
    for (const { index, vector, alignment, correlatedFeatures, nearestFeatures } of collection.features) {
      expect(Float32Array.from(vector!)).toEqual(Float32Array.from(row(index)));
      const total = row(index).reduce((sum, weight) => sum + Math.abs(weight), 0);
      for (const [i, dimension] of alignment!.indices.entries()) {
        expect(close(alignment!.values[i]!, row(index)[dimension]!)).toBe(true);
        expect(close(alignment!.shares[i]!, Math.abs(row(index)[dimension]!) / total)).toBe(true);
      }
      const { correlated, nearest } = await pageOf(index);
      expect(correlatedFeatures!.indices).toEqual(correlated.map(({ latent }) => latent));
      expect(correlatedFeatures!.correlations).toEqual(correlated.map(({ value }) => value));
      expect(nearestFeatures!.indices).toEqual(nearest.map(({ latent }) => latent));
      const cosines = new Map(nearest.map(({ latent, value }) => [latent, value]));
      for (const [i, latent] of correlatedFeatures!.indices.entries()) {
        const known = cosines.get(latent);
        if (known !== undefined) expect(correlatedFeatures!.cosines[i]).toBeCloseTo(known, 6);
      }
    }
  });

  it("makes what all three writers write of real pages", () => {
    const tree = writeNeuronpedia(collection);
    const records = (name: string): Record<string, unknown>[] =>
      tree
        .get(`cursive-transformer/0-mlp-out-12/${name}.jsonl`)!
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line));
    const examples = collection.features.flatMap(({ bands }) => bands.flatMap((band) => band.examples));
    expect([records("features/batch-0").length, records("activations/batch-0").length]).toEqual([
      collection.features.length,
      examples.length,
    ]);
    for (const [i, { maxValue, maxValueTokenIndex }] of records("activations/batch-0").entries()) {
      const { activations } = examples[i]!;
      expect(maxValue).toBeCloseTo(Math.max(...activations), 4);
      expect(maxValueTokenIndex).toBe(activations.indexOf(Math.max(...activations)));
    }
    expect(JSON.parse(writeNeuronpediaBatch(collection)).features).toHaveLength(collection.features.length);
    expect(Object.keys(JSON.parse(writeSaeDashboard(collection)).feature_data_dict)).toHaveLength(collection.features.length);
  });

  it("leaves logits out where the site adds nothing to the residual stream, and tells blocks by the hook", async () => {
    const wide = createSae({ architecture: "topk", k: 3, dIn: 4 * width, dSae, seed: 2 });
    const before = await buildAt("blocks.1.mlp.hook_pre", wide);
    const found = await featureCollection(before, { decoder: (await wide.stateDict()).get("W_dec")!, modelLayers: 2, features: [1] });
    expect(found).toMatchObject({ layer: 1, set: "mlp-pre-12", features: [{ logits: { heights: [] }, topLogits: { tokens: [] } }] });
    expect(JSON.parse(writeNeuronpediaBatch(found)).features[0]).toMatchObject({ pos_str: [], logits_hist_data_bar_heights: [] });
  });

  it("takes pages out of any source, and dead features if asked for", async () => {
    const made = madeFeatures();
    const rows: HostTensor = { shape: [24, 64], dtype: "f32", data: new Float32Array(24 * 64) };
    const options = { decoder: rows, modelLayers: 4, set: "k-8", model: "mine", creator: "me" };
    const some = await featureCollection(made, { ...options, features: [0, 5] });
    expect(some).toMatchObject({
      model: "mine",
      set: "k-8",
      creator: "me",
      features: [{ index: 0 }, { index: 5, bands: [], frequency: 0 }],
    });
    expect(some.features[0]!.alignment!.shares.every((share) => share === 0)).toBe(true); // a row of zeros has no shares
    expect(() => writeNeuronpedia(some)).not.toThrow();
    await expect(featureCollection(made, { ...options, features: [24] })).rejects.toThrow(
      "Expected one of the 24 features that have pages but found 24",
    );
    await expect(featureCollection(made, { ...options, decoder })).rejects.toThrow("Expected a decoder [24, 64], as the pages are of");
  });
});
