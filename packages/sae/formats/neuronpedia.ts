/**
 * What Neuronpedia (https://www.neuronpedia.org) takes: SAEDashboard's batches of features, and the tree of `.jsonl` files that an instance
 * imports. The tree's feature and activation files are gzipped there (`batch-0.jsonl.gz`): whoever writes them to a disk does that, as `sae features` does.
 */
import { createRng } from "@cursive/tensor";
import type { Json } from "../snapshot.ts";
import type { Bars, FeatureBand, FeatureCollection, FeatureData, FeatureExample, Neighbours } from "./feature_data.ts";
import { SaeFormatError } from "./sae_format_error.ts";

type Fields = { readonly [key: string]: Json };

/** The tables and histograms of one feature, which batches and the tree both hold. */
function featureFields(feature: FeatureData): Fields {
  const { alignment, correlatedNeurons, correlatedFeatures, topLogits, bottomLogits } = feature;
  return {
    neuron_alignment_indices: alignment?.indices ?? [],
    neuron_alignment_values: (alignment?.values ?? []).map(rounded(3)),
    neuron_alignment_l1: (alignment?.shares ?? []).map(rounded(3)),
    ...neighbours("correlated_neurons", correlatedNeurons),
    ...neighbours("correlated_features", correlatedFeatures),
    neg_str: bottomLogits.tokens,
    neg_values: bottomLogits.logits.map(rounded(3)),
    pos_str: topLogits.tokens,
    pos_values: topLogits.logits.map(rounded(3)),
    frac_nonzero: feature.frequency,
    ...histogram("freq_hist_data", feature.activations),
    ...histogram("logits_hist_data", feature.logits),
    decoder_weights_dist: [],
  };
}

/**
 * SAEDashboard's `batch-N.json`: what Neuronpedia's converter takes.
 *
 * @throws {SaeFormatError} for examples whose lists differ in length.
 */
export function writeNeuronpediaBatch(collection: FeatureCollection): string {
  checkFeatures(collection);
  return JSON.stringify({
    model_id: collection.model,
    layer: collection.layer,
    sae_set: collection.set,
    sae_id_suffix: null,
    features: collection.features.map((feature) => ({
      feature_index: feature.index,
      ...featureFields(feature),
      n_prompts_total: collection.sequences,
      n_tokens_in_prompt: collection.tokensPerSequence,
      dataset: collection.dataset,
      vector: feature.vector ?? [],
      activations: feature.bands.flatMap((band) =>
        band.examples.map((example) => ({
          ...bandFields(band),
          tokens: example.tokens,
          values: example.activations.map(rounded(5)),
          qualifying_token_index: example.peak,
          dfa_values: [],
          dfa_maxValue: null,
          dfa_targetIndex: null,
        })),
      ),
    })),
  });
}

/** Options of {@link writeNeuronpedia}. */
export interface WriteNeuronpediaOptions {
  /** Which part of the features it is, where they come in several: the number of `batch-N.jsonl`. Default 0. */
  readonly batch?: number;
}

/**
 * The tree of files that Neuronpedia imports, text by path: `MODEL/LAYER-SET/{release,model,sourceset,source}.jsonl` and
 * `features/batch-0.jsonl`, `activations/batch-0.jsonl` below it, one object a line. The same collection gives the same text.
 *
 * @throws {SaeFormatError} for examples whose lists differ in length.
 * @example
 * ```ts
 * for (const [path, text] of writeNeuronpedia(collection)) await writeFile(join(folder, path), text);
 * ```
 */
export function writeNeuronpedia(collection: FeatureCollection, { batch = 0 }: WriteNeuronpediaOptions = {}): Map<string, string> {
  checkFeatures(collection);
  const { model, layer, set, features } = collection;
  const source = `${layer}-${set}`;
  const folder = `${model}/${source}`;
  return new Map([
    [`${folder}/release.jsonl`, lines([releaseRecord(collection)])],
    [`${folder}/model.jsonl`, lines([modelRecord(collection)])],
    [`${folder}/sourceset.jsonl`, lines([sourceSetRecord(collection)])],
    [`${folder}/source.jsonl`, lines([sourceRecord(collection, source)])],
    [`${folder}/features/batch-${batch}.jsonl`, lines(features.map((feature) => featureRecord(feature, { collection, source })))],
    [
      `${folder}/activations/batch-${batch}.jsonl`,
      lines(features.flatMap((feature) => activationRecords(feature, { collection, source }))),
    ],
  ]);
}

