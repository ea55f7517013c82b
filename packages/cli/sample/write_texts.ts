import { type FittedText, generate, type InkSegment } from "@cursive/cursive-model";
import type { CompileProgress } from "@cursive/tensor";
import { Interrupted, RunFailed } from "../errors.ts";
import type { FoundModel } from "../run/find_model.ts";
import type { WarmUp } from "./warm_up.ts";

/** How texts are written. */
export interface WriteSettings {
  readonly temperature: number;
  /** Null: all tokens. */
  readonly topK: number | null;
  readonly seed: number;
  /** Writings of each text. */
  readonly samples: number;
  /** Most tokens of ink, a warm-up's not counted. */
  readonly maxTokens: number;
  /** Whether keys and values are kept. */
  readonly cache: boolean;
}

/** One text, written once. */
export interface Writing extends FittedText {
  /** Which writing of the text it is, from 1. */
  readonly sample: number;
  /** Without END, and without a warm-up's. */
  readonly tokens: Int32Array;
  /** False where the model had not come to the end of the text within the most tokens. */
  readonly ended: boolean;
  /** The movements of the pen. The first point of the ink is at x = 0. */
  readonly segments: readonly InkSegment[];
}

/** What came of it. */
export interface Written {
  /** Those that were finished, in the order of the texts. */
  readonly writings: readonly Writing[];
  /** How many were asked for. */
  readonly asked: number;
  /** Until the first tokens were there: shaders, and the texts' own keys and values. */
  readonly secondsToFirst: number;
  readonly seconds: number;
  /** After the first. */
  readonly tokensPerSecond: number;
  /** Why it stopped before all were finished. */
  readonly interrupted: Interrupted | undefined;
}

/** Where the writing stands. */
export interface WriteProgress {
  readonly finished: number;
  readonly asked: number;
  readonly tokens: number;
  readonly tokensPerSecond: number;
}

/** What {@link writeTexts} is given besides the texts. */
export interface WriteOptions extends WriteSettings {
  readonly found: FoundModel;
  readonly warmUp: WarmUp | undefined;
  readonly signal: AbortSignal;
  readonly onCompile?: CompileProgress;
  readonly onProgress: (progress: WriteProgress) => void;
}

/** Has the model write each text some times. @throws RunFailed if its parameters are broken. */
export async function writeTexts(texts: readonly FittedText[], options: WriteOptions): Promise<Written> {
  const { found, warmUp, samples, temperature, topK, seed, cache, signal, onCompile, onProgress } = options;
  const { model, tokenizer, path } = found;
  const jobs = texts.flatMap((text) => Array.from({ length: samples }, (_, i) => ({ ...text, sample: i + 1 })));
  const writings = new Array<Writing | undefined>(jobs.length);
  const before = warmUp?.tokens.length ?? 0;
  const { blockSize } = model.config;
  const maxTokens = Math.min(blockSize, before + options.maxTokens);
  // In training END stands in the last place of sequences that were cut too: there it says nothing.
  const lastPlace = Math.min(maxTokens, blockSize - 1);
  const clock = new TokenClock();
  let finished = 0;
  let interrupted: Interrupted | undefined;
  try {
    await generate(model, {
      tokenizer,
      texts: jobs.map(({ written }) => (warmUp ? `${warmUp.text} ${written}` : written)),
      ...{ temperature, seed, maxTokens, cache, signal, onCompile },
      topK: topK ?? undefined,
      start: warmUp?.tokens,
      onText: (index, tokens) => {
        finished++;
        const segments = ownInk(tokenizer.segments(tokens), before);
        writings[index] = { ...jobs[index]!, tokens: tokens.subarray(before), ended: tokens.length < lastPlace, segments };
      },
      onToken: (_count, drawn) => {
        clock.tick(drawn);
        onProgress({ finished, asked: jobs.length, tokens: clock.tokens, tokensPerSecond: clock.tokensPerSecond });
      },
    });
  } catch (error) {
    if (error instanceof RangeError && error.message.includes("NaN")) throw new RunFailed(`${path}: ${error.message}`);
    if (!(error instanceof Interrupted)) throw error;
    interrupted = error;
  }
  const { secondsToFirst, seconds, tokensPerSecond } = clock;
  const done = writings.filter((writing) => writing !== undefined);
  return { writings: done, asked: jobs.length, secondsToFirst, seconds, tokensPerSecond, interrupted };
}

/** The movements that come from tokens at `start` and after, moved so that the first one ends at x = 0. */
function ownInk(segments: readonly InkSegment[], start: number): InkSegment[] {
  const own = segments.filter(({ thetaIndex, radiusIndex }) => (thetaIndex ?? radiusIndex)! >= start);
  const left = own[0]?.to[0] ?? 0;
  const moved = ([x, y]: InkSegment["to"]): InkSegment["to"] => [x - left, y];
  const placed = (index: number | null): number | null => (index === null ? null : index - start);
  return own.map((segment) => ({
    ...segment,
    from: moved(segment.from),
    to: moved(segment.to),
    thetaIndex: placed(segment.thetaIndex),
    radiusIndex: placed(segment.radiusIndex),
  }));
}

/** Counts tokens by the clock. The first ones wait for shaders to compile, so the rate is that of all others. */
class TokenClock {
  tokens = 0;
  readonly #began = performance.now();
  #first: { readonly at: number; readonly tokens: number } | undefined;
  #last = this.#began;

  tick(tokens: number): void {
    this.tokens += tokens;
    this.#last = performance.now();
    this.#first ??= { at: this.#last, tokens };
  }

  get secondsToFirst(): number {
    return ((this.#first?.at ?? this.#last) - this.#began) / 1000;
  }

  get seconds(): number {
    return (this.#last - this.#began) / 1000;
  }

  get tokensPerSecond(): number {
    const { at, tokens } = this.#first ?? { at: this.#began, tokens: 0 };
    return this.#last > at ? (1000 * (this.tokens - tokens)) / (this.#last - at) : 0;
  }
}
