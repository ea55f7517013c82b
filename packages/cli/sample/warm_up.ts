import {
  type AugmentationRanges,
  augment,
  joinWords,
  type Point,
  type StrokeTokenizer,
  type Word,
  wordGap,
  writeCursive,
} from "@cursive/cursive-model";
import { createRng, nearest } from "@cursive/tensor";
import type { RunConfig } from "../config/run_config.ts";
import { oneLine, UsageError } from "../errors.ts";
import { augmentations, importedWords } from "../run/data.ts";

/** Ink that the model goes on from, in the same hand. */
export interface WarmUp {
  /** What is written in it. */
  readonly text: string;
  /** Its tokens, up to where the next word begins. */
  readonly tokens: Int32Array<ArrayBuffer>;
}

/** What {@link makeWarmUp} is asked for. */
export interface WarmUpRequest {
  /** The words to begin with. Default: the first of the word bank. */
  readonly words?: readonly string[];
  /** Where they come from: a word bank (zip or JSON), or "cursive" for the built-in hand. Default: what the model was trained on. */
  readonly bank?: string;
  readonly tokenizer: StrokeTokenizer;
  /** The run that the model is of. */
  readonly config?: RunConfig;
  readonly seed: number;
}

/**
 * Ink of given words, thinned out as in training but not varied. The built-in hand writes any word for it.
 *
 * @throws UsageError for a word that is not there, or that has characters which the model lacks.
 */
export async function makeWarmUp(request: WarmUpRequest): Promise<WarmUp> {
  const { tokenizer, config } = request;
  const words = await findWords(request);
  const text = words.map((word) => word.text).join(" ");
  const [unknown] = tokenizer.unknownCharacters(text);
  if (unknown !== undefined) throw new UsageError(`Expected a warm-up in the model's characters but found ${unknown} in "${text}"`);
  return { text, tokens: encodeWarmUp(words, { tokenizer, thinning: thinningOf(augmentations[config?.data.augmentation ?? "default"]) }) };
}

async function findWords({ words: texts, bank, config, seed }: WarmUpRequest): Promise<Word[]> {
  const source = bank ?? config?.data.source;
  if (source === undefined)
    throw new UsageError("Expected --style with a word bank, as this checkpoint is of no run whose words are known, but found none");
  if (source === "cursive") return (texts ?? ["hello"]).map((text) => inBuiltInHand(text, seed));
  const known = await importedWords(source);
  const find = (text: string): Word => {
    const found = known.find((word) => word.text === text);
    if (found) return found;
    const all = [...new Set(known.map((word) => word.text))];
    throw new UsageError(`Expected a word of ${source} but found "${text}": the nearest are ${nearest(text, all).join(", ")}`);
  };
  return texts ? texts.map(find) : known.slice(0, 1);
}

function inBuiltInHand(text: string, seed: number): Word {
  try {
    return writeCursive(text, { rng: createRng(seed, "warm-up", text) });
  } catch (error) {
    throw new UsageError(`Expected a warm-up that the built-in hand can write but found "${text}": ${oneLine(error)}`);
  }
}

/** How an augmentation thins points out, on average. */
function thinningOf(ranges: AugmentationRanges | false): { downsample?: number; simplify?: number } {
  const middle = (range: readonly [number, number]): number => (range[0] + range[1]) / 2;
  const { downsample, simplify } = ranges || {};
  return { ...(downsample && { downsample: middle(downsample) }), ...(simplify && { simplify: middle(simplify) }) };
}

/** The tokens of words and of the way to the next one, as examples for training have them. */
function encodeWarmUp(
  words: readonly Word[],
  { tokenizer, thinning }: { tokenizer: StrokeTokenizer; thinning: { downsample?: number; simplify?: number } },
): Int32Array<ArrayBuffer> {
  if (tokenizer.wordToken !== null) {
    const tokens = tokenizer.encodeWords(words.map((word) => augment(word.points, thinning)));
    return Int32Array.from([...tokens, tokenizer.wordToken, tokenizer.wordToken]);
  }
  const { points } = joinWords(words);
  const right = points.reduce((most, [x]) => Math.max(most, x), 0);
  const gap: Point = [right + wordGap, points.at(-1)![1], 0];
  return Int32Array.from(tokenizer.encodeStrokes(augment([...points, gap], thinning)));
}
