import {
  type AttentionHead,
  ablateHeads,
  attentionKinds,
  coarseAugmentation,
  cursiveCharacters,
  Decoder,
  type HeadAblations,
  type HookRequest,
  MeanLoss,
  makeWords,
  measureAttention,
  padSequence,
  type StrokeTokenizer,
  sampleToken,
  type TextAttention,
  type Transformer,
  WordDataset,
} from "@cursive/cursive-model";
import { type CapturedStep, capture, createRng, crossEntropy, type HostTensor, noGrad, type Tensor, tensor } from "@cursive/tensor";
import type { CallContext } from "./call.ts";

/** A model, what its tokens mean, and what it was trained on. */
export interface AttentionBench {
  readonly model: Transformer;
  readonly tokenizer: StrokeTokenizer;
  readonly modelFacts: { readonly characters: string; readonly longestWord: number };
}

/** Ink for the model to read, with the text that it is told. */
export interface InkOfText {
  readonly text: string;
  /** Stroke tokens, without END and PAD. */
  readonly tokens: readonly number[];
}

/** What to write. */
export interface WriteRequest {
  readonly text: string;
  /** Names the draws; the same ones whatever heads are off. */
  readonly seed: number;
  /** Below 1 tidier, above 1 wilder, 0 always the likeliest token. */
  readonly temperature: number;
  /** Choose among the k likeliest tokens; 0 for all. */
  readonly topK: number;
  /** Heads whose output is zeroed. */
  readonly off: readonly AttentionHead[];
}

/** What was written. */
export interface Written {
  readonly tokens: readonly number[];
  /** END was drawn; else the model ran out of places. */
  readonly ended: boolean;
}

/** What heads are worth on one piece of ink. All in nats. */
export interface LossOnInk {
  /** The cross-entropy of the token after each place with all heads on; END after the last. */
  readonly losses: readonly number[];
  /** How much each of these rises where heads are off; below 0 where the model does better without them. */
  readonly rises: readonly number[];
  readonly meanLoss: number;
  readonly meanRise: number;
}

/** What heads are worth over words that no training has seen. In nats a target without padding. */
export interface LossOnWords {
  readonly words: number;
  readonly loss: number;
  readonly rise: number;
  /** Of the rise, over words. */
  readonly standardError: number;
}

/** Sequences are padded to multiples of this, so that few different steps are captured. */
const BUCKET = 64;
/** Names the words that losses are taken over. Training draws from other seeds. */
const WORDS_SEED = 60_221;
/** How many words: a pass over them takes a software adapter under a second. */
const WORDS = 24;

/**
 * Writes a text, with heads off or without, and reports the tokens as they come. A head's place in the mixture does not depend on where in the
 * sequence it is, so what is kept of the places before (their keys and values) stays right.
 *
 * @throws {RangeError} for numbers out of range. @throws The reason of the signal.
 */
export async function writeWithout(
  { model, tokenizer }: Pick<AttentionBench, "model" | "tokenizer">,
  { text, seed, temperature, topK, off }: WriteRequest,
  { report, signal }: CallContext<readonly number[]>,
): Promise<Written> {
  const { blockSize, contextBlockSize } = model.config;
  const tokens = Array.from(tokenizer.encodeStrokes([[0, 0, 1]]));
  const rng = createRng(seed, "generate", text, 0); // as `generate` draws
  using _scope = model.hooks({ fwdHooks: zeroing(model, off) });
  const decoder = new Decoder(model, { batch: 1, context: Int32Array.from(tokenizer.encodeText(text, { length: contextBlockSize })) });
  try {
    let logits = await decoder.start(Int32Array.from(tokens));
    while (tokens.length < blockSize) {
      signal.throwIfAborted();
      const token = sampleToken(logits, { temperature, topK: topK || Number.POSITIVE_INFINITY, rng });
      if (token === tokenizer.endToken) return { tokens, ended: true };
      tokens.push(token);
      report(tokens);
      if (tokens.length < blockSize) logits = await decoder.next(Int32Array.of(token));
    }
    return { tokens, ended: false };
  } finally {
    decoder.release();
  }
}

