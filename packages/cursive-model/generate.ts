import { type CompileProgress, createRng, portableExp, type Rng } from "@cursive/tensor";
import type { StrokeTokenizer } from "./data/tokenizer.ts";
import { Decoder } from "./decode.ts";
import type { Transformer } from "./transformer.ts";
import { wholeSequence } from "./whole_sequence.ts";

/** Options of {@link generate}. */
export interface GenerateOptions {
  /** Above 1 wilder, below 1 tidier, 0 always the likeliest token. Default 1. */
  readonly temperature?: number;
  /** Choose among the k likeliest tokens only; ties with the k-th are kept. Default: all. */
  readonly topK?: number;
  /** Names the random draws. Each text has a stream of its own, whatever stands beside it; equal texts have different ones. Default 0. */
  readonly seed?: number;
  /** One stream of random draws a text, in place of those that `seed` names: so that one of several texts can be drawn anew by itself. */
  readonly draws?: readonly Rng[];
  /** Write as if no text were given: letters that spell nothing. See {@link ForwardOptions.ablateCrossAttention}. Default false. */
  readonly ablateCrossAttention?: boolean;
  /** Most tokens a text, the given ones included. Default: the model's block size. */
  readonly maxTokens?: number;
  /** Tokens that every sample starts with: ink to continue. Default: the first point, which is the same in all ink. */
  readonly start?: ArrayLike<number>;
  /**
   * Keep the keys and values of what has been written, so that a token costs one place's work. Default true. False computes the whole
   * sequence anew for every token, which is much slower; a model with hooks is always run so, since hooks see whole sequences.
   */
  readonly cache?: boolean;
  /**
   * Called after every token: how many each text has now, and for how many texts one was drawn, END too. More than 64 texts are written one
   * batch after another.
   */
  readonly onToken?: (count: number, drawn: number) => void;
  /** Called for every token drawn, END too, with its text's place among the texts and the logits `[V]` that it was drawn from. */
  readonly onDraw?: (index: number, token: number, logits: Float32Array) => void;
  /** Called as soon as a text is written, with its place among the texts: what there is already if the rest should fail. */
  readonly onText?: (index: number, tokens: Int32Array<ArrayBuffer>) => void;
  /** Called while the step that takes a token with kept keys and values compiles. */
  readonly onCompile?: CompileProgress;
  /** Asks to stop. */
  readonly signal?: AbortSignal;
}

/** Texts that are written side by side: more would keep more keys and values than they save time. */
const LARGEST_BATCH = 64;

/** A text being written. */
interface Row {
  readonly index: number;
  readonly text: string;
  readonly rng: Rng;
  readonly tokens: number[];
  done: boolean;
}

/**
 * Writes texts: draws stroke tokens one after another until END. The texts of a batch are written side by side.
 *
 * @returns One token sequence a text, without END; one of `maxTokens` tokens never came to its end.
 * @throws RangeError if the tokenizer is not the model's, a number is out of range, or the model gives NaN. @throws The reason of `signal`.
 * @example
 * ```ts
 * const [tokens] = await generate(model, { tokenizer, texts: ["hello"], temperature: 0.8, seed: 3 });
 * const points = tokenizer.decodeStrokes(tokens);
 * ```
 */
export async function generate(
  model: Transformer,
  options: GenerateOptions & { readonly tokenizer: StrokeTokenizer; readonly texts: readonly string[] },
): Promise<Int32Array<ArrayBuffer>[]> {
  const { texts, seed = 0, draws } = options;
  const settings = settingsOf(model, options);
  if (draws && draws.length !== texts.length) throw new RangeError(`Expected ${texts.length} streams of draws but found ${draws.length}`);
  const rows = texts.map((text, index): Row => {
    const copy = texts.slice(0, index).filter((other) => other === text).length;
    return { index, text, rng: draws?.[index] ?? createRng(seed, "generate", text, copy), tokens: [...settings.start], done: false };
  });
  const size = batchSizeFor(model);
  for (let first = 0; first < rows.length; first += size) await writeBatch(model, { ...settings, rows: rows.slice(first, first + size) });
  return rows.map((row) => Int32Array.from(row.tokens));
}

type Settings = Required<Pick<GenerateOptions, "temperature" | "topK" | "maxTokens" | "cache" | "ablateCrossAttention">> &
  Pick<GenerateOptions, "onToken" | "onDraw" | "onText" | "onCompile" | "signal"> & {
    readonly tokenizer: StrokeTokenizer;
    readonly start: readonly number[];
  };

/** The options with their defaults. @throws RangeError if they make no sense. */
function settingsOf(model: Transformer, options: GenerateOptions & { readonly tokenizer: StrokeTokenizer }): Settings {
  const { tokenizer, temperature = 1, topK = Number.POSITIVE_INFINITY, cache = true, onToken, onDraw, onText, signal } = options;
  const { ablateCrossAttention = false, onCompile } = options;
  const { blockSize, vocabSize } = model.config;
  const maxTokens = Math.min(options.maxTokens ?? blockSize, blockSize);
  const start = Array.from(options.start ?? tokenizer.encodeStrokes([[0, 0, 1]]));
  if (tokenizer.vocabSize !== vocabSize)
    throw new RangeError(`Expected a tokenizer of the model's ${vocabSize} tokens but found one of ${tokenizer.vocabSize}`);
  if (start.length < 1 || start.length > maxTokens)
    throw new RangeError(`Expected 1 to ${maxTokens} tokens to start with but found ${start.length}`);
  if (!(temperature >= 0)) throw new RangeError(`Expected a temperature of at least 0 but found ${temperature}`);
  if (!(topK >= 1)) throw new RangeError(`Expected topK of at least 1 but found ${topK}`);
  return { tokenizer, temperature, topK, maxTokens, cache, ablateCrossAttention, onToken, onDraw, onText, onCompile, signal, start };
}

