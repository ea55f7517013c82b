import type { StrokeTokenizer } from "../data/tokenizer.ts";

/** Which stroke tokens count. */
export interface TokenFilterOptions {
  /** Directions. Default true. */
  readonly theta?: boolean;
  /** Lengths with the pen. Default true. */
  readonly radius?: boolean;
  /** The separator of words. Default false. */
  readonly word?: boolean;
  /** The end of a text. Default false. */
  readonly end?: boolean;
  /** What fills up sequences. Default false. */
  readonly pad?: boolean;
}

/**
 * 1 for each token id that counts, 0 for the others, `[V]`. By default ink counts, and nothing else.
 *
 * @example
 * ```ts
 * const keep = tokenFilter(tokenizer, { theta: false }); // lengths only
 * const kept = tokens.filter((token) => keep[token]);
 * ```
 */
export function tokenFilter(tokenizer: StrokeTokenizer, options: TokenFilterOptions = {}): Uint8Array {
  const keep = { theta: true, radius: true, word: false, end: false, pad: false, unknown: false, ...options };
  return Uint8Array.from({ length: tokenizer.vocabSize }, (_, token) => Number(keep[tokenizer.meaning(token).kind]));
}
