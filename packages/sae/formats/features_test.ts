import { describe, expect, it } from "vitest";
import type { FeatureCollection, FeatureData } from "./feature_data.ts";
import { writeNeuronpedia, writeNeuronpediaBatch } from "./neuronpedia.ts";
import { SaeFormatError } from "./sae_format_error.ts";
import { writeSaeDashboard } from "./saedashboard.ts";

const feature: FeatureData = {
  index: 7,
  frequency: 0.0125,
  maxActivation: 3.25,
  activations: { edges: [0, 1, 2, 4], heights: [5, 3, 1] },
  logits: { edges: [-1, 0, 1], heights: [200, 255] },
  topLogits: { tokens: ["θ +12°"], tokenIds: [380], logits: [0.98765] },
  bottomLogits: { tokens: ["END"], tokenIds: [454], logits: [-1.23456] },
  bands: [
    {
      kind: "top",
      low: 3,
      high: 3.25,
      share: 0.1,
      examples: [
        { tokens: ["θ 0°", "r 0.05"], tokenIds: [377, 50], activations: [0, 3.25], peak: 1, lossContribution: [0, 0.5], sequence: 42 },
      ],
    },
    {
      kind: "interval",
      low: 1,
      high: 2,
      share: 0.4,
      examples: [{ tokens: ["END"], tokenIds: [454], activations: [1.234567], peak: 0, sequence: 3 }],
    },
  ],
  vector: [0.6, -0.8],
  correlatedFeatures: { indices: [9], cosines: [0.87654], correlations: [0.5] },
  nearestFeatures: { indices: [11], cosines: [0.91234] },
};

const collection: FeatureCollection = {
  model: "cursive-transformer",
  modelLayers: 4,
  layer: 0,
  hookName: "blocks.0.hook_mlp_out",
  set: "mlp-512",
  dSae: 512,
  dataset: "held-out words",
  sequences: 100,
  tokensPerSequence: 1000,
  creator: "someone",
  createdAt: "2026-01-02T03:04:05.000Z",
  features: [feature],
};

const parsedLines = (text: string): Record<string, unknown>[] =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

describe("writeNeuronpediaBatch()", () => {
  it("has the converter's fields", () => {
    const batch = JSON.parse(writeNeuronpediaBatch(collection));
    expect(Object.keys(batch)).toEqual(["model_id", "layer", "sae_set", "sae_id_suffix", "features"]);
    const [only] = batch.features;
    const lists = ["neuron_alignment", "correlated_neurons", "correlated_features"].flatMap((name) => [`${name}_indices`, `${name}_l1`]);
    const fields = ["feature_index", ...lists, "neuron_alignment_values", "correlated_neurons_pearson", "correlated_features_pearson"];
    const tables = ["neg_str", "neg_values", "pos_str", "pos_values", "frac_nonzero", "decoder_weights_dist", "vector", "activations"];
    const bars = ["freq", "logits"].flatMap((name) => [`${name}_hist_data_bar_values`, `${name}_hist_data_bar_heights`]);
    expect(Object.keys(only).sort()).toEqual([...fields, ...tables, ...bars, "n_prompts_total", "n_tokens_in_prompt", "dataset"].sort());
    expect(only).toMatchObject({ feature_index: 7, pos_str: ["θ +12°"], pos_values: [0.988], correlated_features_l1: [0.877] });
    expect([only.freq_hist_data_bar_values, only.freq_hist_data_bar_heights]).toEqual([
      [0.5, 1.5, 3],
      [5, 3, 1],
    ]);
  });

  it("marks the top examples with −1, and rounds values to five places", () => {
    const [top, interval] = JSON.parse(writeNeuronpediaBatch(collection)).features[0].activations;
    expect(top).toMatchObject({ bin_min: -1, bin_max: 3.25, bin_contains: -1, tokens: ["θ 0°", "r 0.05"], qualifying_token_index: 1 });
    expect(interval).toMatchObject({ bin_min: 1, bin_max: 2, bin_contains: 0.4, values: [1.23457] });
  });
});

