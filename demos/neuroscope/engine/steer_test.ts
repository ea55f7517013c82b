import { generate } from "@cursive/cursive-model";
import { steeringHook } from "@cursive/sae";
import { type Device, openDevice } from "@cursive/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { randomBench } from "../testing/random_bench.ts";
import { type FeatureBench, inputsOf } from "./features.ts";
import { steer } from "./steer.ts";

let device: Device;
let bench: FeatureBench;
beforeAll(async () => {
  device = await openDevice();
  bench = randomBench();
});
afterAll(() => device.destroy());

const settings = { text: "at", seed: 3, temperature: 0.8, topK: 40 };

describe("steer", () => {
  it("writes what `generate` writes with the same seed, untouched and with the hook that holds the features", async () => {
    const { model, tokenizer, sae, site } = bench;
    const held = [
      { latent: 4, value: 6 },
      { latent: 9, value: 0 },
    ];
    const seen: [number, number][] = [];
    const { baseline, steered, difference } = await steer(
      bench,
      { ...settings, held },
      { onTokens: (a, b) => seen.push([a.length, b.length]) },
    );
    const options = { tokenizer, texts: ["at"], seed: 3, temperature: 0.8, topK: 40 };
    const [untouched] = await generate(model, options);
    expect(baseline.tokens).toEqual([...untouched!]);
    using _hooks = model.hooks({ fwdHooks: [[site, steeringHook(sae, { dSae: sae.config.dSae, held })]] });
    const [touched] = await generate(model, options);
    expect(steered.tokens).toEqual([...touched!]);
    expect(steered.tokens).not.toEqual(baseline.tokens);
    expect(difference.sameTokens).toBeLessThan(baseline.tokens.length);
    expect(seen.at(-1)).toEqual([baseline.tokens.length, steered.tokens.length]);
  });

  it("gives the divergence of what would come next, along the baseline's ink", async () => {
    const { model, sae, site } = bench;
    const held = [{ latent: 4, value: 6 }];
    const { kl, meanKl, baseline } = await steer(bench, { ...settings, held });
    const { inputs } = inputsOf(bench, { ink: { tokens: baseline.tokens, text: "at" }, rows: 1 });
    const logits = async (fwdHooks: Parameters<typeof model.runWithHooks>[2]["fwdHooks"]) =>
      (await model.runWithHooks(inputs[0], inputs[2], { fwdHooks }).data()) as Float32Array;
    const untouched = await logits([]);
    const touched = await logits([[site, steeringHook(sae, { dSae: sae.config.dSae, held })]]);
    const vocabulary = model.config.vocabSize;
    const expected = baseline.tokens.map((_, place) => {
      const row = (all: Float32Array): number[] => Array.from(all.subarray(place * vocabulary, (place + 1) * vocabulary));
      return divergence(row(untouched), row(touched));
    });
    expect(kl).toHaveLength(baseline.tokens.length);
    for (const [place, value] of expected.entries()) expect(kl[place]).toBeCloseTo(value, 4);
    expect(meanKl).toBeCloseTo(expected.reduce((a, b) => a + b, 0) / expected.length, 4);
    expect(meanKl).toBeGreaterThan(0.01);
  });

  it("changes nothing where nothing is held", async () => {
    const { baseline, steered, meanKl, difference } = await steer(bench, { ...settings, held: [] });
    expect(steered).toEqual(baseline);
    expect([meanKl, difference.sameTokens]).toEqual([0, baseline.tokens.length]);
  });
});

/** KL of two softmaxes, in float64. */
function divergence(a: readonly number[], b: readonly number[]): number {
  const logSum = (row: readonly number[]): number => {
    const most = Math.max(...row);
    return most + Math.log(row.reduce((sum, value) => sum + Math.exp(value - most), 0));
  };
  const [za, zb] = [logSum(a), logSum(b)];
  return a.reduce((sum, value, i) => sum + Math.exp(value - za) * (value - za - (b[i]! - zb)), 0);
}
