import { makeWords, StrokeTokenizer, spliceSite, type Transformer, targetBatches, tokenFilter, WordDataset } from "@cursive/cursive-model";
import { type Device, HookError, openDevice, tensor } from "@cursive/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { randomModel } from "../../cursive-model/testing/random_model.ts";
import { nearestLatents } from "../analysis/related.ts";
import { createSae } from "../create_sae.ts";
import { evaluateSae } from "../evaluation/evaluate_sae.ts";
import type { SparseAutoencoder } from "../sae.ts";
import { type BuildPhase, buildFeaturePages, type FeaturePagesOptions } from "./build_feature_pages.ts";
import { formatFeatureFile, parseFeatureFile } from "./feature_files.ts";
import type { FeaturePages } from "./feature_page_source.ts";
import type { FeaturePage } from "./feature_pages.ts";

const site = "blocks.0.hook_mlp_out";
const [width, dSae, padded] = [8, 12, 40];

let device: Device;
let model: Transformer;
let sae: SparseAutoencoder;
let tokenizer: StrokeTokenizer;
let dataset: WordDataset;
let pages: FeaturePages;
const batches = () => targetBatches(dataset, { batches: 3, batchSize: 4 });
const build = (options: Partial<FeaturePagesOptions> = {}): Promise<FeaturePages> =>
  buildFeaturePages(sae, {
    ...{ model, hook: "transformer.h.0.mlp.c_proj", tokenizer, batches: batches(), ablations: 8 },
    about: { title: "mini", words: "some words", createdAt: "2026-01-01T00:00:00.000Z" },
    ...options,
  });

beforeAll(async () => {
  device = await openDevice();
  tokenizer = new StrokeTokenizer({ alphabet: "aeinst", bins: "polar-73", decode: "centre" });
  const words = makeWords({ count: 30, characters: "aeinst", letters: [1, 3], spacing: 0.1 });
  dataset = new WordDataset(words, { tokenizer, numWords: 1, maxLength: padded, contextLength: 4, combinations: { train: 20, test: 20 } });
  const { vocabSize, contextVocabSize } = tokenizer;
  model = randomModel({ nLayer: 2, nHead: 2, nEmbd: width, blockSize: padded, contextBlockSize: 4, vocabSize, contextVocabSize }, 1);
  sae = createSae({ architecture: "topk", k: 3, dIn: width, dSae, seed: 2 });
  const state = await sae.stateDict();
  state.get("b_enc")!.data[5] = -1e6; // dead
  sae.loadStateDict(state);
  pages = await build();
});
afterAll(() => device.destroy());

async function allOf(source: FeaturePages): Promise<FeaturePage[]> {
  const found: FeaturePage[] = [];
  for await (const page of source.all()) found.push(page);
  return found;
}

