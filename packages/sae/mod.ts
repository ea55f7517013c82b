/**
 * Sparse autoencoders on the cursive transformer's activations: architectures, training, and the data that they are trained on.
 *
 * @module
 */
export {
  type AblateLatentsOptions,
  type AblationSequence,
  ablateLatents,
  type LatentAblation,
  type SequenceFirings,
} from "./analysis/ablate_latents.ts";
export {
  ActivationIndex,
  type ActivationIndexInfo,
  type ActivationIndexOptions,
  ActivationIndexWriter,
  type IndexFiles,
  type LatentFirings,
  type RowPlaces,
  rowNumbers,
} from "./analysis/activation_index.ts";
export { type Example, type ExampleBand, type ExampleOptions, type LatentExamples, latentExamples } from "./analysis/examples.ts";
export type { AngleFactor, ClassFactor, Factor, FactorBin, ScaleFactor } from "./analysis/factor.ts";
export {
  type AttributedSequence,
  type AttributeLettersOptions,
  attributeLetters,
  type FiringPlace,
  type PlaceAttribution,
} from "./analysis/letter_attribution.ts";
export { type LetterPath, letterPath } from "./analysis/letter_path.ts";
export { type LogitEffectOptions, logitEffects } from "./analysis/logit_effects.ts";
export { LatentCorrelation, nearestLatents, type Related } from "./analysis/related.ts";
export { type HeldLatent, Steering, type SteeringOptions, steeringHook } from "./analysis/steering.ts";
export { type StrokeRows, strokeFactors } from "./analysis/stroke_factors.ts";
export { makeTokenDf, type TokenDf } from "./analysis/token_df.ts";
export { type CreateHtmlOptions, createHtml, tokenVis } from "./analysis/token_html.ts";
export { type FactorTuning, type LatentTuning, type RowFirings, type TunedBin, Tuning, type TuningOptions } from "./analysis/tuning.ts";
export * from "./architectures/mod.ts";
export { type Coefficient, describeCoefficient, effective } from "./coefficient.ts";
export { type ActivationRows, keptRows, type RowSource } from "./data/activation_rows.ts";
export {
  ActivationShardWriter,
  type RowColumns,
  readShardIndex,
  SHARD_INDEX,
  type Shard,
  type ShardFiles,
  type ShardIndex,
  ShardSource,
  type ShardSourceOptions,
  type ShardWriterOptions,
} from "./data/activation_shards.ts";
export { ArrayStream, type ArrayStreamOptions } from "./data/array_stream.ts";
export { LiveRows, type LiveRowsOptions } from "./data/live_rows.ts";
export { LiveSites, type LiveSitesOptions } from "./data/live_sites.ts";
export { MixingBuffer, type MixingBufferOptions, type RowStorage } from "./data/mixing_buffer.ts";
export { NoRowsError } from "./data/no_rows_error.ts";
export { type ResumableStream, SiteStreams } from "./data/site_streams.ts";
export { type SiteRows, SiteTee } from "./data/site_tee.ts";
export type { ActivationBatch, ActivationStream, SiteBatch, StreamBatch } from "./data/stream_batch.ts";
export { ColumnMoments } from "./evaluation/column_moments.ts";
export {
  type Evaluable,
  evaluateRows,
  evaluateSae,
  type RowsEvaluation,
  type SaeEvaluation,
  type SaeEvaluationOptions,
} from "./evaluation/evaluate_sae.ts";
export { type DensityHistogram, densityHistogram, FeatureActivity, type FeatureActivityMetrics } from "./evaluation/feature_activity.ts";
export { type FeatureGeometry, featureGeometry, type NearestRows, nearestRows } from "./evaluation/feature_geometry.ts";
export {
  type ModelEffect,
  type ModelEffectOptions,
  measureModelEffect,
  type Recovered,
  type TargetsEffect,
  type VariantEffect,
} from "./evaluation/model_effect.ts";
export { type FreqHistogram, type Freqs, getFreqs, getReconsLoss, type NotebookOptions, type ReconsLoss } from "./evaluation/notebook.ts";
export { type Estimate, Ratio } from "./evaluation/ratio.ts";
export type { ReconstructionMetrics } from "./evaluation/reconstruction_tally.ts";
export type { LabelledRows, LabelledSource } from "./evaluation/row_chunks.ts";
export {
  type SaeBenchAbout,
  type SaeBenchConfig,
  type SaeBenchCore,
  type SaeBenchOptions,
  type SaeBenchOutput,
  saeBenchOutput,
  toSaeBench,
} from "./evaluation/saebench.ts";
export type { SequenceBatch, SequenceBatches, SequenceOptions, SpliceableModel } from "./evaluation/sequences.ts";
export { type SiteRowsOptions, siteRows } from "./evaluation/site_rows.ts";
export { type Codec, type SpliceOptions, spliceHook } from "./evaluation/splice.ts";
export { type Stability, type StabilityOptions, stability } from "./evaluation/stability.ts";
export { type DictionaryLearningFiles, readDictionaryLearning } from "./formats/dictionary_learning.ts";
export type {
  Bars,
  FeatureBand,
  FeatureCollection,
  FeatureData,
  FeatureExample,
  LogitList,
  NearestFeatures,
  Neighbours,
  NeuronAlignment,
} from "./formats/feature_data.ts";
export { type WriteNeuronpediaOptions, writeNeuronpedia, writeNeuronpediaBatch } from "./formats/neuronpedia.ts";
export { readOpenAi } from "./formats/openai.ts";
export { readSae, readSaeFile, writeSae, writeSaeFile } from "./formats/own.ts";
export { foldActivationScale, openSaeFile, type SaeAbout, type SaeFile, toSaeFile } from "./formats/sae_file.ts";
export { SaeFormatError } from "./formats/sae_format_error.ts";
export { writeSaeDashboard } from "./formats/saedashboard.ts";
export { readSaeLens, SAELENS_NAMES, type SaeLensFiles, type WriteSaeLensOptions, writeSaeLens } from "./formats/saelens.ts";
export { readSparsify, type SparsifyFiles } from "./formats/sparsify.ts";
export { type AddSaeOptions, addSae } from "./hooks/add_sae.ts";
export { HookedSae } from "./hooks/hooked_sae.ts";
export { type PresetName, type PresetSize, presetNames, type SaeDataPlan, type SaePreset, saePreset } from "./presets.ts";
export { type EncodeOptions, type SaeCommonConfig, type SaeOutput, SparseAutoencoder, type StepInput } from "./sae.ts";
export { isResumable, type Json, joinSnapshots, partOf, type Resumable, readSnapshot, type Snapshot, writeSnapshot } from "./snapshot.ts";
export { LatentActivity } from "./train/activity.ts";
export { geometricMedian, meanNorm, meanRow } from "./train/center.ts";
export { foldDecoderNorm, foldScale } from "./train/fold.ts";
export type { MemberStep, TrainedMember } from "./train/member.ts";
export type { SaeMember, SaeTrainOptions } from "./train/options.ts";
export { type Candidates, type ResampleOptions, resampleLatents } from "./train/resample.ts";
export { type RateSchedule, rateFactor, warmupFactor } from "./train/schedule.ts";
export { type MemberReport, type SaeStepReport, SaeTrainer } from "./train/trainer.ts";
