import type { FeaturePagesAbout } from "./feature_pages.ts";

const plurals = { theta: "directions", radius: "lengths", word: "WORD", end: "END", pad: "PAD", unknown: "unknown tokens" } as const;

/**
 * How many rows were looked at, and what they are: `18,432 tokens of ink`, or `1,000 tokens (lengths, PAD)`.
 *
 * @param count - Spells a whole number.
 */
export function rowsTold({ rows, tokens }: Pick<FeaturePagesAbout, "rows" | "tokens">, count: (rows: number) => string): string {
  const what = `${count(rows)} ${rows === 1 ? "token" : "tokens"}`;
  return tokens ? `${what} (${tokens.map((kind) => plurals[kind]).join(", ")})` : `${what} of ink`;
}
