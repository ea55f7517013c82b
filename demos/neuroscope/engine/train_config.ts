import { type AugmentationRanges, coarseAugmentation, cursiveCharacters, type StrokeBinsName } from "@cursive/cursive-model";
import { type Architecture, type PresetName, type SaePreset, saePreset } from "@cursive/sae";

/** What a training run in the tab does; plain data, saved with it. */
export type TrainConfig = ModelTrainConfig | SaeTrainConfig;

/** Words to train on: the built-in hand's, or those of a word bank that is saved with the run. */
export interface WordsConfig {
  readonly source: "cursive" | "bank";
  /** For people: the bank's file name. */
  readonly name?: string;
  /** How many words the built-in hand writes, of which characters, and with how many letters. */
  readonly count: number;
  readonly characters: string;
  readonly letters: readonly [number, number];
}

/** How a handwriting model is trained. */
export interface ModelTrainConfig {
  readonly kind: "model";
  readonly preset: ModelPresetName;
  readonly seed: number;
  readonly steps: number;
  readonly words: WordsConfig;
  readonly data: { readonly bins: StrokeBinsName; readonly numWords: number; readonly maxLength: number; readonly contextLength: number };
  readonly model: { readonly nLayer: number; readonly nHead: number; readonly nEmbd: number };
  readonly training: {
    readonly batchSize: number;
    readonly lr: number;
    readonly weightDecay: number;
    readonly betas: readonly [number, number];
    readonly schedule: { readonly stepSize: number; readonly gamma: number };
    readonly maxGradNorm: number;
    readonly evaluation: { readonly batches: number; readonly batchSize: number };
  };
  readonly samples: { readonly texts: readonly string[]; readonly temperature: number; readonly topK: number };
  /** Steps between two pictures of what the model writes, each with a look at the loss on held-out words; the first ones come earlier. */
  readonly lookEvery: number;
}

/** How a sparse autoencoder is trained on a model's activations. */
export interface SaeTrainConfig {
  readonly kind: "sae";
  readonly preset: PresetName;
  /** TransformerLens's name of the site. */
  readonly site: string;
  readonly seed: number;
  readonly words: WordsConfig;
  /** The preset at the model's width, with what was changed of it. */
  readonly plan: SaePreset;
  /** Steps between two looks at the features. */
  readonly lookEvery: number;
}

/** Names of the models' presets. */
export type ModelPresetName = "quick" | "tiny" | "small";

/** A configuration of a model to start from. */
export interface ModelPreset {
  /** What it is good for, in a line. */
  readonly about: string;
  readonly config: ModelTrainConfig;
}

const letters = "abcdefghijklmnopqrstuvwxyz";
const optimizer = { lr: 5e-3, weightDecay: 1e-4, betas: [0.9, 0.99], maxGradNorm: 1 } as const;

/** Models to start from. `tiny` and `small` are the command line's of these names. */
export const modelPresets: Readonly<Record<ModelPresetName, ModelPreset>> = {
  quick: {
    about: "words of up to 3 letters; first shapes within a minute on a GPU",
    config: {
      kind: "model",
      preset: "quick",
      seed: 42,
      steps: 1000,
      words: { source: "cursive", count: 1500, characters: letters, letters: [1, 3] },
      data: { bins: "polar-73", numWords: 1, maxLength: 80, contextLength: 4 },
      model: { nLayer: 2, nHead: 4, nEmbd: 48 },
      training: { ...optimizer, batchSize: 16, schedule: { stepSize: 400, gamma: 0.333 }, evaluation: { batches: 2, batchSize: 32 } },
      samples: { texts: ["ink", "pen", "joy", "a", "we", "zip"], temperature: 0.6, topK: 40 },
      lookEvery: 100,
    },
  },
  tiny: {
    about: "words of 2 to 6 letters; legible after 3,000 steps, a few minutes on a GPU",
    config: {
      kind: "model",
      preset: "tiny",
      seed: 42,
      steps: 3000,
      words: { source: "cursive", count: 3000, characters: letters, letters: [2, 6] },
      data: { bins: "polar-73", numWords: 1, maxLength: 128, contextLength: 8 },
      model: { nLayer: 3, nHead: 4, nEmbd: 64 },
      training: { ...optimizer, batchSize: 16, schedule: { stepSize: 1000, gamma: 0.333 }, evaluation: { batches: 4, batchSize: 32 } },
      samples: { texts: ["ink", "wave", "letter", "hello", "minute", "joy"], temperature: 0.6, topK: 40 },
      lookEvery: 250,
    },
  },
  small: {
    about: "two words of all characters in fine strokes; for a fast GPU",
    config: {
      kind: "model",
      preset: "small",
      seed: 42,
      steps: 20_000,
      words: { source: "cursive", count: 5000, characters: cursiveCharacters, letters: [2, 8] },
      data: { bins: "polar-151", numWords: 2, maxLength: 384, contextLength: 24 },
      model: { nLayer: 4, nHead: 4, nEmbd: 64 },
      training: { ...optimizer, batchSize: 32, schedule: { stepSize: 6000, gamma: 0.333 }, evaluation: { batches: 8, batchSize: 64 } },
      samples: { texts: ["hello world", "pen and ink", "Zen garden", "42 waves"], temperature: 0.8, topK: 100 },
      lookEvery: 1000,
    },
  },
};