function releaseRecord({ set, creator, createdAt, layer }: FeatureCollection): Fields {
  return {
    name: set,
    description: set,
    creatorName: creator,
    creatorId: creator,
    visibility: "PUBLIC",
    isNewUi: true,
    featured: false,
    descriptionShort: set,
    urls: [],
    creatorEmail: null,
    creatorNameShort: creator,
    defaultSourceSetName: set,
    defaultSourceId: `${layer}-${set}`,
    defaultUmapSourceIds: [],
    createdAt,
  };
}

function modelRecord({ model, modelLayers, set, layer, creator, createdAt }: FeatureCollection): Fields {
  return {
    id: model,
    instruct: false,
    creatorId: creator,
    displayNameShort: model,
    displayName: model,
    tlensId: null,
    dimension: null,
    visibility: "PUBLIC",
    defaultSourceSetName: set,
    defaultSourceId: `${layer}-${set}`,
    inferenceEnabled: false,
    layers: modelLayers,
    neuronsPerLayer: 0,
    createdAt,
    owner: creator,
    updatedAt: createdAt,
    website: null,
  };
}

function sourceSetRecord({ model, set, creator, createdAt }: FeatureCollection): Fields {
  return {
    modelId: model,
    name: set,
    creatorId: creator,
    hasDashboards: true,
    visibility: "PUBLIC",
    description: set,
    type: "sae",
    creatorName: creator,
    urls: [],
    creatorEmail: null,
    releaseName: set,
    defaultOfModelId: null,
    defaultRange: 1,
    defaultShowBreaks: true,
    showDfa: false,
    showCorrelated: true,
    showHeadAttribution: false,
    showUmap: false,
    createdAt,
  };
}

function sourceRecord(collection: FeatureCollection, id: string): Fields {
  const { model, set, creator, createdAt, dataset, sequences, tokensPerSequence } = collection;
  return {
    id,
    modelId: model,
    setName: set,
    creatorId: creator,
    hasDashboards: true,
    inferenceEnabled: false,
    inferenceHosts: [],
    saelensConfig: null,
    saelensRelease: null,
    saelensSaeId: null,
    hfRepoId: null,
    hfFolderId: null,
    visibility: "PUBLIC",
    defaultOfModelId: null,
    hasUmap: false,
    hasUmapLogSparsity: false,
    hasUmapClusters: false,
    num_prompts: sequences,
    num_tokens_in_prompt: tokensPerSequence,
    dataset,
    notes: null,
    createdAt,
  };
}

/** Whose records are written. */
interface Origin {
  readonly collection: FeatureCollection;
  readonly source: string;
}

function featureRecord(feature: FeatureData, { collection, source }: Origin): Fields {
  const { nearestFeatures, vector } = feature;
  return {
    modelId: collection.model,
    layer: source,
    index: String(feature.index),
    creatorId: collection.creator,
    createdAt: collection.createdAt,
    maxActApprox: rounded(3)(feature.maxActivation),
    hasVector: vector !== undefined,
    vector: vector ?? [],
    vectorLabel: null,
    vectorDefaultSteerStrength: rounded(3)(feature.maxActivation),
    hookName: collection.hookName,
    topkCosSimIndices: nearestFeatures?.indices ?? [],
    topkCosSimValues: (nearestFeatures?.cosines ?? []).map(rounded(3)),
    ...featureFields(feature),
    sourceSetName: collection.set,
  };
}

