import { generate } from "@cursive/cursive-model";
import { createRng } from "@cursive/tensor";
import type { Bench, OpenedModel } from "./bench.ts";
import type { CallContext } from "./call.ts";

/** What is to be written, and how. */
export interface WriteRequest {
  /** Written side by side, each with draws of its own. */
  readonly words: readonly WordRequest[];
  /** Above 1 wilder, below 1 tidier, 0 always the likeliest token. */
  readonly temperature: number;
  /** Among how many of the likeliest tokens is drawn; 0 for all. */
  readonly topK: number;
  /** Write as if no text were given. */
  readonly withoutText: boolean;
  /** Tokens that every word starts with: ink to continue. Default: the first point, which is the same in all ink. */
  readonly start?: readonly number[];
  /** Send the logits that each token was drawn from too. */
  readonly keepLogits: boolean;
}

/** A word to write. The same word, seed and copy give the same ink, whatever is written beside it; `pnpm cli sample` counts copies too. */
export interface WordRequest {
  readonly text: string;
  readonly seed: number;
  /** The how many-th writing of this text it is, from 0. */
  readonly copy: number;
}

/** One token of one word, as it is drawn. */
export interface DrawnToken {
  /** The word's place in the request. */
  readonly word: number;
  readonly token: number;
  /** `[V]`: what it was drawn from, where they were asked for. */
  readonly logits?: Float32Array;
}

/** What comes while words are written: the tokens of one step. */
export type WriteProgress = readonly DrawnToken[];

/** Written words. */
export interface WriteAnswer {
  readonly words: readonly WrittenWord[];
  /** Until the first tokens: shaders, and the texts' own keys and values. */
  readonly secondsToFirst: number;
  readonly seconds: number;
  /** After the first. */
  readonly tokensPerSecond: number;
}

/** One written word. */
export interface WrittenWord {
  readonly tokens: Int32Array<ArrayBuffer>;
  /** False where it was cut off at the most tokens that the model takes. */
  readonly ended: boolean;
}

/** Writes words and sends every token as it is drawn. */
export async function writeWords(bench: Bench, request: WriteRequest, context: CallContext<WriteProgress>): Promise<WriteAnswer> {
  const { words, temperature, topK, withoutText, start, keepLogits } = request;
  const { model, tokenizer } = bench;
  const began = performance.now();
  let firstAt = 0;
  let drawn = 0;
  let first = 0;
  let step: DrawnToken[] = [];
  const tokens = await generate(model, {
    tokenizer,
    texts: words.map(({ text }) => text),
    draws: words.map(({ text, seed, copy }) => createRng(seed, "generate", text, copy)),
    temperature,
    topK: topK > 0 ? topK : undefined,
    ablateCrossAttention: withoutText,
    start,
    signal: context.signal,
    onDraw: (word, token, logits) => step.push({ word, token, ...(keepLogits && { logits: logits.slice() }) }),
    onToken: (_count, ofStep) => {
      drawn += ofStep;
      if (firstAt === 0) [firstAt, first] = [performance.now(), ofStep];
      context.report(step);
      step = [];
    },
  });
  const seconds = (performance.now() - began) / 1000;
  const afterFirst = (performance.now() - firstAt) / 1000;
  // In training END stands in the last place of sequences that were cut too: there it says nothing.
  const lastPlace = model.config.blockSize - 1;
  return {
    words: tokens.map((each) => ({ tokens: each, ended: each.length < lastPlace })),
    secondsToFirst: seconds - afterFirst,
    seconds,
    tokensPerSecond: afterFirst > 0 ? (drawn - first) / afterFirst : 0,
  };
}

/** Has the GPU compile what writing takes, by a few tokens that nobody sees. */
export async function warmUp({ model, tokenizer, modelFacts }: OpenedModel): Promise<void> {
  const text = [...modelFacts.characters][0] ?? "";
  await generate(model, { tokenizer, texts: [text], maxTokens: tokenizer.encodeStrokes([[0, 0, 1]]).length + 2 });
}
