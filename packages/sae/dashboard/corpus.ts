import type { StrokeTokenizer } from "@cursive/cursive-model";
import type { SequencePiece } from "../evaluation/sequences.ts";
import type { CorpusSequence } from "./feature_pages.ts";

/** A sequence that features are looked for in. */
export interface ReadSequence extends CorpusSequence {
  /** `[S]` */
  readonly context: Int32Array;
  /** For each of the tokens what should come next; below 0 where nothing is asked or padding comes. */
  readonly targets: Int32Array;
}

/** One sequence of a piece, without its trailing padding unless padding counts, and nobody knows yet which letters it writes. */
export function sequenceAt(
  { tokens, targets, context }: Pick<SequencePiece, "tokens" | "targets" | "context">,
  { row, tokenizer, keep }: { readonly row: number; readonly tokenizer: StrokeTokenizer; readonly keep: ArrayLike<number> },
): Omit<ReadSequence, "letters"> {
  const { padToken } = tokenizer;
  const own = ({ data, shape }: SequencePiece["tokens"]): Int32Array => (data as Int32Array).slice(row * shape[1]!, (row + 1) * shape[1]!);
  const [all, characters] = [own(tokens), own(context)];
  const length = keep[padToken] ? all.length : all.findLastIndex((token) => token !== padToken) + 1;
  return {
    tokens: Array.from(all.subarray(0, length)),
    targets: own(targets)
      .subarray(0, length)
      .map((target) => (target === padToken ? -1 : target)),
    context: characters,
    text: tokenizer.decodeText(characters),
  };
}

/** How many of a sequence's tokens are ink: all before END or padding. */
export function inkLength(tokens: readonly number[], { padToken, endToken }: StrokeTokenizer): number {
  const end = tokens.findIndex((token) => token === padToken || token === endToken);
  return end < 0 ? tokens.length : end;
}

/** Tokens of the longest sequence. There may be a million, more than a function takes as arguments. */
export function longestOf(sequences: readonly Pick<ReadSequence, "tokens">[]): number {
  return sequences.reduce((longest, { tokens }) => Math.max(longest, tokens.length), 0);
}
