import { createRng, type Rng } from "@cursive/tensor";
import { type AugmentationRanges, augment, defaultAugmentation, drawAugmentation } from "./augment.ts";
import { joinWords } from "./join.ts";
import { type SplitOptions, splitWords } from "./split.ts";
import type { StrokeTokenizer } from "./tokenizer.ts";
import type { Word } from "./word.ts";

/** Which words examples are made of: those to train on, or those held out. */
export type Split = "train" | "test";

/** Options of {@linkcode WordDataset}. */
export interface WordDatasetOptions {
  tokenizer: StrokeTokenizer;
  /** Names every random choice. Default 42. */
  seed?: number;
  /** Different words written after one another in an example. Default 4. */
  numWords?: number;
  /** T, tokens a sequence. Default 1,000. */
  maxLength?: number;
  /** S, characters a text. Default 50. */
  contextLength?: number;
  /** How ink is varied each time it is drawn, on held-out words too, as in the original. `false` leaves it as it is. Default {@linkcode defaultAugmentation}. */
  augment?: AugmentationRanges | false;
  /** How many different word combinations there are to train on and to test on. Default 497,000 and 3,000. */
  combinations?: { train: number; test: number };
  /** How many words are held out. Default as {@linkcode splitWords} has it. */
  split?: Omit<SplitOptions, "seed">;
}

/** A batch of B sequences, ready for the model. */
export interface Batch {
  /** `[B, T]`: each sequence, END, then PAD. */
  tokens: Int32Array;
  /** `[B, T]`: at each place the token to predict, the one after; PAD in the end. */
  targets: Int32Array;
  /** `[B, S]`: the characters of each text, padded with 0. */
  context: Int32Array;
  /** The B texts. */
  texts: string[];
  /** The words that each text is made of. */
  words: (readonly Word[])[];
  /** `[B]`: how many tokens each ink has, before END; where it is T or more, the sequence was cut. */
  lengths: Int32Array;
}

/**
 * Examples for the handwriting model, drawn from words when they are asked for. A batch depends on the seed, the split and the step and on
 * nothing that was drawn before: a resumed run goes on with the very batches that it would have seen.
 *
 * As in the original, combination i of a split is always the same words, a batch takes combinations at random, and varies their ink anew.
 *
 * @example
 * ```ts
 * const dataset = new WordDataset(words, { tokenizer: new StrokeTokenizer() });
 * const { tokens, targets, context } = dataset.batch({ step: 0, batchSize: 32, split: "train" });
 * ```
 */
export class WordDataset {
  readonly tokenizer: StrokeTokenizer;
  readonly maxLength: number;
  readonly contextLength: number;
  readonly numWords: number;
  readonly seed: number;
  /** The words of each split. */
  readonly words: Readonly<Record<Split, readonly Word[]>>;

  readonly #augment: AugmentationRanges | false;
  readonly #combinations: { train: number; test: number };

  /** @throws {RangeError} if a size is not a positive whole number, words are too few, or a text has a character that the tokenizer lacks. */
  constructor(words: readonly Word[], options: WordDatasetOptions) {
    const {
      tokenizer,
      seed = 42,
      numWords = 4,
      maxLength = 1000,
      contextLength = 50,
      combinations = { train: 497_000, test: 3_000 },
    } = options;
    for (const [name, size] of Object.entries({ numWords, maxLength, contextLength, ...combinations })) {
      if (!Number.isInteger(size) || size < 1) throw new RangeError(`Expected ${name} to be a positive whole number but found ${size}`);
    }
    for (const [i, word] of words.entries()) {
      const [unknown] = tokenizer.unknownCharacters(word.text);
      if (unknown) throw new RangeError(`Expected characters of the alphabet but found "${unknown}" in word ${i}, "${word.text}"`);
    }
    this.tokenizer = tokenizer;
    this.seed = seed;
    this.numWords = numWords;
    this.maxLength = maxLength;
    this.contextLength = contextLength;
    this.words = splitWords(words, { seed, ...options.split });
    this.#augment = options.augment ?? defaultAugmentation;
    this.#combinations = combinations;
    for (const split of ["train", "test"] as const) {
      const found = this.words[split].length;
      if (found < numWords) throw new RangeError(`Expected at least ${numWords} ${split} words but found ${found}`);
    }
  }

