import { type CapturedStep, capture, createRng, type HostTensor, noGrad, type Rng, type Tensor } from "@cursive/tensor";
import type { StrokeTokenizer } from "./data/tokenizer.ts";
import type { Transformer } from "./transformer.ts";

/** Options of {@link generate}. */
export interface GenerateOptions {
  /** Above 1 wilder, below 1 tidier, 0 always the likeliest token. Default 1. */
  readonly temperature?: number;
  /** Choose among the k likeliest tokens only; ties with the k-th are kept. Default: all. */
  readonly topK?: number;
  /** Names the random draws. Each text has a stream of its own, whatever stands beside it; equal texts have different ones. Default 0. */
  readonly seed?: number;
  /** Most tokens a text, the given ones included. Default: the model's block size. */
  readonly maxTokens?: number;
  /** Tokens that every sample starts with: ink to continue. Default: the first point, which is the same in all ink. */
  readonly start?: ArrayLike<number>;
  /** Called after every token with the number of tokens so far. */
  readonly onToken?: (count: number) => void;
}

/** Sequence lengths are rounded up to multiples of this, so that few different steps are captured. */
const BUCKET = 64;

type NextLogits = CapturedStep<[tokens: HostTensor, context: HostTensor, last: HostTensor], Tensor>;
const captured = new WeakMap<Transformer, NextLogits>();

/**
 * Writes texts: draws stroke tokens one after another until END. All texts are written side by side in one batch.
 *
 * @returns One token sequence a text, without END.
 * @throws RangeError if the tokenizer is not the model's, a number is out of range, or the model gives NaN.
 * @example
 * ```ts
 * const [tokens] = await generate(model, { tokenizer, texts: ["hello"], temperature: 0.8, seed: 3 });
 * const points = tokenizer.decodeStrokes(tokens);
 * ```
 */
export async function generate(
  model: Transformer,
  options: GenerateOptions & { readonly tokenizer: StrokeTokenizer; readonly texts: readonly string[] },
): Promise<Int32Array[]> {
  const { tokenizer, texts, temperature = 1, topK = Number.POSITIVE_INFINITY, seed = 0 } = options;
  const { blockSize, contextBlockSize, vocabSize } = model.config;
  const maxTokens = Math.min(options.maxTokens ?? blockSize, blockSize);
  const start = Int32Array.from(options.start ?? tokenizer.encodeStrokes([[0, 0, 1]]));
  if (tokenizer.vocabSize !== vocabSize)
    throw new RangeError(`Expected a tokenizer of the model's ${vocabSize} tokens but found one of ${tokenizer.vocabSize}`);
  if (start.length < 1 || start.length > maxTokens)
    throw new RangeError(`Expected 1 to ${maxTokens} tokens to start with but found ${start.length}`);
  if (!(temperature >= 0)) throw new RangeError(`Expected a temperature of at least 0 but found ${temperature}`);
  if (!(topK >= 1)) throw new RangeError(`Expected topK of at least 1 but found ${topK}`);

  const context = new Int32Array(texts.length * contextBlockSize);
  texts.forEach((text, i) => {
    context.set(tokenizer.encodeText(text, { length: contextBlockSize }), i * contextBlockSize);
  });
  const rows = texts.map((text, i) => {
    const copy = texts.slice(0, i).filter((other) => other === text).length;
    return { tokens: [...start], rng: createRng(seed, "generate", text, copy), done: false };
  });
  const step = nextLogits(model);
  for (let count = start.length; count < maxTokens && rows.some((r) => !r.done); count++) {
    const length = Math.min(blockSize, BUCKET * Math.ceil(count / BUCKET));
    const tokens = new Int32Array(rows.length * length).fill(tokenizer.padToken);
    for (const [i, row] of rows.entries()) tokens.set(row.tokens, i * length);
    const logits = await step(
      { shape: [rows.length, length], dtype: "i32", data: tokens },
      { shape: [rows.length, contextBlockSize], dtype: "i32", data: context },
      { shape: [1], dtype: "i32", data: Int32Array.of(count - 1) },
    );
    const values = (await logits.data()) as Float32Array;
    for (const [i, row] of rows.entries()) {
      if (row.done) continue;
      const token = sampleToken(values.subarray(i * vocabSize, (i + 1) * vocabSize), { temperature, topK, rng: row.rng });
      if (token === tokenizer.endToken) row.done = true;
      else row.tokens.push(token);
    }
    options.onToken?.(count + 1);
  }
  return rows.map((r) => Int32Array.from(r.tokens));
}

/** The model's logits after token `last` of each sequence: `[B, 1, V]`. The head sees that one position only. */
function nextLogits(model: Transformer): NextLogits {
  let step = captured.get(model);
  if (!step) {
    step = capture(
      (tokens: Tensor, context: Tensor, last: Tensor) =>
        noGrad(() => model.lm_head.call(model.transformer.call(tokens, context, {}).indexSelect(last, { axis: 1 }))),
      { device: model.lm_head.weight.device },
    );
    captured.set(model, step);
  }
  return step;
}

/**
 * Draws a token from logits `[V]`, in float64 on the host, so that equal logits and seeds give equal tokens in every runtime.
 * @throws RangeError if a logit is NaN.
 */
export function sampleToken(logits: ArrayLike<number>, options: { temperature: number; topK: number; rng: Rng }): number {
  const { temperature, topK, rng } = options;
  let best = 0;
  for (let i = 0; i < logits.length; i++) {
    if (Number.isNaN(logits[i]))
      throw new RangeError(`Expected finite logits but found NaN for token ${i}: the model's parameters are broken`);
    if (logits[i]! > logits[best]!) best = i;
  }
  if (temperature === 0) return best;
  const least = topK < logits.length ? Float64Array.from(logits).sort()[logits.length - Math.floor(topK)]! : Number.NEGATIVE_INFINITY;
  const weights = Float64Array.from(logits, (v) => (v >= least ? Math.exp((v - logits[best]!) / temperature) : 0));
  let left = rng.uniform() * weights.reduce((a, b) => a + b, 0);
  for (let i = 0; i < weights.length; i++) {
    left -= weights[i]!;
    if (left < 0 && weights[i]! > 0) return i;
  }
  return best; // rounding left a crumb beyond the last token
}
