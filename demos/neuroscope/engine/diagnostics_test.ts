import { openDevice, writeSafetensors } from "@cursive/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { randomBench } from "../testing/random_bench.ts";
import { Bench } from "./bench.ts";
import { engineStats, measureSpeed, type SelfTestProgress, selfTest } from "./diagnostics.ts";

let bench: Bench;
beforeAll(async () => {
  const device = await openDevice();
  const { model, tokenizer } = randomBench();
  const metadata = { format: "cursive-model", config: JSON.stringify(model.config), tokenizer: JSON.stringify(tokenizer), step: "0" };
  bench = new Bench(device);
  await bench.loadModel({ name: "random", bytes: writeSafetensors(await model.stateDict(), { metadata }) });
});
afterAll(() => bench.device.destroy());

const quiet = { report: () => {}, signal: new AbortController().signal };

describe("selfTest", () => {
  it("finds every op within its bound and the same bits again, and tells of each op", async () => {
    const heard: SelfTestProgress[] = [];
    const found = await selfTest(bench, {}, { ...quiet, report: (progress) => void heard.push(progress) });
    expect(found.ops.length).toBeGreaterThan(10);
    for (const { name, outcome } of found.ops) expect([name, outcome.worst !== null && outcome.worst <= 1]).toEqual([name, true]);
    expect(found.repeated).toMatchObject({ differingAgain: 0, differingEagerly: 0 });
    expect(heard.map(({ done }) => done)).toEqual(heard.map((_, i) => i));
    expect(heard.at(-1)).toMatchObject({ done: found.ops.length, total: found.ops.length + 1 });
    expect(heard.at(-1)!.ops).toEqual(found.ops);
    expect(found.family).toBe(bench.device.family);
  });

  it("stops where it is asked to", async () => {
    await expect(selfTest(bench, {}, { ...quiet, signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough");
  });
});

describe("measureSpeed", () => {
  it("gives speeds above 0 and says what it times", async () => {
    const heard: string[] = [];
    const { products, memory, latency, writing } = await measureSpeed(bench, {}, { ...quiet, report: (text) => void heard.push(text) });
    for (const { gigaflops } of products) expect(gigaflops).toBeGreaterThan(0);
    for (const speed of [memory.copy, memory.sum, latency.launch, latency.readback, writing.tokensPerSecond])
      expect(speed).toBeGreaterThan(0);
    expect([heard[0], heard.at(-1)]).toEqual(["launches", "writing"]);
  });
});

describe("engineStats", () => {
  it("counts the memory of the model at least", async () => {
    const { bytesInUse, peakBytes } = await engineStats(bench);
    expect(bytesInUse).toBeGreaterThan(4 * bench.modelFacts.parameters);
    expect(peakBytes).toBeGreaterThanOrEqual(bytesInUse);
  });
});
