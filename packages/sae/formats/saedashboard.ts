import type { Json } from "../snapshot.ts";
import type { Bars, FeatureBand, FeatureCollection, FeatureData, FeatureExample, Neighbours } from "./feature_data.ts";
import { checkFeatures } from "./neuronpedia.ts";

type Fields = { readonly [key: string]: Json };

/**
 * Features as SAEDashboard's `SaeVisData.save_json` writes them (https://github.com/jbloomAus/SAEDashboard).
 *
 * @throws {SaeFormatError} for examples whose lists differ in length.
 */
export function writeSaeDashboard(collection: FeatureCollection): string {
  checkFeatures(collection);
  const { features } = collection;
  return JSON.stringify({
    feature_data_dict: Object.fromEntries(features.map((feature) => [feature.index, featureFields(feature)])),
    feature_stats: {
      max: features.map(({ maxActivation }) => maxActivation),
      frac_nonzero: features.map(({ frequency }) => frequency),
      skew: [],
      kurtosis: [],
      quantile_data: [],
      quantiles: [],
      ranges_and_precisions: [],
    },
  });
}

function featureFields(feature: FeatureData): Fields {
  const { alignment, correlatedNeurons, correlatedFeatures, topLogits, bottomLogits, frequency, maxActivation } = feature;
  return {
    feature_tables_data: {
      neuron_alignment_indices: alignment?.indices ?? [],
      neuron_alignment_values: alignment?.values ?? [],
      neuron_alignment_l1: alignment?.shares ?? [],
      ...neighbours("correlated_neurons", correlatedNeurons),
      ...neighbours("correlated_features", correlatedFeatures),
      ...neighbours("correlated_b_features", undefined),
    },
    acts_histogram_data: histogram(feature.activations, `ACTIVATIONS<br>DENSITY = ${(100 * frequency).toFixed(3)}%`),
    logits_table_data: {
      bottom_token_ids: bottomLogits.tokenIds,
      bottom_logits: bottomLogits.logits,
      top_token_ids: topLogits.tokenIds,
      top_logits: topLogits.logits,
    },
    logits_histogram_data: histogram(feature.logits, null),
    sequence_data: {
      seq_group_data: feature.bands.map((band) => ({
        title: bandTitle(band, maxActivation),
        seq_data: band.examples.map(exampleFields),
      })),
    },
    prompt_data: null,
    dfa_data: null,
    decoder_weights_data: null,
  };
}

/** Titles carry data: converters read the numbers out of them again. */
function bandTitle({ kind, low, high, share }: FeatureBand, maxActivation: number): string {
  if (kind === "top") return `TOP ACTIVATIONS<br>MAX = ${maxActivation.toFixed(3)}`;
  return `INTERVAL ${low.toFixed(3)} - ${high.toFixed(3)}<br>CONTAINS ${(100 * share).toFixed(3)}%`;
}

function exampleFields({ sequence, peak, tokenIds, activations, lossContribution }: FeatureExample): Fields {
  return {
    original_index: sequence,
    qualifying_token_index: peak,
    token_ids: tokenIds,
    feat_acts: activations,
    loss_contribution: lossContribution ?? tokenIds.map(() => 0),
    token_logits: [],
    top_token_ids: [],
    top_logits: [],
    bottom_token_ids: [],
    bottom_logits: [],
  };
}

function neighbours(name: string, { indices, cosines, correlations }: Neighbours = { indices: [], cosines: [], correlations: [] }): Fields {
  return { [`${name}_indices`]: indices, [`${name}_pearson`]: correlations, [`${name}_cossim`]: cosines };
}

/** Bars by their middles, with marks at five places of the axis. */
function histogram({ edges, heights }: Bars, title: string | null): Fields {
  const [first = 0, last = 1] = [edges[0], edges.at(-1)];
  return {
    bar_heights: heights,
    bar_values: heights.map((_, i) => (edges[i]! + edges[i + 1]!) / 2),
    tick_vals: heights.length > 0 ? [0, 1, 2, 3, 4].map((i) => first + ((last - first) * i) / 4) : [],
    title,
  };
}
