import { architectures, createSae, presetNames, saePreset } from "@cursive/sae";
import { openDevice } from "@cursive/tensor";
import { describe, expect, it } from "vitest";
import { presets } from "../../../packages/cli/config/presets.ts";
import { modelPresets, saeTrainConfig, stepsOf } from "./train_config.ts";

describe("modelPresets", () => {
  it.each(["tiny", "small"] as const)("train what the command line's do: %s", (name) => {
    const [here, there] = [modelPresets[name].config, presets[name].config];
    const { words, characters, letters, bins, numWords, maxLength, contextLength, augmentation } = there.data;
    const { evaluateEvery: _, ...training } = there.training;
    expect([here.seed, here.steps, here.model, here.training]).toEqual([there.seed, there.steps, there.model, training]);
    expect(here.words).toEqual({ source: "cursive", count: words, characters, letters });
    expect([here.data, augmentation]).toEqual([{ bins, numWords, maxLength, contextLength }, "coarse"]);
  });

  it("have texts to write that their words and lengths allow", () => {
    for (const { config } of Object.values(modelPresets)) {
      for (const text of config.samples.texts) {
        expect(text.length).toBeLessThanOrEqual(config.data.contextLength);
        for (const letter of text.replaceAll(" ", "")) expect(config.words.characters).toContain(letter);
      }
    }
  });
});

describe("saeTrainConfig", () => {
  it.each([...presetNames])("is the preset where nothing is chosen: %s", (preset) => {
    expect(saeTrainConfig({ preset, site: "blocks.0.hook_mlp_out", dIn: 32, seed: saePreset(preset, { dIn: 32 }).sae.seed }).plan).toEqual({
      ...saePreset(preset, { dIn: 32 }),
      train: { ...saePreset(preset, { dIn: 32 }).train, seed: saePreset(preset, { dIn: 32 }).sae.seed },
    });
  });

  it("makes every architecture with either preset, as sparse as asked", async () => {
    using device = await openDevice();
    expect(device.name).not.toBe("");
    for (const preset of presetNames) {
      for (const architecture of architectures) {
        const config = saeTrainConfig({ preset, site: "s", dIn: 8, architecture, k: 3, coefficient: 0.7, dSae: 24, steps: 40 });
        const sae = createSae(config.plan.sae);
        expect([sae.architecture, sae.config.dSae, stepsOf(config)]).toEqual([architecture, 24, 40]);
        const { k, l1Coefficient, l0Coefficient } = sae.config as unknown as Record<string, number>;
        expect(k ?? l1Coefficient ?? l0Coefficient).toBe(architecture.includes("topk") || architecture === "matryoshka" ? 3 : 0.7);
      }
    }
  });

  it("keeps the mixing in proportion to the batch, and no more sequences in a batch than there are", () => {
    const chosen = { site: "s", dIn: 8 } as const;
    expect(saeTrainConfig({ ...chosen, preset: "default", batchRows: 100 }).plan.data.batch).toEqual({ rows: 100, bufferRows: 4000 });
    const { data } = saeTrainConfig({ ...chosen, preset: "notebook", sequences: 40 }).plan;
    expect([data.sequences, data.batch]).toEqual([40, { sequences: 40 }]);
  });
});
