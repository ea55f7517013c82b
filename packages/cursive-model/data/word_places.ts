import type { StrokeTokenizer } from "./tokenizer.ts";
import type { Word } from "./word.ts";

/** What {@linkcode wordPlaces} gives for a token of no word: the gap between two, WORD, END, PAD. */
export const noWord: number = -1;

/**
 * Which word of an example each of its tokens writes. Words have known numbers of pen-up points, which no augmentation changes, and between
 * two of them there is one more, or a WORD pair: counting these tells the words apart, without knowing where any letter ends.
 *
 * @returns One index into `words` a token, or {@linkcode noWord}.
 * @example
 * ```ts
 * const { tokens, words } = dataset.batch({ step: 0, batchSize: 1, split: "test" });
 * wordPlaces(tokens, { words: words[0], tokenizer }); // Int32Array [0, 0, 0, …, -1, -1, 1, 1, …]
 * ```
 */
export function wordPlaces(
  tokens: ArrayLike<number>,
  { words, tokenizer }: { readonly words: readonly Word[]; readonly tokenizer: StrokeTokenizer },
): Int32Array {
  const { wordToken, firstThetaToken, padToken } = tokenizer;
  const firstPenUp = firstThetaToken / 2;
  const places = new Int32Array(tokens.length).fill(noWord);
  const penUps = words.map(({ points }) => points.filter(([, , pen]) => pen === 0).length);
  let word = 0;
  let left = penUps[0]!; // pen-up points of this word still to come
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]!;
    const isPenUp = token >= firstPenUp && token < firstThetaToken;
    if (token === wordToken) {
      if (tokens[i - 1] !== wordToken) word++;
    } else if (wordToken === null && isPenUp && left === 0) {
      places[i - 1] = noWord; // the gap: its direction looked like the word's
      word++;
      left = penUps[word] ?? Number.POSITIVE_INFINITY;
    } else if (token < padToken) {
      places[i] = word;
      if (isPenUp) left--;
    }
  }
  return places;
}
