import type { Architecture, PresetName, RowStorage } from "@cursive/sae";

/** A kind of stroke token. */
export type TokenKind = "theta" | "radius" | "word" | "end" | "pad";

/** What a new autoencoder is made with; null: the architecture's own default. */
export interface SaeShape {
  readonly architecture: Architecture;
  readonly expansion: number;
  readonly dSae: number | null;
  readonly seed: number;
  readonly k: number | null;
  readonly l1Coefficient: number | null;
  readonly l1Reduction: "mean" | "sum" | null;
  readonly l1Weight: "decoder-norm" | "none" | null;
  readonly l0Coefficient: number | null;
  readonly sparsity: "tanh" | "step" | null;
  readonly bandwidth: number | null;
  readonly initialThreshold: number | null;
  readonly tanhScale: number | null;
  readonly preActCoefficient: number | null;
  readonly auxCoefficient: number | null;
  readonly kAux: number | null;
  readonly selectionRows: number | null;
  readonly thresholdRate: number | null;
  readonly widths: readonly number[] | null;
  readonly decoderConstraint: "unit-norm" | "none" | null;
  readonly init: "tied" | "kaiming" | null;
  readonly decoderInitNorm: number | null;
  readonly applyBDecToInput: boolean | null;
}

/** Everything that training autoencoders depends on: `config.json` of such a run. See `saeSchema` for what each value is. */
export interface SaeRunConfig {
  readonly preset: PresetName;
  readonly seed: number;
  readonly steps: number;
  readonly source: {
    readonly checkpoint: string | null;
    readonly activations: string | null;
    readonly hooks: readonly string[];
    readonly data: string | null;
  };
  readonly sae: SaeShape;
  readonly grid: readonly string[] | null;
  readonly training: {
    readonly lr: number;
    readonly betas: readonly [number, number];
    readonly eps: number;
    readonly maxGradNorm: number | null;
    readonly warmupSteps: number;
    readonly decaySteps: number;
    readonly decay: "linear" | "cosine";
    readonly sparsityWarmupSteps: number;
    readonly activationScale: "none" | "sqrt-width";
    readonly bDecInit: "zero" | "mean" | "geometric-median";
    readonly initRows: number | null;
    readonly deadAfterRows: number;
    readonly chunkRows: number | null;
    readonly resample: { readonly atSteps: readonly number[] | null; readonly afterRows: number | null; readonly encoderScale: number };
  };
  readonly data: {
    readonly split: "train" | "test";
    readonly tokens: readonly TokenKind[];
    readonly batchRows: number | null;
    readonly bufferRows: number | null;
    readonly storage: RowStorage;
    readonly batchSequences: number | null;
    readonly sequences: number | null;
    readonly chunk: number;
  };
  readonly checkpoints: { readonly everySteps: number | null; readonly everySeconds: number | null };
  readonly logging: { readonly report: boolean; readonly tensorboard: boolean };
}
