import { type ModelTrainConfig, modelPresets, type SaeTrainConfig, saeTrainConfig, type WordsConfig } from "../engine/train_config.ts";

const words: WordsConfig = { source: "cursive", count: 60, characters: "abc", letters: [1, 2] };

/** A model that a software adapter trains in no time. */
export const littleModel: ModelTrainConfig = {
  ...modelPresets.quick.config,
  steps: 12,
  words,
  data: { bins: "polar-73", numWords: 1, maxLength: 40, contextLength: 3 },
  model: { nLayer: 1, nHead: 2, nEmbd: 16 },
  training: { ...modelPresets.quick.config.training, batchSize: 4, evaluation: { batches: 1, batchSize: 4 } },
  samples: { texts: ["ab", "c"], temperature: 0.6, topK: 40 },
  lookEvery: 8,
};

/** An autoencoder of its activations. */
export function littleSae(preset: "default" | "notebook"): SaeTrainConfig {
  const site = "blocks.0.hook_mlp_out";
  const sizes = { dIn: 16, dSae: 32, steps: 40, batchRows: 24, sequences: 6, batchSequences: 3 };
  return { ...saeTrainConfig({ preset, site, ...sizes, words, seed: 3 }), lookEvery: 5 };
}

/** A run by whose losses runtimes are compared. */
export const twentyStepsConfig: ModelTrainConfig = {
  ...littleModel,
  steps: 20,
  words: { source: "cursive", count: 60, characters: "abcdefghijklmnopqrstuvwxyz", letters: [1, 3] },
  data: { bins: "polar-73", numWords: 1, maxLength: 48, contextLength: 4 },
  model: { nLayer: 2, nHead: 2, nEmbd: 32 },
  training: { ...littleModel.training, batchSize: 8, lr: 1e-2, schedule: { stepSize: 10, gamma: 0.5 } },
  lookEvery: 100,
};
