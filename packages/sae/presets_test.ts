import { type Device, openDevice } from "@cursive/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSae } from "./create_sae.ts";
import { ArrayStream } from "./data/array_stream.ts";
import { type PresetName, presetNames, saePreset } from "./presets.ts";
import { sparseDictionary } from "./testing/sparse_dictionary.ts";
import { SaeTrainer } from "./train/trainer.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

describe("saePreset", () => {
  it.each(presetNames)("trains: %s", async (name) => {
    const { sae, train, data } = saePreset(name, { dIn: 8, totalSteps: 20 });
    const rows = 200;
    const { value } = await sparseDictionary({ count: 12, width: 8, active: 2, seed: 1 }).batches(rows).next();
    const stream = new ArrayStream(value!, { groupRows: 10, groupsPerBatch: 10 });
    const trainer = new SaeTrainer(createSae(sae), { ...train, stream });
    const losses: number[] = [];
    for await (const { members } of trainer.run({ until: 5 })) losses.push(members[0]!.loss);
    expect(losses.every(Number.isFinite)).toBe(true);
    expect("rows" in data.batch).toBe(name === "default");
  });

  it("has the notebook's coefficient come to 77 a row, and says so", () => {
    const { sae, train } = saePreset("notebook", { dIn: 64 });
    const trainer = new SaeTrainer(createSae(sae), {
      ...train,
      stream: sparseDictionary({ count: 8, width: 64, active: 2, seed: 1 }).batches(10),
    });
    const text = trainer.describe({ batchRows: 256_000 }).join("\n");
    expect(text).toContain("76.8 a row");
    expect(text).toContain("5,000 of 256,000 rows, 1,280,000,000 rows in all, in chunks of 4,096");
    expect(text).toContain("Adam: betas 0.9, 0.99, eps 1e-8, gradients not clipped");
    expect(text).toContain("activations: as they are; b_dec starts at zero");
  });

  it("names the nearest preset", () => {
    expect(() => saePreset("notbook" as PresetName, { dIn: 8 })).toThrow(
      "Expected a preset but found 'notbook'; the nearest is 'notebook'",
    );
  });
});
