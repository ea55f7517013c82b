import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Bench } from "./bench.ts";
import { buildLiveFeatures, type LiveFeaturesProgress, liveFeaturePage, liveFeatureSequence } from "./live_features.ts";

const asset = (name: string): Uint8Array => readFileSync(new URL(`../assets/${name}`, import.meta.url));

let bench: Bench;
beforeAll(async () => {
  bench = await Bench.open({
    model: { name: "demo", bytes: asset("model.safetensors") },
    sae: { name: "demo", bytes: asset("sae.safetensors") },
  });
});
afterAll(() => bench.device.destroy());

describe("buildLiveFeatures", () => {
  it("makes an overview of the bench's autoencoder, and pages one by one, of words in the built-in hand", async () => {
    expect(() => liveFeaturePage(bench, { index: 0 })).toThrow("Expected feature pages to be built first but found none");
    const told: LiveFeaturesProgress[] = [];
    const context = { report: (progress: LiveFeaturesProgress) => told.push(progress), signal: new AbortController().signal };
    const overview = await buildLiveFeatures(bench, { sequences: 16, ablations: 0 }, context);
    expect(overview.about).toMatchObject({ hook: "blocks.1.hook_resid_post", dSae: 256, sequences: 16 });
    expect(overview.features).toHaveLength(256);
    expect(told.map(({ phase }) => phase)).toEqual(expect.arrayContaining(["reading", "tuning"]));
    const strongest = overview.features.toSorted((a, b) => b.density - a.density)[0]!;
    const page = await liveFeaturePage(bench, strongest);
    expect(page.firings).toBe(Math.round(strongest.density * overview.about.rows));
    const { sequence, position, activation } = page.examples[0]!.examples[0]!;
    expect(activation).toBeCloseTo(strongest.max, 5);
    const { tokens, text } = await liveFeatureSequence(bench, { number: sequence });
    expect(position).toBeLessThan(tokens.length);
    expect(text).toMatch(/^[a-z]{1,8}$/);
  });

  it("stops when asked to", async () => {
    const context = { report: () => {}, signal: AbortSignal.abort(new Error("enough")) };
    await expect(buildLiveFeatures(bench, { sequences: 8, ablations: 0 }, context)).rejects.toThrow("enough");
  });
});
