import type { StrokeTokenizer } from "@cursive/cursive-model";

/** A token's share in what was drawn next. */
export interface TokenShare {
  readonly token: number;
  /** From 0 to 1. */
  readonly share: number;
}

/** What a model expected, taken apart by what tokens mean. */
export interface Expectation {
  /** By direction bin. */
  readonly directions: readonly TokenShare[];
  /** By length bin, with the pen down and up. */
  readonly down: readonly TokenShare[];
  readonly up: readonly TokenShare[];
  /** That the word is at its end. */
  readonly end: number;
  /** Of PAD and of WORD, where there is one: neither is ever drawn by a trained model. */
  readonly others: number;
}

/**
 * The probabilities that a token was drawn with: softmax of the logits divided by the temperature, over the k likeliest. At temperature 0, where
 * nothing is drawn, those at temperature 1.
 */
export function expectationOf(
  logits: Float32Array,
  tokenizer: StrokeTokenizer,
  { temperature, topK }: { readonly temperature: number; readonly topK: number },
): Expectation {
  const divisor = temperature > 0 ? temperature : 1;
  const least = topK > 0 && topK < logits.length ? [...logits].sort((a, b) => b - a)[topK - 1]! : Number.NEGATIVE_INFINITY;
  const most = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const weights = Array.from(logits, (value) => (value >= least ? Math.exp((value - most) / divisor) : 0));
  const sum = weights.reduce((a, b) => a + b, 0);
  const shares = weights.map((weight, token) => ({ token, share: weight / sum }));
  const { firstThetaToken, padToken, endToken } = tokenizer;
  const end = shares[endToken]!.share;
  return {
    directions: shares.slice(firstThetaToken, padToken),
    down: shares.slice(0, firstThetaToken / 2),
    up: shares.slice(firstThetaToken / 2, firstThetaToken),
    end,
    others: shares.slice(padToken).reduce((total, { share }) => total + share, 0) - end,
  };
}

/** The sum of some tokens' shares. */
export function shareOf(tokens: readonly TokenShare[]): number {
  return tokens.reduce((sum, { share }) => sum + share, 0);
}

/** The likeliest of some tokens. */
export function likeliest(tokens: readonly TokenShare[]): TokenShare {
  return tokens.reduce((best, each) => (each.share > best.share ? each : best));
}

/** A direction as people say it, y down: `up and right`. */
export function compass(theta: number): string {
  const names = ["right", "down and right", "down", "down and left", "left", "up and left", "up", "up and right"];
  return names[(Math.round(theta / (Math.PI / 4)) + 8) % 8]!;
}