  /**
   * The words of combination `index` of a split: `numWords` different ones.
   *
   * @throws {RangeError} if there is no such combination.
   */
  combination(split: Split, index: number): Word[] {
    const count = this.#combinations[split];
    if (!Number.isInteger(index) || index < 0 || index >= count)
      throw new RangeError(`Expected a combination from 0 to ${count - 1} but found ${index}`);
    const words = this.words[split];
    const rng = createRng(this.seed, "combination", split, index);
    const chosen = new Set<number>();
    while (chosen.size < this.numWords) chosen.add(rng.integer(words.length));
    return Array.from(chosen, (i) => words[i]!);
  }

  /**
   * The batch of a step.
   *
   * @throws {RangeError} unless `step` is a whole number from 0 and `batchSize` from 1.
   */
  batch({ step, batchSize, split }: { step: number; batchSize: number; split: Split }): Batch {
    if (!Number.isInteger(step) || step < 0) throw new RangeError(`Expected a step from 0 but found ${step}`);
    if (!Number.isInteger(batchSize) || batchSize < 1) throw new RangeError(`Expected a batch size from 1 but found ${batchSize}`);
    const { maxLength: length, contextLength } = this;
    const { padToken, endToken } = this.tokenizer;
    const batch: Batch = {
      tokens: new Int32Array(batchSize * length),
      targets: new Int32Array(batchSize * length),
      context: new Int32Array(batchSize * contextLength),
      texts: [],
      words: [],
      lengths: new Int32Array(batchSize),
    };
    const rng = createRng(this.seed, "batch", split, step);
    for (let row = 0; row < batchSize; row++) {
      const words = this.combination(split, rng.integer(this.#combinations[split]));
      const text = words.map((word) => word.text).join(" ");
      const ink = this.#tokens(words, rng);
      const { tokens, targets } = padSequence(ink, { length, padToken, endToken });
      batch.tokens.set(tokens, row * length);
      batch.targets.set(targets, row * length);
      batch.context.set(this.tokenizer.encodeText(text, { length: contextLength }), row * contextLength);
      batch.texts.push(text);
      batch.words.push(words);
      batch.lengths[row] = ink.length;
    }
    return batch;
  }

  #tokens(words: readonly Word[], rng: Rng): Int32Array {
    const draws = this.#augment ? drawAugmentation(rng, this.#augment) : {};
    if (this.tokenizer.wordToken === null) return this.tokenizer.encodeStrokes(augment(joinWords(words).points, draws));
    return this.tokenizer.encodeWords(words.map((word) => augment(word.points, draws)));
  }
}

/**
 * A sequence as the model reads it, and what it should say after each token: `tokens`, END, PAD …, and the same one to the left, with END
 * twice. A sequence that leaves no room for END is cut.
 *
 * @throws {RangeError} unless `length` is a positive whole number.
 * @example
 * ```ts
 * padSequence([7, 8], { length: 4, padToken: 0, endToken: 1 }); // tokens 7 8 1 0, targets 8 1 1 0
 * ```
 */
export function padSequence(
  sequence: ArrayLike<number>,
  { length, padToken, endToken }: { length: number; padToken: number; endToken: number },
): { tokens: Int32Array; targets: Int32Array } {
  if (!Number.isInteger(length) || length < 1) throw new RangeError(`Expected a length of at least 1 but found ${length}`);
  const kept = Math.min(sequence.length, length - 1);
  const tokens = new Int32Array(length).fill(padToken);
  for (let i = 0; i < kept; i++) tokens[i] = sequence[i]!;
  tokens[kept] = endToken;
  const targets = new Int32Array(length).fill(padToken);
  targets.set(tokens.subarray(1, kept + 1));
  targets[kept] = endToken;
  return { tokens, targets };
}
