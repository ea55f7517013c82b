import { openDevice } from "@cursive/tensor";
import { describe, expect, it } from "vitest";
import { presets } from "../config/presets.ts";
import { miniConfig } from "../testing/mini.ts";
import { buildTrainer } from "./build_trainer.ts";
import { openData } from "./data.ts";
import { estimateRun } from "./estimate.ts";

const config = miniConfig({ "model.nEmbd": 32, "data.maxLength": 64, "training.batchSize": 4 });

describe("estimateRun()", () => {
  it("knows the memory of a step before it is taken, within 5 % of what the device gives", async () => {
    using device = await openDevice();
    const data = await openData(config);
    const estimate = await estimateRun(config, { data, timedSteps: 0, say: () => {} });
    const trainer = buildTrainer(config, { dataset: data.dataset });
    const before = device.stats().bytesCreated;
    for await (const { step } of trainer.run({ until: 3 })) expect(step).toBeLessThanOrEqual(3);
    const taken = device.stats().bytesCreated - before;
    expect(Math.abs(estimate.bytes.step - taken)).toBeLessThan(0.05 * taken);
    expect(estimate.parameters).toBe(trainer.model.parameterCount());
    expect(estimate.bytes.total).toBe(16 * estimate.parameters + estimate.bytes.step);
    expect(estimate.seconds).toBeUndefined();
  });

  it("finds room for the original's model, 32 sequences of 1,000 tokens, in less than 2 GB, and counts what the device then holds", async () => {
    using device = await openDevice();
    const { reference } = presets;
    const few = { ...reference.config, data: { ...reference.config.data, words: 100 } }; // a step is as large with any words
    const data = await openData(few);
    const before = device.stats().bytesCreated;
    const { bytes, tokensPerStep } = await estimateRun(few, { data, timedSteps: 0, say: () => {} });
    const held = device.stats().bytesCreated - before;
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
