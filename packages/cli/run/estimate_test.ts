import { openDevice } from "@cursive/tensor";
import { describe, expect, it } from "vitest";
import { presets } from "../config/presets.ts";
import type { RunConfig } from "../config/run_config.ts";
import { miniConfig } from "../testing/mini.ts";
import { buildTrainer } from "./build_trainer.ts";
import { openData } from "./data.ts";
import { estimateRun } from "./estimate.ts";

const config = miniConfig({ "model.nEmbd": 32, "data.maxLength": 64, "training.batchSize": 4 });

/** A step is as large with any words. */
const withFewWords = (of: RunConfig): RunConfig => ({ ...of, data: { ...of.data, words: 100 } });

describe("estimateRun()", () => {
  it("knows the memory of a run before it is taken, evaluations and all, within 5 % of what the device then holds", async () => {
    const tiny = withFewWords(presets.tiny.config);
    const data = await openData(tiny);
    const estimated = async () => {
      using device = await openDevice();
      const start = device.stats().bytesHeld;
      const { bytes, parameters, seconds } = await estimateRun(tiny, { data, timedSteps: 0, say: () => {} });
      const held = device.stats().bytesHeld - start;
      expect(bytes.total).toBe(16 * parameters + bytes.step + bytes.evaluation);
      expect(bytes.evaluation).toBeGreaterThan(0.1 * bytes.total); // leaving it out would show
      expect(seconds).toBeUndefined();
      expect(Math.abs(bytes.total - held)).toBeLessThan(0.05 * held);
      return bytes;
    };
    const bytes = await estimated();

    // On a device of its own: what the estimate has left may be collected at any time.
    using device = await openDevice();
    const start = device.stats().bytesHeld;
    const taken = (): number => device.stats().bytesHeld - start;
    const trainer = buildTrainer(tiny, { dataset: data.dataset });
    for await (const { step } of trainer.run({ until: 2 })) expect(step).toBeLessThanOrEqual(2);
    expect(Math.abs(bytes.total - bytes.evaluation - taken())).toBeLessThan(0.05 * taken());
    await trainer.evaluate("test");
    await trainer.evaluate("train");
    expect(Math.abs(bytes.total - taken())).toBeLessThan(0.05 * taken());
  });

  it("finds room for the original's model, 32 sequences of 1,000 tokens, in less than 2 GB, and counts what the device then holds", async () => {
    using device = await openDevice();
    const reference = withFewWords(presets.reference.config);
    const data = await openData(reference);
    const before = device.stats().bytesHeld;
    const { bytes, tokensPerStep } = await estimateRun(reference, { data, timedSteps: 0, say: () => {} });
    const held = device.stats().bytesHeld - before;
    expect(tokensPerStep).toBe(32_000);
    expect(bytes.total).toBeLessThan(2e9);
    expect(bytes.total).toBeGreaterThan(4 * 32_000 * (455 + 20 * 64)); // logits, and what each of four layers keeps for the way back
    expect(Math.abs(bytes.total - held)).toBeLessThan(0.05 * held);
  });

  it("estimates the time from steps that it takes if asked to", async () => {
    using device = await openDevice();
    const estimate = await estimateRun(config, { data: await openData(config), timedSteps: 3, say: () => {} });
    expect(estimate.seconds).toBeCloseTo((config.steps * estimate.millisecondsPerStep!) / 1000);
    expect(device.name).not.toBe("");
  });
});
