import type { StrokeTokenizer } from "./tokenizer.ts";

/** The classes of {@link StrokeColumns.token}. */
export const strokeTokenClasses: readonly string[] = ["direction", "length (pen down)", "length (pen up)", "WORD", "END", "PAD"];

/** What a model that has read so far knows of the ink, one number a token; NaN where there is no such thing. */
export interface StrokeColumns {
  /** The direction of the token's movement, in radians, y down: the middle of its bin. At both tokens of a pair. */
  readonly theta: Float64Array;
  /** The movement's length, in canvas heights: the middle of its bin. At the second token of a pair, for at the first it is still open. */
  readonly length: Float64Array;
  /** 1 while the pen is down, 0 while it is up: after the last length read. */
  readonly pen: Float64Array;
  /** How far through its word, from 0 to 1. */
  readonly place: Float64Array;
  /** One of {@link strokeTokenClasses}; NaN for an unknown token. */
  readonly token: Float64Array;
}

/**
 * What each token of a sequence is about: what to look for the tuning of latents in.
 *
 * @param options.words - Which word each token is of, below 0 for none, as `wordPlaces` says. Default: words end where WORD stands, and
 * without such tokens all ink is one.
 * @example
 * ```ts
 * const { theta, pen } = strokeColumns(tokens, { tokenizer });
 * ```
 */
export function strokeColumns(
  tokens: ArrayLike<number>,
  { tokenizer, words = wordsBetween(tokens, tokenizer) }: { readonly tokenizer: StrokeTokenizer; readonly words?: ArrayLike<number> },
): StrokeColumns {
  const column = (): Float64Array => new Float64Array(tokens.length).fill(Number.NaN);
  const columns = { theta: column(), length: column(), pen: column(), place: placesIn(words), token: column() };
  let [theta, pen] = [Number.NaN, Number.NaN];
  for (let i = 0; i < tokens.length; i++) {
    const meaning = tokenizer.meaning(tokens[i]!);
    const kinds = { theta: 0, radius: 2, word: 3, end: 4, pad: 5, unknown: Number.NaN };
    columns.token[i] = kinds[meaning.kind];
    if (meaning.kind === "theta") {
      theta = (meaning.low + meaning.high) / 2;
      columns.theta[i] = theta;
    } else if (meaning.kind === "radius") {
      pen = meaning.pen;
      if (pen === 1) columns.token[i] = 1;
      columns.theta[i] = theta; // NaN without a direction before it
      columns.length[i] = (meaning.low + meaning.high) / 2;
      theta = Number.NaN;
    } else {
      theta = Number.NaN;
      if (meaning.kind !== "unknown") pen = Number.NaN;
    }
    columns.pen[i] = pen;
  }
  return columns;
}

function wordsBetween(tokens: ArrayLike<number>, { padToken, wordToken }: StrokeTokenizer): Int32Array {
  let word = 0;
  return Int32Array.from({ length: tokens.length }, (_, i) => {
    if (tokens[i] === wordToken && tokens[i - 1] !== wordToken) word++;
    return tokens[i]! >= 0 && tokens[i]! < padToken ? word : -1;
  });
}

/** (k + ½) / n for the k-th of a word's n tokens. */
function placesIn(words: ArrayLike<number>): Float64Array {
  const lengths = new Map<number, number>();
  const ranks = Array.from(words, (word) => {
    const rank = lengths.get(word) ?? 0;
    lengths.set(word, rank + 1);
    return rank;
  });
  return Float64Array.from(words, (word, i) => (word < 0 ? Number.NaN : (ranks[i]! + 0.5) / lengths.get(word)!));
}
