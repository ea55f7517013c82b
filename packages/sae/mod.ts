/**
 * Sparse autoencoders on the cursive transformer's activations: architectures, training, and the data that they are trained on.
 *
 * @module
 */
export type { AuxConfig } from "./architectures/auxiliary.ts";
export { type BatchTopKConfig, BatchTopKSae } from "./architectures/batchtopk.ts";
export { type GatedConfig, GatedSae } from "./architectures/gated.ts";
export { type JumpReluConfig, JumpReluSae, jumpRelu, stepAbove } from "./architectures/jumprelu.ts";
export { type MatryoshkaConfig, MatryoshkaSae } from "./architectures/matryoshka.ts";
export { type StandardConfig, StandardSae } from "./architectures/standard.ts";
export { type TopKConfig, TopKSae } from "./architectures/topk.ts";
export { type Coefficient, describeCoefficient, effective } from "./coefficient.ts";
export { type Architecture, architectures, createSae, type SaeConfig } from "./create_sae.ts";
export { type ActivationRows, keptRows, type RowSource } from "./data/activation_rows.ts";
export {
  ActivationShardWriter,
  type RowColumns,
  readShardIndex,
  SHARD_INDEX,
  type ShardFiles,
  type ShardIndex,
  ShardSource,
  type ShardSourceOptions,
  type ShardWriterOptions,
} from "./data/activation_shards.ts";
export { ArrayStream, type ArrayStreamOptions } from "./data/array_stream.ts";
export { MixingBuffer, type MixingBufferOptions } from "./data/mixing_buffer.ts";
export { type PresetName, type PresetSize, presetNames, type SaeDataPlan, type SaePreset, saePreset } from "./presets.ts";
export { type SaeCommonConfig, type SaeOutput, SparseAutoencoder, type StepInput } from "./sae.ts";
export { isResumable, type Json, joinSnapshots, partOf, type Resumable, readSnapshot, type Snapshot, writeSnapshot } from "./snapshot.ts";
export { LatentActivity } from "./train/activity.ts";
export { geometricMedian, meanNorm, meanRow } from "./train/center.ts";
export { foldDecoderNorm, foldScale } from "./train/fold.ts";
export type { MemberStep, TrainedMember } from "./train/member.ts";
export type { SaeMember, SaeTrainOptions } from "./train/options.ts";
export { type Candidates, type ResampleOptions, resampleLatents } from "./train/resample.ts";
export { SaeAdam } from "./train/sae_adam.ts";
export { type RateSchedule, rateFactor, warmupFactor } from "./train/schedule.ts";
export { type ActivationBatch, type ActivationStream, type MemberReport, type SaeStepReport, SaeTrainer } from "./train/trainer.ts";
