import { cursiveCharacters } from "@cursive/cursive-model";
import type { PresetName, RunConfig } from "./run_config.ts";

/** A configuration to start from. */
export interface Preset {
  /** What it is good for, in a line. */
  readonly about: string;
  readonly config: RunConfig;
}

const logging = { report: true, tensorboard: true };

/** Where a configuration starts. */
export const presets: Readonly<Record<PresetName, Preset>> = {
  tiny: {
    about: "short words in small letters, legible after minutes on two CPU cores",
    config: {
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
      checkpoints: { everySteps: 100, everySeconds: 120 },
      samples: { texts: ["ink", "wave", "letter", "hello", "minute", "joy"], temperature: 0.6, topK: 40, early: true },
      logging,
    },
  },
  small: {
    about: "two words of all characters in fine strokes, for a GPU of any size: minutes, or a night on a CPU",
    config: {
      preset: "small",
      seed: 42,
      steps: 20_000,
      data: {
        source: "cursive",
        words: 5000,
        characters: cursiveCharacters,
        letters: [2, 8],
        bins: "polar-151",
        numWords: 2,
        maxLength: 384,
        contextLength: 24,
        augmentation: "coarse",
      },
      model: { nLayer: 4, nHead: 4, nEmbd: 64 },
      training: {
        batchSize: 32,
        lr: 5e-3,
        weightDecay: 1e-4,
        betas: [0.9, 0.99],
        schedule: { stepSize: 6000, gamma: 0.333 },
        maxGradNorm: 1,
        evaluateEvery: 1000,
        evaluation: { batches: 8, batchSize: 64 },
      },
      checkpoints: { everySteps: 250, everySeconds: 120 },
      samples: {
        texts: ["hello world", "pen and ink", "Zen garden", "42 waves", "quick fox", "small hand"],
        temperature: 0.8,
        topK: 100,
        early: true,
      },
      logging,
    },
  },
  reference: {
    about: "the PyTorch original's model, data form and schedule; wants a GPU and hours",
    config: {
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
      checkpoints: { everySteps: 500, everySeconds: 300 },
      samples: {
        texts: ["the anger of Achilles", "pen and paper", "hello world", "Zen 42 times", "quick brown fox", "a small model"],
        temperature: 1,
        topK: 455,
        early: true,
      },
      logging,
    },
  },
};
