import { steeringHook } from "@cursive/sae";
import { type Device, type HostTensor, noGrad, openDevice } from "@cursive/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { randomBench } from "../testing/random_bench.ts";
import { ablateOnInk, type FeatureBench, inputsOf, readInk } from "./features.ts";

let device: Device;
let bench: FeatureBench;
beforeAll(async () => {
  device = await openDevice();
  bench = randomBench();
});
afterAll(() => device.destroy());

const ink = { tokens: Array.from({ length: 31 }, (_, i) => (i % 2 === 0 ? 100 + ((i * 7) % 70) : (i * 5) % 90)), text: "dog" };

/** The model's own loss a token, with a hook or without. */
async function lossesOf(hook?: Parameters<FeatureBench["model"]["runWithHooks"]>[2]["fwdHooks"]): Promise<number[]> {
  const { inputs, tokens } = inputsOf(bench, { ink, rows: 1 });
  const [ids, targets, context] = inputs as [HostTensor, HostTensor, HostTensor];
  const loss = noGrad(() =>
    bench.model.runWithHooks(ids, context, { targets, fwdHooks: hook ?? [], returnType: "loss", lossPerToken: true }),
  );
  return Array.from(await loss.data()).slice(0, tokens.length);
}

describe("readInk", () => {
  it("gives what fires at each token, and each token's loss", async () => {
    const reading = await readInk(bench, ink);
    const { inputs, tokens } = inputsOf(bench, { ink, rows: 1 });
    const { cache } = bench.model.runWithCache(inputs[0], inputs[2], { namesFilter: bench.site, removeBatchDim: true });
    const expected = await noGrad(() => bench.sae.encode(cache.get(bench.site))).data();
    const { dSae } = bench.sae.config;
    const found = new Float32Array(tokens.length * dSae);
    for (const { index, places, values } of reading.features)
      for (const [i, place] of places.entries()) found[place * dSae + index] = values[i]!;
    expect(reading.features.length).toBeGreaterThan(2);
    for (const [i, value] of found.entries()) expect(value).toBeCloseTo(expected[i]!, 5);
    for (const [place, loss] of (await lossesOf()).entries()) expect(reading.losses[place]).toBeCloseTo(loss, 5);
    expect([reading.losses.length, reading.cut]).toEqual([31, 0]);
  });

  it("reads what fits, and says how much did not", async () => {
    const long = { tokens: Array.from({ length: 150 }, (_, i) => (i % 2 === 0 ? 100 : 3)), text: "a" };
    const { tokens, cut, losses } = await readInk(bench, long);
    expect([tokens.length, cut, losses.length]).toEqual([127, 23, 127]);
    await expect(readInk(bench, { tokens: [], text: "a" })).rejects.toThrow("Expected ink but found none");
  });
});

describe("ablateOnInk", () => {
  it("gives the rise in each token's loss where one feature is held at 0, however many are asked for", async () => {
    const { features } = await readInk(bench, ink);
    const asked = features.slice(0, 18);
    const told: [number, number][] = [];
    const found = await ablateOnInk(bench, { ink, features: asked, onProgress: (done, total) => told.push([done, total]) });
    expect(found.map(({ index }) => index)).toEqual(asked.map(({ index }) => index));
    expect(told.at(-1)).toEqual([asked.length, asked.length]);
    const untouched = await lossesOf();
    for (const latent of [asked[0]!.index, asked.at(-1)!.index]) {
      const hook = steeringHook(bench.sae, { dSae: bench.sae.config.dSae, held: [{ latent, value: 0 }] });
      const expected = (await lossesOf([[bench.site, hook]])).map((loss, place) => loss - untouched[place]!);
      const { rises } = found.find(({ index }) => index === latent)!;
      for (const [place, rise] of expected.entries()) expect(rises[place]).toBeCloseTo(rise, 4);
      expect(Math.max(...rises.map(Math.abs))).toBeGreaterThan(1e-3);
    }
  });

  it("stops when asked to", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(ablateOnInk(bench, { ink, features: [{ index: 0, places: [1], values: [1] }], signal })).rejects.toThrow("enough");
  });
});
