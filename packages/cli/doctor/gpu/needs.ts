import { StrokeTokenizer } from "@cursive/cursive-model";
import type { RunConfig } from "../../config/run_config.ts";

/** Limits that decide what runs. */
export const limitNames = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupsPerDimension",
] as const;

/** See {@link limitNames}. */
export type Limits = Readonly<Record<(typeof limitNames)[number], number>>;

/** What the kernels are written for, whatever they compute: within what WebGPU promises of every adapter. Bytes, bindings, invocations. */
export const engineNeeds: Omit<Limits, "maxBufferSize" | "maxStorageBufferBindingSize"> = {
  maxStorageBuffersPerShaderStage: 8,
  maxComputeWorkgroupStorageSize: 16_384,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
  maxComputeWorkgroupsPerDimension: 65_535,
};

/**
 * Bytes of the greatest tensor of a training step: the logits `[B, T, V]`, their rows brought to multiples of four elements, or the hidden
 * layer of the MLP `[B, T, 4 C]`. Evaluations go in pieces of a training step's size.
 */
export function largestTensor({ data, model, training }: RunConfig): number {
  const { vocabSize } = new StrokeTokenizer({ bins: data.bins });
  return 4 * training.batchSize * data.maxLength * Math.max(4 * Math.ceil(vocabSize / 4), 4 * model.nEmbd);
}
