import { nearest, TensorError } from "@cursive/tensor";
import type { SaeConfig } from "./create_sae.ts";
import type { SaeTrainOptions } from "./train/options.ts";

/** How activations get from the model to the trainer. Who reads the model, or files, follows it. */
export interface SaeDataPlan {
  /** Which sequences the activations are of. */
  readonly split: "train" | "test";
  /** Sequences in all; undefined for as many as come. */
  readonly sequences?: number;
  /** `"all"`: every position trains, padding included; `"ink"`: those whose token is a stroke's. */
  readonly positions: "all" | "ink";
  /** Whole sequences that make a batch, drawn without repetition for each step; or rows of a batch out of a mixing buffer. */
  readonly batch: { readonly sequences: number } | { readonly rows: number; readonly bufferRows: number };
}

/** Everything that a training run is made of. */
export interface SaePreset {
  readonly name: PresetName;
  /** In a line. */
  readonly about: string;
  readonly sae: SaeConfig;
  readonly train: SaeTrainOptions;
  readonly data: SaeDataPlan;
}

/** Names of the presets. */
export type PresetName = "default" | "notebook";

/** The width of the activations, which everything else follows from. */
export interface PresetSize {
  /** D. */
  readonly dIn: number;
  /** Steps in all, for the default; the notebook's are 5,000 unless asked for others. */
  readonly totalSteps?: number;
}

const presets: { readonly [P in PresetName]: (size: PresetSize) => SaePreset } = {
  /**
   * What we recommend for this model: TopK with AuxK on ink alone, well mixed, at one scale. On a small trained model's first MLP (D 32, F 256,
   * 1,000 steps of 1,024 rows) it explained 97% of held-out variance with 8 features a row, where L1 explained 93% with 15 and JumpReLU
   * lost two thirds of its latents; BatchTopK did as well and takes a third longer on software adapters.
   */
  default: ({ dIn, totalSteps = 4000 }) => {
    const rows = 2048;
    return {
      name: "default",
      about: "TopK with AuxK on mixed ink positions, activations at one scale, decoder rows of norm 1",
      sae: { architecture: "topk", dIn, dSae: 8 * dIn, k: Math.min(8, dIn), seed: 0 },
      train: {
        totalSteps,
        lr: 2e-3,
        betas: [0.9, 0.999],
        maxGradNorm: 1,
        schedule: { warmupSteps: Math.floor(totalSteps / 20), decaySteps: Math.floor(totalSteps / 5) },
        activationScale: "sqrt-width",
        bDecInit: "geometric-median",
        deadAfterRows: Math.max(1, Math.min(1_000_000, 250 * rows)),
      },
      data: { split: "train", positions: "ink", batch: { rows, bufferRows: 40 * rows } },
    };
  },
  /**
   * The notebook, with its faults: the L1 is a sum over the batch's 256,000 rows, so that 3e-4 comes to 77 a row; nothing holds the
   * decoder's norms; padding trains too; a batch is 256 whole sequences out of the same 1,000.
   */
  notebook: ({ dIn, totalSteps = 5000 }) => ({
    name: "notebook",
    about: "the notebook exactly: summed L1, free decoder, padding trained on, whole sequences out of a fixed 1,000",
    sae: {
      architecture: "standard",
      dIn,
      dSae: 8 * dIn,
      seed: 49,
      init: "kaiming",
      l1Coefficient: 3e-4,
      l1Reduction: "sum",
      l1Weight: "none",
      decoderConstraint: "none",
    },
    // Chunks change no result; they keep 256,000 × 8 D features from existing at once.
    train: { totalSteps, lr: 1e-4, betas: [0.9, 0.99], eps: 1e-8, chunkRows: 4096 },
    data: { split: "test", sequences: 1000, positions: "all", batch: { sequences: 256 } },
  }),
};

/** The presets' names. */
export const presetNames: readonly PresetName[] = Object.keys(presets) as PresetName[];

/**
 * A preset for activations of a width.
 *
 * @example
 * ```ts
 * const { sae, train, data } = saePreset("default", { dIn: 64 });
 * const trainer = new SaeTrainer(createSae(sae), { ...train, stream });
 * ```
 * @throws TensorError for an unknown name, naming the nearest one.
 */
export function saePreset(name: PresetName, size: PresetSize): SaePreset {
  if (!Object.hasOwn(presets, name))
    throw new TensorError(
      `Expected a preset but found '${name}'; the nearest is '${nearest(name, presetNames, 1)[0]}', and there are ${presetNames.join(", ")}`,
    );
  return presets[name](size);
}
