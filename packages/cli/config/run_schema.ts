import { type Field, flag, listOf, number, oneOf, orNull, pairOf, type Schema, text, whole } from "./field.ts";
import type { RunConfig } from "./run_config.ts";
import { type NamedField, SchemaKeys } from "./schema_keys.ts";

/** The one description of a configuration: what is checked, what help and errors say, what names are offered. */
export const runSchema: Schema<RunConfig> = {
  preset: oneOf("where the configuration starts", ["tiny", "small", "reference"]),
  seed: whole("names every random choice: the split, the batches, the first parameters, the samples", { from: 0, to: 2 ** 32 - 1 }),
  steps: whole("training steps in all", { from: 1 }),
  data: {
    source: text('"cursive" for the built-in hand, else the file of a word bank (zip or JSON)'),
    words: whole("words that the built-in hand writes", { from: 1, to: 1_000_000 }),
    characters: text("characters that its words are made of"),
    letters: pairOf(whole("fewest and most letters of its words", { from: 1, to: 50 })),
    bins: oneOf("stroke bins, how finely ink is cut into tokens", ["polar-151", "polar-220-word", "polar-73"]),
    numWords: whole("words in an example", { from: 1, to: 100 }),
    maxLength: whole("sequence length or block size T: tokens in an example", { from: 4, to: 65_536 }),
    contextLength: whole("context length or context block size S: characters in a text", { from: 1, to: 4096 }),
    augmentation: oneOf("how ink is varied: as the original does, to few points a letter, or not at all", ["default", "coarse", "none"]),
  },
  model: {
    nLayer: whole("number of layers (blocks) of the transformer, depth", { from: 1, to: 100 }),
    nHead: whole("attention heads, of self- and cross-attention alike", { from: 1, to: 256 }),
    nEmbd: whole("width or embedding size of the residual stream, a multiple of nHead", { from: 1, to: 16_384 }),
  },
  training: {
    batchSize: whole("batch size: sequences a step", { from: 1, to: 65_536 }),
    lr: number("learning rate of the first step", { above: 0 }),
    weightDecay: number("AdamW's weight decay", { from: 0 }),
    betas: pairOf(number("decay rates of AdamW's two moments", { from: 0, below: 1 })),
    schedule: {
      stepSize: whole("steps after which the learning rate is multiplied by gamma", { from: 1 }),
      gamma: number("what it is multiplied by: the learning rate's decay", { above: 0, to: 1 }),
    },
    maxGradNorm: orNull(number("gradient clipping: largest norm of all gradients; null: not clipped", { above: 0 })),
    evaluateEvery: whole("evaluation interval: steps between evaluations on held-out words", { from: 1 }),
    evaluation: {
      batches: whole("batches that an evaluation takes", { from: 1 }),
      batchSize: whole("sequences in each of them", { from: 1, to: 65_536 }),
    },
  },
  checkpoints: {
    everySteps: orNull(whole("checkpoint interval in steps; null: by time and at evaluations only", { from: 1 })),
    everySeconds: orNull(number("checkpoint interval in seconds; null: by steps and at evaluations only", { above: 0 })),
  },
  samples: {
    texts: listOf(text("what the model writes in the sample pictures")),
    temperature: number("sampling temperature: below 1 tidier, above 1 wilder, 0 always the likeliest token", { from: 0 }),
    topK: whole("sample among so many of the likeliest tokens", { from: 1 }),
    early: flag("draw pictures at steps 1, 10, 30, 100, 300, … too, cut short"),
  },
  logging: {
    report: flag("keep the page report.html up to date: at evaluations and at the end"),
    tensorboard: flag("write TensorBoard event files: curves, pictures, histograms of parameters"),
  },
};

/** All keys of a configuration. */
export const runKeys: SchemaKeys = new SchemaKeys(runSchema);

/** All fields, in the order of the schema. */
export const runFields: readonly NamedField[] = runKeys.fields;

/** The field at a dotted path, if there is one. */
export function fieldAt(path: string): Field<unknown> | undefined {
  return runKeys.at(path);
}
