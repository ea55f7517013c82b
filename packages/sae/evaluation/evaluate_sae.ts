import { type Device, type StateDict, TensorError } from "@cursive/tensor";
import { type ChunkOptions, encodedChunks } from "./encoded_chunks.ts";
import { FeatureActivity, type FeatureActivityMetrics } from "./feature_activity.ts";
import { type FeatureGeometry, featureGeometry } from "./feature_geometry.ts";
import { type ModelEffect, measureModelEffect } from "./model_effect.ts";
import { type Freqs, freqs, type ReconsLoss, reconsLoss } from "./notebook.ts";
import { type ReconstructionMetrics, ReconstructionTally } from "./reconstruction_tally.ts";
import type { LabelledSource } from "./row_chunks.ts";
import type { SequenceOptions, SpliceableModel } from "./sequences.ts";
import { siteRows } from "./site_rows.ts";
import type { Codec } from "./splice.ts";

/** An autoencoder with its weights, or anything that acts as one. */
export interface Evaluable extends Codec {
  stateDict(): Promise<StateDict>;
}

/** What rows say of an autoencoder, without the model that they are of. */
export interface RowsEvaluation {
  readonly reconstruction: ReconstructionMetrics;
  /** On the rows measured. */
  readonly activity: FeatureActivityMetrics;
  /** The notebook's `get_freqs`: on all rows, also those that a mask leaves out. */
  readonly getFreqs: Freqs;
  /** `[D]`: mean of the rows measured. */
  readonly mean: readonly number[];
}

/** What {@link evaluateSae} finds. */
export interface SaeEvaluation extends Omit<RowsEvaluation, "getFreqs"> {
  readonly site: string;
  readonly geometry: FeatureGeometry;
  readonly effect: ModelEffect;
  /** The notebook's numbers on the same sequences; null if the autoencoder was not spliced in everywhere, as it was there. */
  readonly notebook: { readonly get_recons_loss: ReconsLoss; readonly get_freqs: Freqs } | null;
}

/** Options of {@link evaluateSae}. */
export interface SaeEvaluationOptions extends Omit<SequenceOptions, "onSequences">, ChunkOptions {
  readonly model: SpliceableModel;
  /** The padding's token. */
  readonly padToken: number;
  /** 1 for each token id at whose places to measure reconstruction and features, `[V]`; the mean is over them too. Default: all places. */
  readonly keep?: ArrayLike<number>;
  /**
   * `"everywhere"`: reconstructions, zeros and means replace the activation at all places, as in the notebook; `"kept"`: at those that `keep`
   * means, for an autoencoder that was trained on them alone. Default `"everywhere"`.
   */
  readonly splice?: "everywhere" | "kept";
  /** Keep what the autoencoder misses when it is spliced in; then nothing may change. For checking. Default false. */
  readonly errorTerm?: boolean;
  readonly device?: Device;
  /** Called after each piece; the sequences are gone through once for the rows, and again for the effect on the model. */
  readonly onSequences?: (done: number, pass: "rows" | "effect") => void;
}

/**
 * Measures an autoencoder on a model's sequences: how well activations come back, when latents fire, what the weights say, and what the model
 * loses with reconstructions in the place of activations. The figures do not depend on how the sequences are batched.
 *
 * @example
 * ```ts
 * const batches = targetBatches(dataset, { split: "test", batches: 10, batchSize: 100 }); // held-out words
 * const keep = tokenFilter(dataset.tokenizer);
 * const { reconstruction, effect } = await evaluateSae(sae, {
 *   model: spliceSite(model, "blocks.0.hook_mlp_out"),
 *   batches,
 *   keep,
 *   padToken: dataset.tokenizer.padToken,
 * });
 * console.log(reconstruction.fve.value, effect.real.sae.deltaCe.value);
 * ```
 * @throws The reason of `signal`, if it asks to stop.
 */
export async function evaluateSae(sae: Evaluable, options: SaeEvaluationOptions): Promise<SaeEvaluation> {
  const { model, keep, splice = "everywhere", onSequences } = options;
  if (splice === "kept" && !keep) throw new TensorError("Expected `keep` for a splice at kept places but found none");
  const rows = await evaluateRows(sae, siteRows(model, { ...options, onSequences: (done) => onSequences?.(done, "rows") }), options);
  const effect = await measureModelEffect(sae, {
    ...options,
    mean: rows.mean,
    spliceAt: splice === "kept" ? keep : undefined,
    onSequences: (done) => onSequences?.(done, "effect"),
  });
  const { reconstruction, activity, mean, getFreqs } = rows;
  const { ce, sae: spliced, zero } = effect.all;
  const losses = { loss: ce.value, recons_loss: spliced.ce.value, zero_abl_loss: zero.ce.value };
  return {
    site: model.site,
    reconstruction,
    activity,
    mean,
    geometry: featureGeometry(await sae.stateDict()),
    effect,
    notebook: splice === "everywhere" ? { get_recons_loss: reconsLoss(losses), get_freqs: getFreqs } : null,
  };
}

/**
 * Measures an autoencoder on rows of activations from anywhere: a model, cached shards, an array. What comes out depends on the rows and their
 * order, not on how many come at a time.
 *
 * @example
 * ```ts
 * const { reconstruction, activity } = await evaluateRows(sae, new ShardSource(files, index));
 * console.log(reconstruction.fve.value, activity.dead);
 * ```
 * @throws TensorError if no row is to be measured.
 */
export async function evaluateRows(sae: Codec, source: LabelledSource, options: ChunkOptions = {}): Promise<RowsEvaluation> {
  let tallies: { reconstruction: ReconstructionTally; wanted: FeatureActivity; others: FeatureActivity } | undefined;
  for await (const { chunk, features, reconstruction } of encodedChunks(sae, source, options)) {
    const dSae = features.length / (chunk.data.length / chunk.width);
    tallies ??= {
      reconstruction: new ReconstructionTally(chunk.width),
      wanted: new FeatureActivity(dSae),
      others: new FeatureActivity(dSae),
    };
    const { wanted, sequences } = chunk;
    tallies.reconstruction.add(chunk, { reconstruction, features });
    tallies.wanted.add(features, { sequences, wanted });
    if (wanted.includes(0)) tallies.others.add(features, { sequences, wanted: wanted.map((flag) => 1 - flag) });
  }
  if (!tallies || tallies.wanted.rows === 0) throw new TensorError("Expected rows to measure but found none");
  const { wanted, others } = tallies;
  const rows = wanted.rows + others.rows;
  const more = others.firings;
  return {
    reconstruction: tallies.reconstruction.result(),
    activity: wanted.result(),
    getFreqs: freqs(Array.from(wanted.firings, (firings, f) => (firings + more[f]!) / rows)),
    mean: Array.from(tallies.reconstruction.mean),
  };
}