function activationRecords(feature: FeatureData, { collection, source }: Origin): Fields[] {
  const examples = feature.bands.flatMap((band) => band.examples.map((example) => ({ band, example })));
  return examples.map(({ band, example }, i) => {
    const { binMin, binMax, binContains } = camelBand(band);
    return {
      id: recordId(collection, `${source}/${feature.index}/${i}`),
      tokens: example.tokens,
      index: String(feature.index),
      layer: source,
      modelId: collection.model,
      maxValue: rounded(5)(greatest(example.activations)),
      maxValueTokenIndex: example.activations.indexOf(greatest(example.activations)),
      minValue: rounded(5)(least(example.activations)),
      values: example.activations.map(rounded(5)),
      creatorId: collection.creator,
      dataSource: collection.dataset,
      dataIndex: String(example.sequence),
      dfaValues: [],
      dfaTargetIndex: null,
      dfaMaxValue: null,
      createdAt: collection.createdAt,
      lossValues: (example.lossContribution ?? []).map(rounded(5)),
      logitContributions: null,
      binMin,
      binMax,
      binContains,
      qualifyingTokenIndex: example.peak,
      zIndices: [],
      zValues: [],
    };
  });
}

/** Top examples are marked with −1, as SAEDashboard's converter does. */
function bandFields({ kind, low, high, share }: FeatureBand): Fields {
  return kind === "top" ? { bin_min: -1, bin_max: high, bin_contains: -1 } : { bin_min: low, bin_max: high, bin_contains: share };
}

function camelBand(band: FeatureBand): Fields {
  const { bin_min, bin_max, bin_contains } = bandFields(band);
  return { binMin: bin_min!, binMax: bin_max!, binContains: bin_contains! };
}

function neighbours(name: string, { indices, cosines, correlations }: Neighbours = { indices: [], cosines: [], correlations: [] }): Fields {
  return { [`${name}_indices`]: indices, [`${name}_l1`]: cosines.map(rounded(3)), [`${name}_pearson`]: correlations.map(rounded(3)) };
}

/** Bars by their middles. */
function histogram(name: string, { edges, heights }: Bars): Fields {
  return { [`${name}_bar_values`]: heights.map((_, i) => rounded(5)((edges[i]! + edges[i + 1]!) / 2)), [`${name}_bar_heights`]: heights };
}

/** 25 characters as a database's `cuid` has them, the same for the same record. */
function recordId({ model, createdAt }: FeatureCollection, record: string): string {
  const rng = createRng(0, "neuronpedia", model, createdAt, record);
  return `c${Array.from({ length: 24 }, () => Math.floor(rng.uniform(0, 36)).toString(36)).join("")}`;
}

function lines(records: readonly Fields[]): string {
  return records.map((record) => `${JSON.stringify(record)}\n`).join("");
}

/** @throws {SaeFormatError} unless names can be parts of paths, and what belongs together has one length. */
export function checkFeatures({ features, model, set }: FeatureCollection): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(model))
    throw new SaeFormatError(`Expected a model's name of letters, digits, dashes and dots but found ${JSON.stringify(model)}`);
  if (!/^[A-Za-z0-9_-]+$/.test(set))
    throw new SaeFormatError(`Expected a set's name of letters, digits and dashes but found ${JSON.stringify(set)}`);
  for (const { index, bands, activations, logits } of features) {
    for (const { edges, heights } of [activations, logits]) {
      if (heights.length > 0 && edges.length !== heights.length + 1)
        throw new SaeFormatError(`Expected ${heights.length + 1} edges of bars of feature ${index} but found ${edges.length}`);
    }
    for (const example of bands.flatMap(({ examples }) => examples)) checkExample(example, index);
  }
}

function checkExample({ tokens, tokenIds, activations, peak, lossContribution }: FeatureExample, index: number): void {
  for (const list of [tokenIds, activations, lossContribution ?? tokens]) {
    if (list.length !== tokens.length)
      throw new SaeFormatError(
        `Expected a value for each of ${tokens.length} tokens of an example of feature ${index} but found ${list.length}`,
      );
  }
  if (!(peak >= 0 && peak < tokens.length))
    throw new SaeFormatError(`Expected the peak of an example of feature ${index} among its ${tokens.length} tokens but found ${peak}`);
}

function rounded(places: number): (value: number) => number {
  return (value) => Number(value.toFixed(places));
}

function greatest(values: readonly number[]): number {
  return values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
}

function least(values: readonly number[]): number {
  return values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
}