describe("buildFeaturePages", () => {
  it("says in the overview what evaluating the autoencoder says", async () => {
    const { about, features, densities, densityFloor } = await pages.overview();
    const { activity, reconstruction, effect } = await evaluateSae(sae, {
      ...{ model: spliceSite(model, site), batches: batches(), keep: tokenFilter(tokenizer), padToken: tokenizer.padToken },
    });
    expect(about).toMatchObject({ title: "mini", hook: site, architecture: "topk", dIn: width, dSae, words: "some words", sequences: 12 });
    expect(about.rows).toBe(activity.rows);
    expect(features.map(({ density }) => density)).toEqual(activity.density);
    // attention that is watched runs by other kernels
    for (const { index, max } of features) expect(Math.abs(max - activity.maxActivation[index]!)).toBeLessThan(1e-5);
    expect(densities).toEqual(activity.histogram);
    expect(densityFloor).toBe(Math.log10(1 / activity.rows));
    expect(about.metrics).toMatchObject({ alive: activity.alive, dead: activity.dead, dense: activity.dense.over10Percent.latents });
    expect(about.metrics.l0).toBeCloseTo(reconstruction.l0.value, 12);
    expect(about.metrics.fve).toBeCloseTo(reconstruction.fve.value, 6);
    expect(about.metrics.deltaCe).toBeCloseTo(effect.real.sae.deltaCe.value, 6);
  });

  it("shows nothing of a dead feature but what its weights say", async () => {
    const { features } = await pages.overview();
    expect(features[5]).toMatchObject({
      index: 5,
      density: 0,
      max: 0,
      state: "dead",
      label: null,
      selectivity: null,
      deltaCe: 0,
      sparkline: [],
    });
    const page = await pages.page(5);
    expect(page).toMatchObject({
      firings: 0,
      examples: [],
      topTokens: [],
      correlated: [],
      letters: null,
      tuning: { factors: [], label: null },
    });
    expect(page.nearest).toEqual(nearestLatents((await sae.stateDict()).get("W_dec")!, { latent: 5 }));
    expect(page.logits!.theta).toHaveLength(tokenizer.padToken - tokenizer.firstThetaToken);
  });

  it("draws examples where features fire, with all that they do in that sequence", async () => {
    const { features } = await pages.overview();
    for (const page of await allOf(pages)) {
      if (page.firings === 0) continue;
      expect(page.activations.heights.reduce((a, b) => a + b, 0)).toBe(page.firings);
      expect(page.examples[0]!.kind).toBe("top");
      expect(page.examples[0]!.examples[0]!.activation).toBe(features[page.index]!.max);
      expect(page.topTokens[0]).toEqual({ ...page.topTokens[0], activation: features[page.index]!.max });
      for (const { examples, from, to } of page.examples) {
        for (const { sequence, position, activation, positions, values } of examples) {
          expect(values[positions.indexOf(position)]).toBe(activation);
          expect(activation >= from && activation <= to).toBe(true);
          const { tokens, text, letters } = await pages.sequence(sequence);
          expect(positions.every((place) => tokens[place]! < tokenizer.padToken)).toBe(true); // ink alone
          expect(letters[position]! < [...text].length && letters[position]! >= 0).toBe(true);
        }
      }
      const texts = await Promise.all(page.examples[0]!.examples.map(async ({ sequence }) => (await pages.sequence(sequence)).text));
      expect(new Set(texts).size).toBe(texts.length);
    }
  });

  it("counts in every factor the rows that the pass has counted", async () => {
    const { about, features } = await pages.overview();
    const page = await pages.page(features.findIndex(({ density }) => density > 0));
    const names = page.tuning.factors.map(({ name }) => name);
    expect(names).toEqual(["theta", "length", "pen", "place", "letter", "token", "turn", "x", "height"]);
    for (const { bins, name } of page.tuning.factors) {
      const [rows, firings] = [bins.reduce((sum, bin) => sum + bin.rows, 0), bins.reduce((sum, bin) => sum + bin.firings, 0)];
      expect(rows <= about.rows && firings <= page.firings, name).toBe(true);
      if (["place", "token", "x", "letter"].includes(name)) expect([rows, firings], name).toEqual([about.rows, page.firings]);
    }
  });

  it("counts padding where that is asked for, and says so", async () => {
    const keep = tokenFilter(tokenizer, { pad: true });
    const made = await build({ keep, attributions: 0 });
    const { about, features } = await made.overview();
    const { activity } = await evaluateSae(sae, {
      ...{ model: spliceSite(model, site), batches: batches(), keep, padToken: tokenizer.padToken, splice: "kept" },
    });
    expect(about.tokens).toEqual(["radius", "theta", "pad"]);
    expect((await pages.overview()).about.tokens).toBeUndefined();
    expect(about.rows).toBe(activity.rows);
    expect(features.map(({ density }) => density)).toEqual(activity.density);
    const padding = await build({ keep: Uint8Array.from(keep, (_, token) => Number(token === tokenizer.padToken)), attributions: 0 });
    const onPadding = (await padding.overview()).features;
    expect(onPadding.some(({ density }) => density === 1)).toBe(true); // what a random model does with it
    for (const { index, density } of onPadding) {
      if (density === 0) continue;
      const { topTokens, ablation } = await padding.page(index);
      for (const { sequence, position } of topTokens) expect((await padding.sequence(sequence)).tokens[position]).toBe(tokenizer.padToken);
      expect(ablation!.deltaCe).toBeCloseTo(0, 5); // no ink comes after it
    }
  });

  it("ablates exactly where it runs all sequences, and takes a part for the whole where not", async () => {
    const all = await build({ ablations: 12 });
    const [{ features }, { features: sampled }] = [await all.overview(), await pages.overview()];
    let [error, size] = [0, 0];
    for (const { index, density } of features) {
      const { ablation } = await all.page(index);
      expect(ablation!.sequences).toBe(ablation!.sequencesFiring);
      expect(ablation!.byClass.reduce((sum, { count }) => sum + count, 0)).toBe(ablation!.count);
      if (density > 0) expect(ablation!.klWhereFiring).toBeGreaterThan(-1e-6);
      const sample = (await pages.page(index)).ablation!;
      const isWhole = sample.sequences === sample.sequencesFiring;
      if (isWhole) expect(sample.deltaCeError).toBe(0);
      // ten standard errors: of 8 sequences their own spread is uncertain
      else expect(Math.abs(sample.deltaCe - ablation!.deltaCe)).toBeLessThan(10 * sample.deltaCeError!);
      error += Math.abs(features[index]!.deltaCe! - sampled[index]!.deltaCe!);
      size += Math.abs(features[index]!.deltaCe!);
    }
    expect(size).toBeGreaterThan(1e-4);
    expect(error / size).toBeLessThan(0.6); // 8 of 12 sequences each
    const others = Float32Array.from({ length: dSae }, (_, f) => Number(f !== 0));
    const { effect } = await evaluateSae(
      {
        encode: (x) => x,
        // x without feature 0
        decode: (x) => {
          const f = sae.encode(x);
          return x.sub(sae.decode(f)).add(sae.decode(f.mul(tensor(others))));
        },
        stateDict: () => sae.stateDict(),
      },
      { model: spliceSite(model, site), batches: batches(), keep: tokenFilter(tokenizer), splice: "kept", padToken: tokenizer.padToken },
    );
    expect(features[0]!.deltaCe).toBeCloseTo(effect.real.sae.deltaCe.value, 5);
  });

  it("attributes to letters of the texts", async () => {
    for (const { letters, firings } of await allOf(pages)) {
      if (firings === 0) continue;
      const { method, characters, heads, total, count } = letters!;
      expect([method, count]).toEqual(["first-order", Math.min(96, firings)]);
      expect(heads.map(({ layer, head }) => [layer, head])).toEqual([
        [0, 0],
        [0, 1],
      ]);
      expect(heads.reduce((sum, { mean }) => sum + mean, 0)).toBeCloseTo(total, 6);
      expect(characters.reduce((sum, one) => sum + one.mean * one.count, 0) / count).toBeCloseTo(total, 6);
      expect(characters.every(({ character }) => character === "" || tokenizer.alphabet.includes(character))).toBe(true);
    }
  });

  it("gives the same pages again, in files as they come back", async () => {
    const again = await allOf(await build());
    for (const [i, page] of (await allOf(pages)).entries()) {
      const text = formatFeatureFile("feature-00000.js", page);
      expect(formatFeatureFile("feature-00000.js", again[i]!)).toBe(text);
      const { value } = parseFeatureFile(text);
      expect(formatFeatureFile("feature-00000.js", value)).toBe(text);
    }
  });

  it.each([
    ["blocks.1.hook_resid_post", "exact", true],
    ["blocks.0.hook_resid_pre", null, true],
    ["blocks.1.attn.hook_z", null, true],
    ["ln_final.hook_normalized", "first-order", false],
  ] as const)("looks at %s as well", async (hook, method, addsToLogits) => {
    const other = createSae({ architecture: "gated", dIn: width, dSae: 6, seed: 3, l1Coefficient: 1 });
    const made = await buildFeaturePages(other, {
      ...{ model, hook, tokenizer, batches: targetBatches(dataset, { batches: 1, batchSize: 3 }), ablations: 2 },
      about: { title: "mini", words: "some words", createdAt: "2026-01-01T00:00:00.000Z" },
    });
    const { about, features } = await made.overview();
    expect(about).toMatchObject({ hook, architecture: "gated", sequences: 3 });
    const page = await made.page(features.find(({ density }) => density > 0)!.index);
    expect(page.letters?.method ?? null).toBe(method);
    expect(page.logits !== null).toBe(addsToLogits);
    expect(page.ablation!.sequences).toBe(Math.min(2, page.ablation!.sequencesFiring));
  });

  it("makes pages of some features only, leaves measuring out, and tells how far it is", async () => {
    const phases = new Map<BuildPhase, number>();
    const some = await build({
      features: [7, 2, 7],
      ablations: 0,
      attributions: 0,
      onProgress: (phase, { done }) => phases.set(phase, done),
    });
    const { features, about } = await some.overview();
    expect(features.map(({ index, deltaCe }) => [index, deltaCe])).toEqual([
      [2, null],
      [7, null],
    ]);
    expect(about.metrics.deltaCe).toBeNull();
    expect(Object.fromEntries(phases)).toEqual({ reading: 12, tuning: 2 });
    expect((await allOf(some)).map(({ index, ablation, letters }) => [index, ablation, letters])).toEqual([
      [2, null, null],
      [7, null, null],
    ]);
    await expect(some.page(3)).rejects.toThrow("Expected one of 2 features but found 3");
  });

  it("refuses features and hooks that are not there, and stops when asked", async () => {
    await expect(build({ features: [12] })).rejects.toThrow("Expected features below 12 but found 12");
    await expect(build({ hook: "blocks.0.nothing" })).rejects.toThrow(HookError);
    await expect(build({ batches: () => undefined })).rejects.toThrow("Expected tokens that are kept but found none in 0 sequences");
    const controller = new AbortController();
    const stopping = build({
      signal: controller.signal,
      onProgress: (phase) => phase === "ablating" && controller.abort(new Error("enough")),
    });
    await expect(stopping).rejects.toThrow("enough");
  });
});
