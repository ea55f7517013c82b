import type { StrokeBinsName } from "@cursive/cursive-model";

/** Everything that decides what a training run does; written into the run's folder. What each value means stands in `runSchema`. */
export interface RunConfig {
  readonly preset: PresetName;
  readonly seed: number;
  readonly steps: number;
  readonly data: DataConfig;
  readonly model: ModelConfig;
  readonly training: TrainingConfig;
  readonly checkpoints: CheckpointConfig;
  readonly samples: SampleConfig;
  readonly logging: LoggingConfig;
}

/** Where a configuration starts. */
export type PresetName = "tiny" | "small" | "reference";

/** Where words come from and what examples are made of them. */
export interface DataConfig {
  readonly source: string;
  readonly words: number;
  readonly characters: string;
  readonly letters: readonly [number, number];
  readonly bins: StrokeBinsName;
  readonly numWords: number;
  readonly maxLength: number;
  readonly contextLength: number;
  readonly augmentation: "default" | "coarse" | "none";
}

/** Sizes of the transformer; the rest follows from the data. */
export interface ModelConfig {
  readonly nLayer: number;
  readonly nHead: number;
  readonly nEmbd: number;
}

/** The optimizer and its schedule. */
export interface TrainingConfig {
  readonly batchSize: number;
  readonly lr: number;
  readonly weightDecay: number;
  readonly betas: readonly [number, number];
  readonly schedule: { readonly stepSize: number; readonly gamma: number };
  readonly maxGradNorm: number | null;
  readonly evaluateEvery: number;
  readonly evaluation: { readonly batches: number; readonly batchSize: number };
}

/** When everything that a run needs to go on is written to the disk. */
export interface CheckpointConfig {
  readonly everySteps: number | null;
  readonly everySeconds: number | null;
}

/** The pictures that a run draws. */
export interface SampleConfig {
  readonly texts: readonly string[];
  readonly temperature: number;
  readonly topK: number;
  readonly early: boolean;
}

/** What is written for people to look at, besides metrics and pictures. */
export interface LoggingConfig {
  readonly report: boolean;
  readonly tensorboard: boolean;
}
