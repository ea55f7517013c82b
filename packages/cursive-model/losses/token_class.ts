import type { StrokeTokenizer } from "../data/tokenizer.ts";

/** The kinds of targets, each with what it is. */
export const tokenClasses = {
  theta: "direction of a movement",
  penDown: "length of a movement, pen down",
  penUp: "length of a movement, pen up",
  word: "WORD, between words",
  end: "END, after the ink",
  endAgain: "END again, as the original has it",
  pad: "PAD, after the end",
} as const;

/** A kind of target. */
export type TokenClass = keyof typeof tokenClasses;

/** The kind of a target, given the token that it comes after. */
export function tokenClass(
  target: number,
  { after, tokenizer }: { readonly after: number; readonly tokenizer: StrokeTokenizer },
): TokenClass {
  const { firstThetaToken, padToken, endToken, wordToken } = tokenizer;
  if (target < firstThetaToken) return target < firstThetaToken / 2 ? "penDown" : "penUp";
  if (target < padToken) return "theta";
  if (target === wordToken) return "word";
  if (target !== endToken) return "pad";
  return after === endToken ? "endAgain" : "end";
}
