import { type InkSegment, StrokeTokenizer } from "@cursive/cursive-model";
import { batch, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { BenchClient } from "../../engine/client.ts";
import type { Opening } from "../../engine/opening.ts";
import type { WriteAnswer, WriteProgress } from "../../engine/write.ts";
import type { PlannedWord } from "./text_plan.ts";
import { seedAgain, type WriteSettings } from "./write_settings.ts";

/** A word that is written, or being written. */
export interface InkWord {
  /** What it was written from: equal keys give equal ink. */
  readonly key: string;
  readonly text: string;
  readonly isJoined: boolean;
  readonly tokens: readonly number[];
  readonly segments: readonly InkSegment[];
  /** By token: the logits that it was drawn from; none for the first point, which is given. One more than tokens where END was drawn. */
  readonly logits: readonly (Float32Array | undefined)[];
  readonly isDone: boolean;
  /** False where it was cut off at the most tokens that the model takes. */
  readonly ended: boolean;
}

/** Other ends of a word, drawn from where the pen stood. */
export interface Futures {
  readonly word: number;
  /** Of the word's movements: the first one that could have been another. */
  readonly from: number;
  readonly inks: readonly (readonly InkSegment[])[];
  readonly isDone: boolean;
}

/** How fast it went. */
export type WriteSpeed = Pick<WriteAnswer, "secondsToFirst" | "tokensPerSecond" | "seconds">;

/** Futures side by side: one batch. */
const FUTURES = 24;
/** Words kept for when they are asked for again. */
const KEPT_WORDS = 300;
/** Between two changes of what is shown while tokens stream in. */
const FLUSH_MS = 16;

/**
 * The writing on the page: words with their tokens as they come from the worker. It outlives the page, so that one finds it again after a look
 * at another one.
 */
export class WriteSession {
  readonly #bench: BenchClient;
  readonly #words: Signal<readonly InkWord[]> = signal([]);
  readonly #futures: Signal<Futures | undefined> = signal(undefined);
  readonly #isWriting: Signal<boolean> = signal(false);
  readonly #isRecorded: Signal<boolean> = signal(false);
  readonly #speed: Signal<WriteSpeed | undefined> = signal(undefined);
  readonly #kept = new Map<string, InkWord>();
  #job = new AbortController();
  #futuresJob = new AbortController();

  constructor(bench: BenchClient) {
    this.#bench = bench;
  }

  get words(): ReadonlySignal<readonly InkWord[]> {
    return this.#words;
  }

  get futures(): ReadonlySignal<Futures | undefined> {
    return this.#futures;
  }

  get isWriting(): ReadonlySignal<boolean> {
    return this.#isWriting;
  }

  /** Whether what is shown was written when the app was made. */
  get isRecorded(): ReadonlySignal<boolean> {
    return this.#isRecorded;
  }

  get speed(): ReadonlySignal<WriteSpeed | undefined> {
    return this.#speed;
  }

  /** Shows what the app's model wrote when the app was made, if nothing else is there yet. */
  showOpening({ tokenizer, words }: Opening): void {
    if (this.#words.peek().length > 0) return;
    const reader = new StrokeTokenizer(tokenizer);
    batch(() => {
      this.#isRecorded.value = true;
      this.#words.value = words.map(({ text, tokens }) => ({
        ...{ key: "", text, isJoined: false, tokens, logits: [], isDone: true, ended: true },
        segments: reader.segments(tokens),
      }));
    });
  }

  /**
   * Writes words; those that are there already stay, and those that were stopped half-way begin anew. `onChange` is told the place of the first
   * word that is another one now; as many as there are words where none is.
   *
   * @returns Whether all of them are written: false where it was asked to stop, or to write something else.
   * @throws What the engine throws.
   */
  async write(planned: readonly PlannedWord[], settings: WriteSettings, onChange: (firstChanged: number) => void): Promise<boolean> {
    this.stop();
    const job = new AbortController();
    this.#job = job;
    const model = this.#bench.model.peek()!;
    const wishes = planned.map(({ text, isJoined, copy }, i) => {
      const times = settings.again.get(i) ?? 0;
      const request = { text, seed: times > 0 ? seedAgain(settings.seed, times) : settings.seed, copy };
      const { temperature, topK, withoutText } = settings;
      return { request, isJoined, key: JSON.stringify([model.id, request, temperature, topK, withoutText]) };
    });
    const before = this.#words.peek();
    const wasRecorded = this.#isRecorded.peek();
    // The recording stands for the same words until they are there, so that nothing jumps.
    const isQuiet = wasRecorded && before.length === wishes.length && wishes.every(({ request }, i) => request.text === before[i]!.text);
    const words = wishes.map(({ request, isJoined, key }): InkWord => {
      const kept = this.#kept.get(key);
      if (kept) return { ...kept, isJoined };
      return { key, text: request.text, isJoined, tokens: [], segments: [], logits: [], isDone: false, ended: true };
    });
    const missing = words.flatMap(({ isDone }, i) => (isDone ? [] : [i]));
    const show = (): void => {
      this.#words.value = [...words];
    };
    this.clearFutures();
    if (!isQuiet) {
      const same = words.findIndex(({ key, isDone }, i) => key !== before[i]?.key || !isDone);
      batch(() => {
        this.#isRecorded.value = false;
        this.#isWriting.value = missing.length > 0;
        show();
      });
      onChange(same < 0 ? words.length : same);
    }
    if (missing.length === 0) return true;

    const tokenizer = new StrokeTokenizer(model.tokenizer);
    const growing = new GrowingInk(missing.length, tokenizer);
    const flush = throttled(() => {
      for (const [row, place] of missing.entries()) words[place] = { ...words[place]!, ...growing.row(row) };
      if (!isQuiet) show();
    });
    this.#isWriting.value = true;
    try {
      const answer = await this.#bench.ask(
        "write",
        { ...settingsForEngine(settings), words: missing.map((i) => wishes[i]!.request), keepLogits: true },
        { signal: job.signal, onProgress: (step) => growing.take(step, flush) },
      );
      flush.now();
      for (const [row, place] of missing.entries()) {
        words[place] = { ...words[place]!, isDone: true, ended: answer.words[row]!.ended };
        this.#keep(words[place]!);
      }
      batch(() => {
        this.#speed.value = answer;
        this.#isRecorded.value = false;
        show();
      });
      if (isQuiet && words.some(({ tokens }, i) => tokens.join() !== before[i]!.tokens.join())) onChange(0);
      return true;
    } catch (error) {
      if (!job.signal.aborted) throw error;
      return false;
    } finally {
      flush.cancel();
      if (this.#job === job) this.#isWriting.value = false;
    }
  }

  /** Draws other ends of a word from one of its movements on. @throws What the engine throws, but for being asked to stop. */
  async lookAhead(at: { readonly word: number; readonly from: number }, settings: WriteSettings): Promise<void> {
    const { word, from } = at;
    const ink = this.#words.peek()[word];
    if (!ink || this.#isRecorded.peek()) return;
    this.clearFutures();
    const job = new AbortController();
    this.#futuresJob = job;
    const tokenizer = new StrokeTokenizer(this.#bench.model.peek()!.tokenizer);
    const next = ink.segments[from];
    const start = ink.tokens.slice(0, next ? (next.thetaIndex ?? next.radiusIndex)! : ink.tokens.length);
    const given = start.length > 0 ? start : undefined;
    const growing = new GrowingInk(FUTURES, tokenizer, given);
    const show = (isDone: boolean): void => {
      const inks = Array.from({ length: FUTURES }, (_, row) => growing.row(row).segments.slice(given ? from : 0));
      this.#futures.value = { word, from: given ? from : 0, inks, isDone };
    };
    const flush = throttled(() => show(false));
    const words = Array.from({ length: FUTURES }, (_, i) => ({ text: ink.text, seed: settings.seed, copy: 1000 + i }));
    try {
      await this.#bench.ask(
        "write",
        { ...settingsForEngine(settings), words, keepLogits: false, ...(given && { start: given }) },
        { signal: job.signal, onProgress: (step) => growing.take(step, flush) },
      );
      flush.cancel();
      show(true);
    } catch (error) {
      if (!job.signal.aborted) throw error;
    } finally {
      flush.cancel();
    }
  }

  /** Takes the other ends away. */
  clearFutures(): void {
    this.#futuresJob.abort(new DOMException("Other ends are not wanted any more", "AbortError"));
    this.#futures.value = undefined;
  }

  /** Stops writing; what is written stays. */
  stop(): void {
    this.#job.abort(new DOMException("The writing was stopped", "AbortError"));
    this.#isWriting.value = false;
  }

  #keep(word: InkWord): void {
    this.#kept.set(word.key, word);
    if (this.#kept.size > KEPT_WORDS) this.#kept.delete(this.#kept.keys().next().value!);
  }
}

