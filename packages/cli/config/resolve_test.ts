import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { temporaryFolder } from "../testing/mini.ts";
import { presets } from "./presets.ts";
import { checkConfigFile, describeChanges, inconsistencies, readConfigFile, resolveConfig } from "./resolve.ts";

describe("presets", () => {
  it("are each right in themselves, and named as they are", () => {
    for (const [name, { config }] of Object.entries(presets)) {
      expect(inconsistencies(config)).toEqual([]);
      expect(config.preset).toBe(name);
    }
  });

  it("have the original's configuration in reference", () => {
    const { model, training, data, steps } = presets.reference.config;
    expect(model).toEqual({ nLayer: 4, nHead: 4, nEmbd: 64 });
    expect(data).toMatchObject({ bins: "polar-151", numWords: 4, maxLength: 1000, contextLength: 50, augmentation: "default" });
    expect(training).toMatchObject({ batchSize: 32, lr: 0.01, weightDecay: 1e-4, betas: [0.9, 0.99], maxGradNorm: null });
    expect(training.schedule).toEqual({ stepSize: 33_000, gamma: 0.333 });
    expect(training.evaluation).toEqual({ batches: 10, batchSize: 100 });
    expect(steps).toBe(110_000);
  });
});

describe("resolveConfig()", () => {
  it("lets later values win, and says who had a say", () => {
    const { config, changes } = resolveConfig("tiny", [
      { path: "training.lr", value: 0.02, from: "my.json" },
      { path: "steps", value: 50, from: "--set" },
      { path: "training.lr", value: 0.01, from: "--lr" },
      { path: "seed", value: 42, from: "my.json" },
    ]);
    expect([config.training.lr, config.steps, config.seed]).toEqual([0.01, 50, 42]);
    expect(describeChanges(changes)).toEqual(["training.lr  0.005 → 0.02 (my.json) → 0.01 (--lr)", "steps        3000 → 50 (--set)"]);
    expect(presets.tiny.config.training.lr).toBe(0.005);
  });

  it("refuses values that do not go together", () => {
    const refused = (path: string, value: unknown): void =>
      expect(() => resolveConfig("tiny", [{ path, value, from: "--set" }])).toThrow(UsageError);
    refused("model.nEmbd", 66);
    refused("data.letters", [5, 2]);
    refused("data.words", 10);
    refused("data.characters", "aß");
    refused("samples.texts", ["ünder"]);
    refused("samples.texts", ["a long text"]);
  });
});

describe("readConfigFile()", () => {
  it("gives the values of a file under its name, and the preset that it starts from", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "my.json");
    writeFileSync(path, JSON.stringify({ preset: "small", training: { lr: 0.1 } }));
    expect(await readConfigFile(path)).toEqual({
      preset: "small",
      overrides: [
        { path: "preset", value: "small", from: "my.json" },
        { path: "training.lr", value: 0.1, from: "my.json" },
      ],
    });
  });

  it("says in one line what is wrong: no file, no JSON, no object, a wrong key, values that do not go together", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "bad.json");
    const message = async (text: string): Promise<string> => {
      writeFileSync(path, text);
      const error = await readConfigFile(path).catch((e) => e);
      expect(error).toBeInstanceOf(UsageError);
      expect(error.message).not.toContain("\n");
      return error.message;
    };
    await expect(readConfigFile(join(folder.path, "none.json"))).rejects.toThrow("Expected a configuration file at");
    expect(await message('{\n "steps": 3,\n')).toContain("Expected JSON but found");
    expect(await message("[1]")).toContain("Expected a configuration to be a JSON object but found [1]");
    expect(await message('{"stepz": 3, "seed": -1}')).toContain('"stepz": the nearest is steps (and 1 more: see `config validate`)');
    expect(await message('{"model": {"nHead": 3}}')).toContain("Expected model.nEmbd to be a multiple of model.nHead, 3, but found 64");
    expect((await checkConfigFile(path)).problems).toHaveLength(1);
  });
});
