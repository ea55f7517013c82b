import { architectures, createSae, presetNames, saePreset } from "@cursive/sae";
import { openDevice } from "@cursive/tensor";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkValues, type Override } from "../config/overrides.ts";
import { gridMembers } from "./grid.ts";
import { resolveSaeConfig, saeConfigOf, trainOptionsOf } from "./resolve_sae_config.ts";
import { saeKeys } from "./sae_schema.ts";

const set = (values: Readonly<Record<string, unknown>>): Override[] =>
  Object.entries(values).map(([path, value]) => ({ path, value, from: "test" }));

describe("resolveSaeConfig()", () => {
  it("gives createSae and the trainer what the presets of the package say, at any width and number of steps", async () => {
    using _ = await openDevice();
    for (const preset of presetNames) {
      for (const [dIn, totalSteps] of [
        [8, 40],
        [32, 999],
      ] as const) {
        // biome-ignore format: pairs
        const { config } = resolveSaeConfig(preset, set({ steps: totalSteps }));
        const expected = saePreset(preset, { dIn, totalSteps });
        expect(createSae(saeConfigOf(config.sae, dIn)).config).toEqual(createSae(expected.sae).config);
        expect(trainOptionsOf(config)).toMatchObject(expected.train);
      }
    }
  });

  it("takes its own configurations back as they are, with every key of the schema", () => {
    for (const preset of presetNames) {
      for (const architecture of architectures) {
        const { config } = resolveSaeConfig(preset, set({ "sae.architecture": architecture, grid: ["sae.seed=0,1"] }));
        const { overrides, problems } = checkValues(config, { from: "config.json", keys: saeKeys });
        expect(problems).toEqual([]);
        expect(overrides.map(({ path }) => path).sort()).toEqual(saeKeys.fields.map(({ path }) => path).sort());
        expect(resolveSaeConfig(preset, overrides).config).toEqual(config);
      }
    }
  });

  it("starts another architecture at its own defaults, not at the preset's numbers", () => {
    const { config } = resolveSaeConfig("notebook", set({ "sae.architecture": "gated", "sae.seed": 3 }));
    expect(config.sae).toMatchObject({ architecture: "gated", l1Coefficient: null, init: null, expansion: 8, seed: 3 });
  });

  it("refuses values that do not go together, and options that the architecture does not have", () => {
    const cases: [object, string][] = [
      [
        { "sae.architecture": "standard", "sae.k": 4 },
        "Expected no sae.k for the architecture standard but found 4: it is one of topk, batchtopk, matryoshka",
      ],
      [{ steps: 10, "training.warmupSteps": 9 }, "Expected training.warmupSteps and decaySteps within 10 steps but found 9 + 2"],
      [{ "data.bufferRows": 100 }, "Expected data.bufferRows of at least data.batchRows, 2048, but found 100"],
      [{ "data.batchSequences": 4 }, "Expected either data.batchRows or data.batchSequences and null for the other but found 2048 and 4"],
    ];
    for (const [values, message] of cases)
      expect(() => resolveSaeConfig("default", set(values as Record<string, unknown>))).toThrow(message);
    const hooks = ["blocks.0.hook_mlp_out", "blocks.1.hook_mlp_out"];
    expect(() => resolveSaeConfig("default", set({ "source.hooks": [hooks[0], hooks[0]] }))).toThrow(
      "Expected source.hooks that differ but found blocks.0.hook_mlp_out twice",
    );
    expect(() => resolveSaeConfig("default", set({ "source.hooks": hooks, "source.activations": "x" }))).toThrow(
      "Expected one of source.hooks with cached activations, which are of one, but found blocks.0.hook_mlp_out, blocks.1.hook_mlp_out",
    );
    expect(() => resolveSaeConfig("notebook", set({ "data.tokens": ["theta"] }))).toThrow(
      "Expected data.tokens to be theta,radius,word,end,pad",
    );
    expect(() => resolveSaeConfig("notebook", set({ "data.storage": "f16" }))).toThrow(
      "Expected data.storage f32 for whole sequences, which wait in main memory, but found f16",
    );
    expect(() => resolveSaeConfig("notebook", set({ "source.activations": "x" }))).toThrow(
      "Expected data.batchRows with cached activations",
    );
  });
});

describe("gridMembers()", () => {
  const members = (...grid: string[]): ReturnType<typeof gridMembers> => gridMembers(resolveSaeConfig("default", set({ grid })).config);

  it("is the one configuration without a grid, and every combination with one, each once, under a name of its own", () => {
    expect(gridMembers(resolveSaeConfig("default", []).config).map(({ name }) => name)).toEqual(["sae"]);
    const axis = (most: number): fc.Arbitrary<number[]> =>
      fc.uniqueArray(fc.integer({ min: 1, max: most }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(axis(64), axis(1000), (ks, seeds) => {
        const all = members(`k=${ks}`, `sae.seed=${seeds}`);
        expect(all.map(({ config }) => [config.sae.k, config.sae.seed])).toEqual(ks.flatMap((k) => seeds.map((seed) => [k, seed])));
        expect(new Set(all.map(({ name }) => name)).size).toBe(ks.length * seeds.length);
        for (const { config } of all) expect(config.grid).toBeNull();
      }),
    );
    const hooks = ["blocks.0.hook_mlp_out", "blocks.1.hook_resid_post"];
    const several = (grid: readonly string[] | null): [string, number][] =>
      gridMembers(resolveSaeConfig("default", set({ "source.hooks": hooks, grid })).config).map(({ name, site }) => [name, site]);
    expect(several(null)).toEqual(hooks.map((hook, i) => [hook, i]));
    expect(several(["k=4,8"])).toEqual(hooks.flatMap((hook, i) => [4, 8].map((k) => [`${hook}_k-${k}`, i])));
    const nested = gridMembers(
      resolveSaeConfig("default", set({ "sae.architecture": "matryoshka", grid: ["widths=[16,64],[32, 64],null"] })).config,
    );
    expect(nested.map(({ name, config }) => [name, config.sae.widths])).toEqual([
      ["widths-16-64", [16, 64]],
      ["widths-32-64", [32, 64]],
      ["widths-null", null],
    ]);
    expect(members("lr=1e-3,0.01").map(({ name, config }) => [name, config.training.lr])).toEqual([["lr-0.001", 0.001], ["lr-0.01", 0.01]]); // biome-ignore format: pairs
  });

  it("refuses what one stream cannot have, and what is no grid", () => {
    const cases: [string[], string][] = [
      [["k"], "Expected --grid key=value,value, such as --grid k=4,8,16, but found"],
      [["k=4,x"], 'Expected sae.k to be a number above 0, or null but found "x"'],
      [["kk=4"], 'Expected a key of the configuration but found "kk": the nearest is sae.k'],
      [["widths=[8,64],[8, 64]"], "Expected values that differ in a grid but found sae.widths=8,64 twice"],
      [["k=4,4"], "Expected values that differ in a grid but found sae.k=4 twice"],
      [["k=4", "sae.k=8"], "Expected each key once in a grid but found sae.k again"],
      [["architecture=topk,gated"], "Expected a grid over options of the autoencoder or training.lr but found sae.architecture"],
      [["steps=4,5"], "Expected a grid over options of the autoencoder or training.lr but found steps"],
      [["seed=1,2,3,4,5,6,7,8,9", "k=1,2,3,4,5,6,7,8"], "Expected a grid of at most 64 autoencoders but found 72"],
    ];
    for (const [grid, message] of cases) expect(() => members(...grid)).toThrow(message);
  });
});