const sessions = new WeakMap<BenchClient, WriteSession>();

/** The engine's own session. */
export function sessionOf(bench: BenchClient): WriteSession {
  let session = sessions.get(bench);
  if (!session) {
    session = new WriteSession(bench);
    sessions.set(bench, session);
  }
  return session;
}

function settingsForEngine({ temperature, topK, withoutText }: WriteSettings): { temperature: number; topK: number; withoutText: boolean } {
  return { temperature, topK, withoutText };
}

/** The rows of a batch as their tokens come. */
class GrowingInk {
  readonly #tokenizer: StrokeTokenizer;
  readonly #rows: { readonly tokens: number[]; readonly logits: (Float32Array | undefined)[] }[];

  constructor(rows: number, tokenizer: StrokeTokenizer, start: readonly number[] = [...tokenizer.encodeStrokes([[0, 0, 1]])]) {
    this.#tokenizer = tokenizer;
    this.#rows = Array.from({ length: rows }, () => ({ tokens: [...start], logits: start.map(() => undefined) }));
  }

  take(step: WriteProgress, onTaken: () => void): void {
    for (const { word, token, logits } of step) {
      const row = this.#rows[word]!;
      if (token !== this.#tokenizer.endToken) row.tokens.push(token);
      row.logits.push(logits);
    }
    onTaken();
  }

  row(index: number): Pick<InkWord, "tokens" | "segments" | "logits"> {
    const { tokens, logits } = this.#rows[index]!;
    return { tokens: [...tokens], segments: this.#tokenizer.segments(tokens), logits: [...logits] };
  }
}

/** Runs `work` soon, once for all calls until then. */
function throttled(work: () => void): { (): void; now(): void; cancel(): void } {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const cancel = (): void => {
    clearTimeout(timer);
    timer = undefined;
  };
  const now = (): void => {
    cancel();
    work();
  };
  const soon = (): void => {
    timer ??= setTimeout(now, FLUSH_MS);
  };
  return Object.assign(soon, { now, cancel });
}
