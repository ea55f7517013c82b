import { architectures, presetNames } from "@cursive/sae";
import { type Field, flag, listOf, number, oneOf, orNull, pairOf, type Schema, text, whole } from "../config/field.ts";
import { SchemaKeys } from "../config/schema_keys.ts";
import type { SaeRunConfig, TokenKind } from "./sae_config.ts";

/** The kinds of stroke tokens, as the tokenizer names them. */
export const tokenKinds: readonly TokenKind[] = ["theta", "radius", "word", "end", "pad"];

const seed = { from: 0, to: 2 ** 32 - 1 };
const own = <T>(field: Field<T>): Field<T | null> => orNull({ ...field, doc: `${field.doc}; null: the architecture's default` });

/** The one description of how autoencoders are trained: what is checked, what help and errors say, what names are offered. */
export const saeSchema: Schema<SaeRunConfig> = {
  preset: oneOf("where the configuration starts", presetNames),
  seed: whole("names the order of the rows and what resampling draws", seed),
  steps: whole("training steps in all; the presets' warm-up and decay go with them", { from: 1 }),
  source: {
    checkpoint: orNull(text("the model's checkpoint; null: that of --run")),
    activations: orNull(text("a folder of cached activations to train on instead of a model")),
    hooks: listOf(text("hooks whose activations are trained on, autoencoders for each: TransformerLens' names or modules' paths")),
    data: orNull(text("a word bank for the model to read; null: the words of its run")),
  },
  sae: {
    architecture: oneOf("how features come about and what is lost", architectures),
    expansion: number("latents for each dimension of the activations", { above: 0 }),
    dSae: orNull(whole("latents; null: by the expansion", { from: 1 })),
    seed: whole("names the initial weights", seed),
    k: own(number("features that fire on a row (TopK), or on average (BatchTopK, Matryoshka)", { above: 0 })),
    l1Coefficient: own(number("weight of the L1 penalty", { from: 0 })),
    l1Reduction: own(oneOf("whether the L1 penalty is a mean or a sum over rows", ["mean", "sum"])),
    l1Weight: own(oneOf("whether the L1 penalty weighs features by their decoder norms", ["decoder-norm", "none"])),
    l0Coefficient: own(number("weight of JumpReLU's sparsity penalty", { from: 0 })),
    sparsity: own(oneOf("JumpReLU's penalty", ["tanh", "step"])),
    bandwidth: own(number("JumpReLU: width of the window in which thresholds get gradients", { above: 0 })),
    initialThreshold: own(number("JumpReLU: thresholds at the start", { from: 0 })),
    tanhScale: own(number("JumpReLU: c in tanh(c · f · norm)", { above: 0 })),
    preActCoefficient: own(number("JumpReLU: weight of the penalty that brings dead latents back", { from: 0 })),
    auxCoefficient: own(number("weight of AuxK, which brings dead latents back; 0 leaves it out", { from: 0 })),
    kAux: own(whole("dead latents that explain a row's residual in AuxK", { from: 1 })),
    selectionRows: own(whole("rows that compete for places in BatchTopK; 0: all of a batch", { from: 0 })),
    thresholdRate: own(number("how fast BatchTopK's threshold for inference follows", { above: 0, to: 1 })),
    widths: own(listOf(whole("Matryoshka's nested widths", { from: 1 }))),
    decoderConstraint: own(oneOf("whether decoder rows are held at norm 1", ["unit-norm", "none"])),
    init: own(oneOf("initial weights: encoder tied to the decoder, or the notebook's", ["tied", "kaiming"])),
    decoderInitNorm: own(number("norm of decoder rows at the start", { above: 0 })),
    applyBDecToInput: own(flag("whether b_dec is taken off the input")),
  },
  grid: orNull(listOf(text("values to train side by side, such as sae.k=4,8,16: an autoencoder for each combination"))),
  training: {
    lr: number("Adam's learning rate", { above: 0 }),
    betas: pairOf(number("decay rates of Adam's two moments", { from: 0, below: 1 })),
    eps: number("Adam's epsilon", { above: 0 }),
    maxGradNorm: orNull(number("gradient clipping: largest norm of all gradients; null: not clipped", { above: 0 })),
    warmupSteps: whole("steps over which the rate grows", { from: 0 }),
    decaySteps: whole("steps at the end over which the rate falls to 0", { from: 0 }),
    decay: oneOf("how it falls", ["linear", "cosine"]),
    sparsityWarmupSteps: whole("steps over which L1 and L0 coefficients grow from 0", { from: 0 }),
    activationScale: oneOf("scale activations to a mean norm of √D, folded into saved weights, or not", ["sqrt-width", "none"]),
    bDecInit: oneOf("where b_dec starts", ["zero", "mean", "geometric-median"]),
    initRows: orNull(whole("rows that scale and b_dec are taken from; null: 8 batches", { from: 1 })),
    deadAfterRows: whole("rows after which a silent latent counts as dead", { from: 1 }),
    chunkRows: orNull(whole("compute a batch in chunks of so many rows, to save memory; null: whole", { from: 1 })),
    resample: {
      atSteps: orNull(listOf(whole("steps at which dead latents get new weights; null: never", { from: 1 }))),
      afterRows: orNull(whole("rows that these have been silent for; null: as deadAfterRows", { from: 1 })),
      encoderScale: number("share of the mean norm that their encoder columns get", { above: 0 }),
    },
  },
  data: {
    split: oneOf("words to read: those the model was trained on, or those held out", ["train", "test"]),
    tokens: listOf(oneOf("kinds of tokens whose activations are trained on", tokenKinds)),
    batchRows: orNull(whole("batch rows a step, out of a mixing buffer; null: whole sequences", { from: 1 })),
    bufferRows: orNull(whole("buffer rows that are mixed with one another", { from: 1 })),
    storage: oneOf("how rows wait in the mixing buffer: f16 takes half the memory and rounds to 11 bits", ["f32", "f16"]),
    batchSequences: orNull(whole("whole sequences a step instead, padding included, as in the notebook", { from: 1 })),
    sequences: orNull(whole("sequences that these are drawn from", { from: 1 })),
    chunk: whole("sequences that go through the model at once", { from: 1, to: 4096 }),
  },
  checkpoints: {
    everySteps: orNull(whole("checkpoint interval in steps; null: by time only", { from: 1 })),
    everySeconds: orNull(number("checkpoint interval in seconds; null: by steps only", { above: 0 })),
  },
  logging: {
    report: flag("keep the page report.html up to date: at checkpoints and at the end"),
    tensorboard: flag("write TensorBoard event files: the figures of metrics.jsonl"),
  },
};

/** All keys of it. */
export const saeKeys: SchemaKeys = new SchemaKeys(saeSchema);
