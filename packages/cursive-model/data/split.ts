import { createRng } from "@cursive/tensor";

/** Options of {@linkcode splitWords}. */
export interface SplitOptions {
  /** Names the permutation. */
  seed: number;
  /** Share of the words to hold out. Default 0.05. */
  testFraction?: number;
  /** The fewest words to hold out. Default 10. */
  minTest?: number;
  /** The most words to hold out. Default 1,000. */
  maxTest?: number;
}

/**
 * Splits words at random into those to train on and those held out, as the original does: `min(1000, max(10, floor(5 %)))` are held out.
 *
 * @throws {RangeError} if nothing would be left to train on.
 * @example
 * ```ts
 * const { train, test } = splitWords(words, { seed: 42 }); // of 1,900 words 1,805 and 95
 * ```
 */
export function splitWords<T>(words: readonly T[], options: SplitOptions): { train: T[]; test: T[] } {
  const { seed, testFraction = 0.05, minTest = 10, maxTest = 1000 } = options;
  const held = Math.min(maxTest, Math.max(minTest, Math.floor(testFraction * words.length)));
  if (!(held < words.length)) throw new RangeError(`Expected more than the ${held} words to hold out but found ${words.length}`);
  const shuffled = Array.from(createRng(seed, "split").permutation(words.length), (i) => words[i]!);
  return { train: shuffled.slice(held), test: shuffled.slice(0, held) };
}
