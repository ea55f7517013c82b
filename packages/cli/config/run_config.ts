import type { StrokeBinsName } from "@cursive/cursive-model";

/** Everything that decides what a training run does; written into the run's folder. */
export interface RunConfig {
  readonly preset: string;
  /** Names every random choice: the split, the batches, the first parameters, the samples. */
  readonly seed: number;
  /** Training steps. */
  readonly steps: number;
  readonly data: DataConfig;
  readonly model: ModelConfig;
  readonly training: TrainingConfig;
  readonly samples: SampleConfig;
}

/** Where words come from and what examples are made of them. */
export interface DataConfig {
  /** `"cursive"` for the built-in hand, else a word bank's file (zip or JSON). */
  readonly source: string;
  /** Words the built-in hand writes. */
  readonly words: number;
  /** Characters its words are made of. */
  readonly characters: string;
  /** Fewest and most letters of its words. */
  readonly letters: readonly [number, number];
  /** How finely ink is cut into tokens; see `StrokeTokenizer`. */
  readonly bins: StrokeBinsName;
  /** Words in an example. */
  readonly numWords: number;
  /** T: tokens in a sequence. */
  readonly maxLength: number;
  /** S: characters in a text. */
  readonly contextLength: number;
  /** `"default"`: the original's; `"coarse"`: few points a letter, for small models; `"none"`. */
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
  /** null: no clipping. */
  readonly maxGradNorm: number | null;
  /** Steps between evaluations, each of which saves a checkpoint and draws samples. */
  readonly evaluateEvery: number;
  readonly evaluation: { readonly batches: number; readonly batchSize: number };
}

/** The pictures drawn at each evaluation. */
export interface SampleConfig {
  readonly texts: readonly string[];
  readonly temperature: number;
  readonly topK: number;
}