/** As many texts as the keys of one layer can be bound for. */
function batchSizeFor({ config, lm_head }: Transformer): number {
  const { nHead, nEmbd, blockSize } = config;
  const bytes = 4 * blockSize * nHead * 4 * Math.ceil(nEmbd / nHead / 4);
  const { maxStorageBufferBindingSize, maxBufferSize } = lm_head.weight.device.limits;
  return Math.max(1, Math.min(LARGEST_BATCH, Math.floor(Math.min(maxStorageBufferBindingSize, maxBufferSize) / bytes)));
}

async function writeBatch(model: Transformer, settings: Settings & { readonly rows: readonly Row[] }): Promise<void> {
  const { rows, tokenizer, temperature, topK, maxTokens, onToken, onDraw, onText, signal } = settings;
  const { vocabSize } = model.config;
  const finish = (row: Row): void => {
    row.done = true;
    onText?.(row.index, Int32Array.from(row.tokens));
  };
  const source = new LogitsSource(model, settings);
  try {
    for (let count = settings.start.length; count < maxTokens && rows.some((row) => !row.done); count++) {
      signal?.throwIfAborted();
      const values = await source.next();
      let drawn = 0;
      for (const [i, row] of rows.entries()) {
        if (row.done) continue;
        drawn++;
        const logits = values.subarray(i * vocabSize, (i + 1) * vocabSize);
        const token = sampleToken(logits, { temperature, topK, rng: row.rng });
        onDraw?.(row.index, token, logits);
        if (token === tokenizer.endToken) finish(row);
        else row.tokens.push(token);
      }
      onToken?.(count + 1, drawn);
    }
  } finally {
    source.release();
  }
  for (const row of rows) if (!row.done) finish(row);
}

/** The logits after the tokens of a batch of rows as it grows: from kept keys and values, or computed anew. */
class LogitsSource {
  readonly #model: Transformer;
  readonly #rows: readonly Row[];
  readonly #padToken: number;
  readonly #context: Int32Array<ArrayBuffer>;
  readonly #ablateCrossAttention: boolean;
  readonly #modules: readonly { readonly isHooked: boolean }[];
  #decoder: Decoder | undefined;

  constructor(
    model: Transformer,
    settings: Pick<Settings, "tokenizer" | "cache" | "ablateCrossAttention" | "onCompile"> & { rows: readonly Row[] },
  ) {
    const { rows, tokenizer, cache, ablateCrossAttention, onCompile } = settings;
    const { contextBlockSize } = model.config;
    this.#model = model;
    this.#rows = rows;
    this.#padToken = tokenizer.padToken;
    this.#ablateCrossAttention = ablateCrossAttention;
    this.#context = new Int32Array(rows.length * contextBlockSize);
    for (const [i, row] of rows.entries())
      this.#context.set(tokenizer.encodeText(row.text, { length: contextBlockSize }), i * contextBlockSize);
    this.#modules = [...model.namedModules()].map(([, module]) => module);
    if (cache && !this.#isHooked())
      this.#decoder = new Decoder(model, { batch: rows.length, context: this.#context, ablateCrossAttention, onCompile });
  }

  /** After the tokens that the rows have now, `[B, V]` in rows; one token more than the time before. What a finished row gets means nothing. */
  next(): Promise<Float32Array> {
    if (this.#decoder && this.#isHooked()) this.release();
    const decoder = this.#decoder;
    if (!decoder) return this.#recompute();
    const count = Math.max(...this.#rows.map((row) => row.tokens.length));
    if (decoder.length === 0) return decoder.start(this.#tokens(count));
    return decoder.next(Int32Array.from(this.#rows, (row) => row.tokens[count - 1] ?? this.#padToken));
  }

  release(): void {
    this.#decoder?.release();
    this.#decoder = undefined;
  }

  #isHooked(): boolean {
    return this.#modules.some((module) => module.isHooked);
  }

  async #recompute(): Promise<Float32Array> {
    const { blockSize, contextBlockSize } = this.#model.config;
    const batch = this.#rows.length;
    const count = Math.max(...this.#rows.map((row) => row.tokens.length));
    const length = Math.min(blockSize, BUCKET * Math.ceil(count / BUCKET));
    const logits = await wholeSequence(this.#model, this.#ablateCrossAttention)(
      { shape: [batch, length], dtype: "i32", data: this.#tokens(length) },
      { shape: [batch, contextBlockSize], dtype: "i32", data: this.#context },
      { shape: [1], dtype: "i32", data: Int32Array.of(count - 1) },
    );
    return (await logits.data()) as Float32Array;
  }

  /** The rows' tokens, each padded to a length. */
  #tokens(length: number): Int32Array<ArrayBuffer> {
    const tokens = new Int32Array(this.#rows.length * length).fill(this.#padToken);
    for (const [i, row] of this.#rows.entries()) tokens.set(row.tokens, i * length);
    return tokens;
  }
}

/** Lengths of recomputed sequences are rounded up to multiples of this, so that few different steps are captured. */
const BUCKET = 64;

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
  const weights = Float64Array.from(logits, (v) => (v >= least ? portableExp((v - logits[best]!) / temperature) : 0));
  let left = rng.uniform() * weights.reduce((a, b) => a + b, 0);
  for (let i = 0; i < weights.length; i++) {
    left -= weights[i]!;
    if (left < 0 && weights[i]! > 0) return i;
  }
  return best; // rounding left a crumb beyond the last token
}
