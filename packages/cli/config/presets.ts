import { cursiveCharacters } from "@cursive/cursive-model";
import type { RunConfig } from "./run_config.ts";

/**
 * Where a configuration starts. `tiny` learns legible words within minutes on two CPU cores; `reference` is the PyTorch original's run.
 */
export const presets: { readonly tiny: RunConfig; readonly reference: RunConfig } = {
  tiny: {
    preset: "tiny",
    seed: 42,
    steps: 3000,
    data: {
      source: "cursive",
      words: 3000,
      characters: "abcdefghijklmnopqrstuvwxyz",
      letters: [2, 6],
      bins: "polar-73",
      numWords: 1,
      maxLength: 128,
      contextLength: 8,
      augmentation: "coarse",
    },
    model: { nLayer: 3, nHead: 4, nEmbd: 64 },
    training: {
      batchSize: 16,
      lr: 5e-3,
      weightDecay: 1e-4,
      betas: [0.9, 0.99],
      schedule: { stepSize: 1000, gamma: 0.333 },
      maxGradNorm: 1,
      evaluateEvery: 500,
      evaluation: { batches: 4, batchSize: 32 },
    },
    samples: { texts: ["ink", "wave", "letter", "hello", "minute", "joy"], temperature: 0.6, topK: 40 },
  },
  reference: {
    preset: "reference",
    seed: 42,
    steps: 110_000,
    data: {
      source: "cursive",
      words: 1900,
      characters: cursiveCharacters,
      letters: [2, 9],
      bins: "polar-151",
      numWords: 4,
      maxLength: 1000,
      contextLength: 50,
      augmentation: "default",
    },
    model: { nLayer: 4, nHead: 4, nEmbd: 64 },
    training: {
      batchSize: 32,
      lr: 1e-2,
      weightDecay: 1e-4,
      betas: [0.9, 0.99],
      schedule: { stepSize: 33_000, gamma: 0.333 },
      maxGradNorm: null,
      evaluateEvery: 2500,
      evaluation: { batches: 10, batchSize: 100 },
    },
    samples: {
      texts: ["the anger of Achilles", "pen and paper", "hello world", "Zen 42 times", "quick brown fox", "a small model"],
      temperature: 1,
      topK: 455,
    },
  },
};