/** How words are varied each time they are drawn, for models and for autoencoders. */
export const trainAugmentation: AugmentationRanges = coarseAugmentation;

/** Something else than a preset's, for a new autoencoder. */
export interface SaeChoices {
  readonly preset: PresetName;
  readonly site: string;
  /** Width of the activations there. */
  readonly dIn: number;
  /** Latents. Default: the preset's. */
  readonly dSae?: number;
  /** Default: the preset's. Another one than the preset's starts at its own defaults. */
  readonly architecture?: Architecture;
  readonly k?: number;
  /** L1's or L0's coefficient. */
  readonly coefficient?: number;
  readonly steps?: number;
  readonly lr?: number;
  readonly batchRows?: number;
  /** Where batches are whole sequences: how many there are, and how many make a batch. */
  readonly sequences?: number;
  readonly batchSequences?: number;
  readonly seed?: number;
  readonly words?: WordsConfig;
}

/** A configuration of an autoencoder: a preset, and what a person changed of it. */
export function saeTrainConfig(choices: SaeChoices): SaeTrainConfig {
  const { preset, site, dIn, seed = 0, words = modelPresets.tiny.config.words } = choices;
  const { sae, train, data, ...about } = saePreset(preset, { dIn, totalSteps: choices.steps });
  const architecture = choices.architecture ?? sae.architecture;
  const shared = { dIn, dSae: choices.dSae ?? sae.dSae, seed };
  const options = sparsityOptions(architecture, { k: choices.k ?? Math.min(8, dIn), coefficient: choices.coefficient });
  const shape = architecture === sae.architecture ? { ...sae, ...shared, ...options } : { architecture, ...shared, ...options };
  return {
    kind: "sae",
    ...{ preset, site, seed, words },
    plan: {
      ...about,
      sae: shape as SaePreset["sae"],
      train: { ...train, seed, ...(choices.lr !== undefined && { lr: choices.lr }) },
      data: { ...data, ...batchOf(data, choices) },
    },
    lookEvery: 20,
  };
}

/** What of an architecture's options a person is asked for: how many latents may fire, or what firing costs. */
function sparsityOptions(architecture: Architecture, { k, coefficient }: { k: number; coefficient?: number }): object {
  if (architecture === "topk" || architecture === "batchtopk" || architecture === "matryoshka") return { k };
  if (coefficient === undefined) return {};
  return architecture === "jumprelu" ? { l0Coefficient: coefficient } : { l1Coefficient: coefficient };
}

function batchOf({ batch, sequences }: SaePreset["data"], choices: SaeChoices): Pick<SaePreset["data"], "batch" | "sequences"> {
  if ("rows" in batch) {
    const rows = choices.batchRows ?? batch.rows;
    return { batch: { rows, bufferRows: Math.round((rows * batch.bufferRows) / batch.rows) } };
  }
  const all = choices.sequences ?? sequences;
  return { sequences: all, batch: { sequences: Math.min(choices.batchSequences ?? batch.sequences, all ?? Number.POSITIVE_INFINITY) } };
}

/** Steps in all. */
export function stepsOf(config: TrainConfig): number {
  return config.kind === "model" ? config.steps : config.plan.train.totalSteps;
}

/** A configuration in a line, for lists of runs. */
export function describeConfig(config: TrainConfig): string {
  if (config.kind === "model") {
    const { nLayer, nEmbd } = config.model;
    const words = config.words.source === "bank" ? (config.words.name ?? "a word bank") : "built-in words";
    return `Model, ${config.preset}: ${nLayer} ${nLayer === 1 ? "layer" : "layers"} of ${nEmbd}, ${words}`;
  }
  const { architecture, dIn, dSae } = config.plan.sae;
  return `Autoencoder, ${config.preset}: ${architecture}, ${dIn} to ${dSae}, ${config.site}`;
}