/**
 * Where every head looks while the model reads ink, with all heads on.
 *
 * @throws {RangeError} for a text or ink that is empty or too long for the model.
 */
export function readAttention(
  { model, tokenizer }: Pick<AttentionBench, "model" | "tokenizer">,
  { text, tokens }: InkOfText,
): Promise<TextAttention> {
  return measureAttention(model, { text, tokens: Int32Array.from(tokens.slice(0, model.config.blockSize)), tokenizer });
}

/**
 * What some heads together are worth on one piece of ink: the losses of all its tokens, and how much they rise without them.
 *
 * @throws {RangeError} for ink without tokens.
 */
export async function lossOnInk(bench: AttentionBench, ink: InkOfText & { readonly off: readonly AttentionHead[] }): Promise<LossOnInk> {
  const { model, tokenizer } = bench;
  const { blockSize, contextBlockSize } = model.config;
  const tokens = ink.tokens.slice(0, blockSize - 1);
  if (tokens.length === 0) throw new RangeError("Expected ink but found none");
  const length = Math.min(blockSize, BUCKET * Math.ceil((tokens.length + 1) / BUCKET));
  const padded = padSequence(tokens, { length, padToken: tokenizer.padToken, endToken: tokenizer.endToken });
  const context = tokenizer.encodeText(ink.text, { length: contextBlockSize });
  const inputs: GatedInputs = [ids(padded.tokens, length), ids(padded.targets, length), ids(context, contextBlockSize)];
  const [all, without] = await lossesOf(bench, inputs, ink.off);
  const losses = Array.from(all.subarray(0, tokens.length));
  const rises = losses.map((loss, i) => without[i]! - loss);
  return { losses, rises, meanLoss: mean(losses), meanRise: mean(rises) };
}

/**
 * What some heads together are worth over new words of the built-in cursive.
 *
 * @throws {RangeError} where the built-in cursive has none of the model's characters.
 */
export async function lossOnWords(
  bench: AttentionBench,
  { off, words = WORDS }: { readonly off: readonly AttentionHead[]; readonly words?: number },
): Promise<LossOnWords> {
  const dataset = newWords(bench, words);
  const { padToken } = dataset.tokenizer;
  const batch = dataset.batch({ step: 0, batchSize: words, split: "test" });
  const { maxLength, contextLength } = dataset;
  const inputs: GatedInputs = [ids(batch.tokens, maxLength), ids(batch.targets, maxLength), ids(batch.context, contextLength)];
  const [all, without] = await lossesOf(bench, inputs, off);
  const over = (values: Float32Array): { loss: number; standardError: number } => {
    const measure = new MeanLoss();
    for (let row = 0; row < words; row++) {
      const places = Array.from({ length: maxLength }, (_, i) => row * maxLength + i).filter((at) => batch.targets[at] !== padToken);
      measure.add({ loss: places.reduce((sum, at) => sum + values[at]!, 0), count: places.length, hits: 0 });
    }
    return measure.measure();
  };
  const rise = over(without.map((loss, i) => loss - all[i]!));
  return { words, loss: over(all).loss, rise: rise.loss, standardError: rise.standardError };
}

/**
 * What each head is worth by itself, over the words of {@linkcode lossOnWords}; reports how many of the passes are done.
 *
 * @throws The reason of the signal.
 */
export function lossWithoutEach(
  bench: AttentionBench,
  { words = WORDS }: { readonly words?: number },
  { report, signal }: CallContext<{ readonly done: number; readonly total: number }>,
): Promise<HeadAblations> {
  const onPass = (done: number, total: number): void => report({ done, total });
  return ablateHeads(bench.model, { dataset: newWords(bench, words), sequences: words, pieceSize: words, onPass, signal });
}

type GatedInputs = [tokens: HostTensor, targets: HostTensor, context: HostTensor];
type GatedStep = CapturedStep<[...GatedInputs, open: HostTensor], Tensor>;

const steps = new WeakMap<Transformer, GatedStep>();

