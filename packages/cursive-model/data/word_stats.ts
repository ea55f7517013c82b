import { createRng } from "@cursive/tensor";
import { type AugmentationRanges, augment, drawAugmentation } from "./augment.ts";
import type { Split, WordDataset } from "./dataset.ts";
import type { StrokeTokenizer } from "./tokenizer.ts";
import type { Word } from "./word.ts";

/** Where the values of something lie. */
export interface Distribution {
  readonly least: number;
  readonly median: number;
  readonly mean: number;
  /** What 95 % of the values do not exceed. */
  readonly p95: number;
  readonly most: number;
}

/** What words are like, before anything is made of them. Lengths in canvas heights. */
export interface WordStats {
  readonly words: number;
  readonly differentTexts: number;
  readonly authors: readonly { readonly author: string; readonly words: number }[];
  /** By number, most frequent first. */
  readonly characters: readonly { readonly character: string; readonly count: number; readonly words: number }[];
  /** How many words have so many characters, shortest first. */
  readonly textLengths: readonly { readonly characters: number; readonly words: number }[];
  /** A word. */
  readonly points: Distribution;
  /** Over all words. */
  readonly pointsPerCharacter: number;
  /** Points with the pen up, as a share of all. */
  readonly penUpShare: number;
  /** Pen-up points a word. */
  readonly strokes: Distribution;
  readonly width: Distribution;
  /** How far the ink goes above the baseline, and below it. */
  readonly above: Distribution;
  readonly below: Distribution;
}

/** What words come to as tokens. */
export interface TokenStats {
  readonly tokensPerWord: Distribution;
  /** Over all words. */
  readonly tokensPerCharacter: number;
  /** Token ids that occur, of the tokenizer's {@link vocabulary}. */
  readonly used: number;
  readonly vocabulary: number;
  /** Entropy of the tokens by their frequencies, in nats: the loss of a model that knows nothing but these. */
  readonly entropy: number;
}

/** What the examples of a split are like. */
export interface ExampleStats {
  readonly examples: number;
  /** Tokens of the ink, without END, before any is cut off. */
  readonly tokens: Distribution;
  readonly characters: Distribution;
  /** Examples whose ink or whose text is too long and loses its end. */
  readonly cutInk: number;
  readonly cutText: number;
  /** Targets that are padding, as a share of all. */
  readonly paddingShare: number;
}

/**
 * Sums words up.
 * @throws {RangeError} if there is none.
 */
export function describeWords(words: readonly Word[]): WordStats {
  const characters = new Map<string, { count: number; words: number }>();
  const authors = new Map<string, number>();
  const lengths = new Map<number, number>();
  let [points, penUps, letters] = [0, 0, 0];
  for (const { text, author, points: ink } of words) {
    const spelled = [...text];
    for (const character of spelled) {
      const entry = characters.get(character) ?? { count: 0, words: 0 };
      characters.set(character, { ...entry, count: entry.count + 1 });
    }
    for (const character of new Set(spelled)) characters.get(character)!.words++;
    authors.set(author, (authors.get(author) ?? 0) + 1);
    lengths.set(spelled.length, (lengths.get(spelled.length) ?? 0) + 1);
    letters += spelled.length;
    points += ink.length;
    penUps += countPenUps(ink);
  }
  const of = (measure: (word: Word) => number): Distribution => distribution(words.map(measure));
  const extreme = (axis: 0 | 1, choose: (a: number, b: number) => number) => (word: Word) =>
    word.points.map((point) => point[axis]).reduce(choose);
  const [least, most] = [(a: number, b: number) => Math.min(a, b), (a: number, b: number) => Math.max(a, b)];
  return {
    words: words.length,
    differentTexts: new Set(words.map(({ text }) => text)).size,
    authors: [...authors].map(([author, count]) => ({ author, words: count })).sort((a, b) => b.words - a.words),
    characters: [...characters].map(([character, counts]) => ({ character, ...counts })).sort((a, b) => b.count - a.count),
    textLengths: [...lengths].map(([length, count]) => ({ characters: length, words: count })).sort((a, b) => a.characters - b.characters),
    points: of((word) => word.points.length),
    pointsPerCharacter: points / letters,
    penUpShare: penUps / points,
    strokes: of((word) => countPenUps(word.points)),
    width: of((word) => extreme(0, most)(word) - extreme(0, least)(word)),
    above: of((word) => -extreme(1, least)(word)),
    below: of(extreme(1, most)),
  };
}

/**
 * What words come to as tokens, each varied once.
 * @throws {RangeError} if there is no word.
 */
export function describeTokens(
  words: readonly Word[],
  options: { readonly tokenizer: StrokeTokenizer; readonly augment: AugmentationRanges | false; readonly seed: number },
): TokenStats {
  const { tokenizer, augment: ranges, seed } = options;
  const counts = new Float64Array(tokenizer.vocabSize);
  const lengths: number[] = [];
  let letters = 0;
  for (const [i, { text, points }] of words.entries()) {
    const ink = ranges ? augment(points, drawAugmentation(createRng(seed, "describe", i), ranges)) : points;
    const tokens = tokenizer.encodeStrokes(ink);
    for (const token of tokens) counts[token]!++;
    lengths.push(tokens.length);
    letters += [...text].length;
  }
  const total = lengths.reduce((a, b) => a + b, 0);
  return {
    tokensPerWord: distribution(lengths),
    tokensPerCharacter: total / letters,
    used: counts.filter((count) => count > 0).length,
    vocabulary: tokenizer.vocabSize,
    entropy: counts.reduce((sum, count) => (count > 0 ? sum - (count / total) * Math.log(count / total) : sum), 0),
  };
}

/** What the first `count` examples of a split are like, as training or an evaluation draws them. */
export function describeExamples(dataset: WordDataset, { split, count }: { readonly split: Split; readonly count: number }): ExampleStats {
  const { lengths, texts } = dataset.batch({ step: 0, batchSize: count, split });
  const { maxLength, contextLength } = dataset;
  const characters = texts.map((text) => [...text].length);
  const targets = [...lengths].map((length) => Math.min(length, maxLength - 1) + 1); // END at the end of the ink, and again
  return {
    examples: count,
    tokens: distribution([...lengths]),
    characters: distribution(characters),
    cutInk: lengths.filter((length) => length >= maxLength).length,
    cutText: characters.filter((length) => length > contextLength).length,
    paddingShare: 1 - targets.reduce((a, b) => a + b, 0) / (count * maxLength),
  };
}

function countPenUps(points: Word["points"]): number {
  return points.reduce((count, [, , pen]) => (pen === 0 ? count + 1 : count), 0);
}

function distribution(values: readonly number[]): Distribution {
  if (values.length === 0) throw new RangeError("Expected at least one word but found none");
  const sorted = Float64Array.from(values).sort();
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
  const [low, high] = [sorted[Math.floor((sorted.length - 1) / 2)]!, sorted[Math.ceil((sorted.length - 1) / 2)]!];
  return {
    least: sorted[0]!,
    median: (low + high) / 2,
    mean: sorted.reduce((a, b) => a + b, 0) / sorted.length,
    p95: at(0.95),
    most: sorted.at(-1)!,
  };
}
