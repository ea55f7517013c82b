import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkValues, nearestKey, parseSetting } from "./overrides.ts";
import { presets } from "./presets.ts";
import { runFields } from "./run_schema.ts";

describe("checkValues()", () => {
  it("takes every preset as it stands, with every key of the schema", () => {
    for (const { config } of Object.values(presets)) {
      const { overrides, problems } = checkValues(config, { from: "preset" });
      expect(problems).toEqual([]);
      expect(overrides.map(({ path }) => path).sort()).toEqual(runFields.map(({ path }) => path).sort());
    }
  });

  it("lists everything that is wrong, each with its path and what was expected", () => {
    const json = { steps: 0, training: { lr: "fast", rate: 1 }, data: 3, modle: {}, model: { nLayer: 2 } };
    const { overrides, problems } = checkValues(json, { from: "x.json" });
    expect(overrides).toEqual([{ path: "model.nLayer", value: 2, from: "x.json" }]);
    expect(problems).toEqual([
      "Expected steps to be a whole number from 1 but found 0",
      'Expected training.lr to be a number above 0 but found "fast"',
      'Expected a key of the configuration but found "training.rate": the nearest is training.lr',
      "Expected data to be a JSON object but found 3",
      'Expected a key of the configuration but found "modle": the nearest is model',
    ]);
  });

  it("is not misled by names that every object has", () => {
    for (const key of ["constructor", "toString", "__proto__"]) {
      expect(checkValues(JSON.parse(`{"${key}":{"x":1}}`), { from: "x" }).problems).toHaveLength(1);
    }
  });

  it("never throws, whatever JSON it is given", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (json) => {
        const { overrides, problems } = checkValues(json, { from: "x" });
        expect(overrides.length + problems.length).toBeGreaterThanOrEqual(typeof json === "object" && json !== null ? 0 : 1);
      }),
    );
  });
});

describe("nearestKey()", () => {
  it("finds a name in another section, a name in other words, a name with a slip", () => {
    expect(nearestKey("lr")).toBe("training.lr");
    expect(nearestKey("training.learningRate")).toBe("training.lr");
    expect(nearestKey("training.learning_rate")).toBe("training.lr");
    expect(nearestKey("batch_size")).toBe("training.batchSize");
    expect(nearestKey("model.layers")).toBe("model.nLayer");
    expect(nearestKey("model.nLayers")).toBe("model.nLayer");
    expect(nearestKey("block_size")).toBe("data.maxLength");
    expect(nearestKey("n_embd")).toBe("model.nEmbd");
    expect(nearestKey("sampels.texts")).toBe("samples.texts");
    expect(nearestKey("training.weigthDecay")).toBe("training.weightDecay");
  });
});

describe("parseSetting()", () => {
  it("reads key=value, the value with any further = in it", () => {
    expect(parseSetting("training.lr=1e-3")).toEqual({ path: "training.lr", value: 0.001, from: "--set" });
    expect(parseSetting("data.source=a=b.zip")).toMatchObject({ value: "a=b.zip" });
  });

  it("refuses what is no setting, no key, no fitting value, and a whole section", () => {
    expect(() => parseSetting("training.lr")).toThrow("Expected --set key=value");
    expect(() => parseSetting("=3")).toThrow("Expected --set key=value");
    expect(() => parseSetting("traning.lr=3")).toThrow("the nearest is training.lr");
    expect(() => parseSetting("training.lr=-1")).toThrow('Expected training.lr to be a number above 0 but found "-1"');
    expect(() => parseSetting("model=3")).toThrow("it has model.nLayer, model.nHead, model.nEmbd");
  });
});
