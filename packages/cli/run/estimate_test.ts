import { openDevice } from "@cursive/tensor";
import { describe, expect, it } from "vitest";
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

  it("estimates the time from steps that it takes if asked to", async () => {
    using device = await openDevice();
    const estimate = await estimateRun(config, { data: await openData(config), timedSteps: 3, say: () => {} });
    expect(estimate.seconds).toBeCloseTo((config.steps * estimate.millisecondsPerStep!) / 1000);
    expect(device.name).not.toBe("");
  });
});
