import { type CompileProgress, TensorError } from "@cursive/tensor";
import type { SparseAutoencoder } from "../sae.ts";
import type { ResampleOptions } from "./resample.ts";
import type { RateSchedule } from "./schedule.ts";

/** How autoencoders are trained. Everything but `totalSteps` has a default. */
export interface SaeTrainOptions {
  /** Steps in all: what the schedules are laid out for. */
  readonly totalSteps: number;
  /** Adam's rate. Default 1e-3. */
  readonly lr?: number;
  /** Default [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Default 1e-8. */
  readonly eps?: number;
  /** Scale gradients down to this norm, each autoencoder's by itself. Default: not at all. */
  readonly maxGradNorm?: number;
  /** Default: none, the rate is constant. */
  readonly schedule?: RateSchedule;
  /** Steps over which the sparsity coefficient (L1, L0) grows from 0. Default 0. */
  readonly sparsityWarmupSteps?: number;
  /** `"sqrt-width"`: activations are scaled to E‖x‖ = √D, and the scale is folded into saved weights. Default `"none"`. */
  readonly activationScale?: "none" | "sqrt-width";
  /** Where b_dec starts: from the stream's first rows, or zero. Default `"zero"`. */
  readonly bDecInit?: "zero" | "mean" | "geometric-median";
  /** Rows at the head of the stream that scale and b_dec are taken from; they are not trained on. Default 8 batches. */
  readonly initRows?: number;
  /** Rows after which a silent latent counts as dead. Default 1,000,000. */
  readonly deadAfterRows?: number;
  /** Give dead latents new weights at some steps (Towards Monosemanticity). Default: never. */
  readonly resample?: ResampleOptions;
  /** Compute a batch in chunks of so many rows, so that its `[B, F]` features never exist at once. Default: all rows. */
  readonly chunkRows?: number;
  /** Selects what resampling draws. Default 0. */
  readonly seed?: number;
  /** Called while the step's shaders compile, which takes longer than anything else the first time. */
  readonly onCompile?: CompileProgress;
}

/** One of several autoencoders that are trained on the same stream. */
export interface SaeMember {
  /** Named in reports and states. */
  readonly name: string;
  readonly sae: SparseAutoencoder;
  /** Whose activations it takes, of a stream that has several sites by name: for all members or for none. */
  readonly site?: string;
  /** Instead of the trainer's. */
  readonly lr?: number;
}

/** Options with their defaults. */
export type ResolvedOptions = Required<Omit<SaeTrainOptions, "maxGradNorm" | "resample" | "chunkRows" | "onCompile" | "initRows">> &
  Pick<SaeTrainOptions, "maxGradNorm" | "resample" | "chunkRows" | "onCompile" | "initRows">;

/** Fills in defaults. @throws TensorError for numbers that make no training. */
export function resolveOptions(options: SaeTrainOptions): ResolvedOptions {
  for (const name of ["totalSteps", "chunkRows", "initRows", "deadAfterRows"] as const) {
    const value = options[name];
    if (value !== undefined && (!Number.isInteger(value) || value < 1))
      throw new TensorError(`Expected ${name} to be a positive whole number but found ${value}`);
  }
  return {
    lr: 1e-3,
    betas: [0.9, 0.999],
    eps: 1e-8,
    schedule: {},
    sparsityWarmupSteps: 0,
    activationScale: "none",
    bDecInit: "zero",
    deadAfterRows: 1_000_000,
    seed: 0,
    ...options,
  };
}