/** The loss of every target `[B, T]`, with all heads on and with some off. */
async function lossesOf(
  { model }: AttentionBench,
  inputs: GatedInputs,
  off: readonly AttentionHead[],
): Promise<[all: Float32Array, without: Float32Array]> {
  const { nLayer, nHead } = model.config;
  const sites = nLayer * attentionKinds.length;
  const gates = (closed: readonly AttentionHead[]): HostTensor => {
    const data = new Float32Array(sites * nHead).fill(1);
    for (const { attention, layer, head } of closed)
      data[(layer * attentionKinds.length + attentionKinds.indexOf(attention)) * nHead + head] = 0;
    return { shape: [sites, nHead], dtype: "f32", data };
  };
  const step = gatedStep(model);
  const all = (await (await step(...inputs, gates([]))).data()) as Float32Array;
  if (off.length === 0) return [all, all];
  return [all, (await (await step(...inputs, gates(off))).data()) as Float32Array];
}

/** Losses where each head's output is multiplied by what an input says. The hooks are the step's own, and seen by nothing else. */
function gatedStep(model: Transformer): GatedStep {
  const known = steps.get(model);
  if (known) return known;
  const { nLayer, nHead } = model.config;
  const step: GatedStep = capture(
    (tokens: Tensor, targets: Tensor, context: Tensor, open: Tensor) =>
      noGrad(() => {
        const gate = (site: number) => open.narrow(0, { start: site, length: 1 }).reshape([1, 1, nHead, 1]);
        const fwdHooks = Array.from({ length: nLayer }, (_, layer) =>
          attentionKinds.map(
            (kind, i): HookRequest => [`blocks.${layer}.${kind}.hook_z`, (z) => z.mul(gate(layer * attentionKinds.length + i))],
          ),
        ).flat();
        using _scope = model.hooks({ fwdHooks });
        return crossEntropy(model.forward(tokens, context).logits, targets, { reduction: "none" }); // [B, T]
      }),
    { device: model.lm_head.weight.device },
  );
  steps.set(model, step);
  return step;
}

/** Hooks that zero what some heads put out. */
function zeroing(model: Transformer, off: readonly AttentionHead[]): HookRequest[] {
  const { nHead } = model.config;
  const { device } = model.lm_head.weight;
  const open = new Map<string, Float32Array>();
  for (const { attention, layer, head } of off) {
    const site = `blocks.${layer}.${attention}.hook_z`;
    const gates = open.get(site) ?? new Float32Array(nHead).fill(1);
    gates[head] = 0;
    open.set(site, gates);
  }
  return [...open].map(([site, gates]): HookRequest => {
    const gate = tensor(gates, { shape: [1, 1, nHead, 1], device });
    return [site, (z) => z.mul(gate)];
  });
}

const datasets = new WeakMap<Transformer, Map<number, WordDataset>>();

/** Words in the built-in cursive that the model has room for: as many held out as are asked for. */
function newWords({ model, tokenizer, modelFacts }: AttentionBench, count: number): WordDataset {
  const known = datasets.get(model) ?? new Map<number, WordDataset>();
  datasets.set(model, known);
  const found = known.get(count);
  if (found) return found;
  const { blockSize, contextBlockSize } = model.config;
  const characters = [...new Set(modelFacts.characters)].filter((character) => cursiveCharacters.includes(character)).join("");
  if (characters === "") throw new RangeError("Expected a model of characters that the built-in cursive has but found one of others");
  const words = makeWords({
    count: 2 * count,
    seed: WORDS_SEED,
    characters,
    letters: [Math.min(2, modelFacts.longestWord), modelFacts.longestWord],
  });
  const dataset = new WordDataset(words, {
    ...{ tokenizer, numWords: 1, maxLength: blockSize, contextLength: contextBlockSize, augment: coarseAugmentation },
    split: { minTest: count, maxTest: count },
    combinations: { train: 1, test: 10 * count },
  });
  known.set(count, dataset);
  return dataset;
}

function ids(data: Int32Array, width: number): HostTensor {
  return { shape: [data.length / width, width], dtype: "i32", data };
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}