describe("writeNeuronpedia()", () => {
  const tree = writeNeuronpedia(collection);
  const folder = "cursive-transformer/0-mlp-512";

  it("has a file for each table, one object a line", () => {
    const names = ["release", "model", "sourceset", "source", "features/batch-0", "activations/batch-0"];
    expect([...tree.keys()]).toEqual(names.map((name) => `${folder}/${name}.jsonl`));
    expect([...tree.values()].map((text) => parsedLines(text).length)).toEqual([1, 1, 1, 1, 1, 2]);
  });

  it("names the same source in all of them", () => {
    const record = (name: string): Record<string, unknown> => parsedLines(tree.get(`${folder}/${name}.jsonl`)!)[0]!;
    expect(record("source")).toMatchObject({ id: "0-mlp-512", modelId: "cursive-transformer", setName: "mlp-512", num_prompts: 100 });
    expect(record("sourceset")).toMatchObject({ name: "mlp-512", releaseName: record("release").name, defaultRange: 1 });
    expect(record("features/batch-0")).toMatchObject({
      layer: "0-mlp-512",
      index: "7",
      hasVector: true,
      hookName: "blocks.0.hook_mlp_out",
      topkCosSimIndices: [11],
      topkCosSimValues: [0.912],
      correlated_features_indices: [9],
    });
    expect(record("activations/batch-0")).toMatchObject({
      maxValue: 3.25,
      maxValueTokenIndex: 1,
      minValue: 0,
      dataIndex: "42",
      binMin: -1,
    });
  });

  it("numbers the batches of features that come in several, and gives them ids of their own", () => {
    const second = writeNeuronpedia({ ...collection, features: [{ ...feature, index: 8 }] }, { batch: 1 });
    const batches = [...second.keys()].filter((path) => path.includes("batch"));
    expect(batches).toEqual([`${folder}/features/batch-1.jsonl`, `${folder}/activations/batch-1.jsonl`]);
    for (const name of ["release", "model", "sourceset", "source"])
      expect(second.get(`${folder}/${name}.jsonl`)).toBe(tree.get(`${folder}/${name}.jsonl`));
    const ids = (text: string): unknown[] => parsedLines(text).map(({ id }) => id);
    const both = [...ids(tree.get(`${folder}/activations/batch-0.jsonl`)!), ...ids(second.get(batches[1]!)!)];
    expect(new Set(both).size).toBe(4);
  });

  it("gives every activation an id of 25 characters of its own, the same each time", () => {
    const ids = parsedLines(tree.get(`${folder}/activations/batch-0.jsonl`)!).map(({ id }) => id as string);
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(id).toMatch(/^c[0-9a-z]{24}$/);
    expect(writeNeuronpedia(collection)).toEqual(tree);
  });
});

describe("writeSaeDashboard()", () => {
  const { feature_data_dict: data, feature_stats: stats } = JSON.parse(writeSaeDashboard(collection));

  it("has SaeVisData's fields", () => {
    expect(Object.keys(data)).toEqual(["7"]);
    const parts = ["feature_tables_data", "acts_histogram_data", "logits_table_data", "logits_histogram_data", "sequence_data"];
    expect(Object.keys(data["7"])).toEqual([...parts, "prompt_data", "dfa_data", "decoder_weights_data"]);
    expect(data["7"].logits_table_data).toEqual({
      bottom_token_ids: [454],
      bottom_logits: [-1.23456],
      top_token_ids: [380],
      top_logits: [0.98765],
    });
    expect(stats).toMatchObject({ max: [3.25], frac_nonzero: [0.0125] });
  });

  it("puts the bands' numbers into their titles", () => {
    const groups = data["7"].sequence_data.seq_group_data;
    expect(groups.map(({ title }: { title: string }) => title)).toEqual([
      "TOP ACTIVATIONS<br>MAX = 3.250",
      "INTERVAL 1.000 - 2.000<br>CONTAINS 40.000%",
    ]);
    expect(groups[0].seq_data[0]).toMatchObject({
      original_index: 42,
      qualifying_token_index: 1,
      token_ids: [377, 50],
      loss_contribution: [0, 0.5],
    });
    expect(groups[1].seq_data[0].loss_contribution).toEqual([0]);
  });
});

describe("both", () => {
  it("refuse lists that do not go together", () => {
    const [band] = feature.bands;
    const withExample = (change: object): FeatureCollection => ({
      ...collection,
      features: [{ ...feature, bands: [{ ...band!, examples: [{ ...band!.examples[0]!, ...change }] }] }],
    });
    expect(() => writeNeuronpedia(withExample({ activations: [1] }))).toThrow(
      new SaeFormatError("Expected a value for each of 2 tokens of an example of feature 7 but found 1"),
    );
    expect(() => writeSaeDashboard(withExample({ peak: 2 }))).toThrow(
      "Expected the peak of an example of feature 7 among its 2 tokens but found 2",
    );
    expect(() => writeNeuronpediaBatch({ ...collection, set: "../x" })).toThrow(SaeFormatError);
    expect(() => writeNeuronpedia({ ...collection, model: "../x" })).toThrow(
      new SaeFormatError('Expected a model\'s name of letters, digits, dashes and dots but found "../x"'),
    );
    const bars = { edges: [0, 1], heights: [1, 2] };
    expect(() => writeNeuronpedia({ ...collection, features: [{ ...feature, logits: bars }] })).toThrow(
      "Expected 3 edges of bars of feature 7 but found 2",
    );
  });
});
