import { StrokeTokenizer, type StrokeTokenizerConfig, strokeColumns } from "@cursive/cursive-model";
import type { CorpusSequence, FeaturePage, FeatureSource } from "./feature_pages.ts";

/** A row of the notebook's token table, with everything in it decoded. */
export interface TokenRow {
  /** From 1: the strongest. */
  readonly rank: number;
  readonly activation: number;
  readonly sequence: number;
  readonly position: number;
  /** Its id in the vocabulary. */
  readonly token: number;
  /** As {@link tokenMeaning} has it. */
  readonly meaning: string;
  /** The pen after the last length that was read, this token's own included. */
  readonly pen: "down" | "up" | null;
  /** The character that it writes, as far as attention tells. */
  readonly letter: string | null;
  /** The sequence's text. */
  readonly text: string;
  /** Meanings of the tokens before and after it, in their order. */
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/**
 * A token in a few characters: `θ 142°` for a direction (the middle of its bin; 90° is downwards), `r 0.073` for a length in canvas heights,
 * `r 0.073 up` where it lifts the pen, `PAD`, `END`, `WORD`, or `?`.
 */
export function tokenMeaning(token: number, tokenizer: StrokeTokenizer): string {
  const meaning = tokenizer.meaning(token);
  if (meaning.kind === "unknown") return "?";
  if (meaning.kind !== "theta" && meaning.kind !== "radius") return meaning.kind.toUpperCase();
  const middle = (meaning.low + meaning.high) / 2;
  if (meaning.kind === "theta") return `θ ${(Math.round((middle * 180) / Math.PI) + 360) % 360}°`;
  return `r ${Number(middle.toPrecision(2))}${meaning.pen === 1 ? "" : " up"}`;
}

/**
 * The strongest firings of a feature as the notebook's table has them: what it printed as ids, decoded.
 *
 * @param source - Where the sequences are.
 * @example
 * ```ts
 * const rows = await tokenTable(await source.page(18), { source, tokenizer: (await source.overview()).tokenizer });
 * rows[0]; // { rank: 1, activation: 29.8, meaning: "θ 149°", pen: "down", letter: "d", text: "and", … }
 * ```
 */
export async function tokenTable(
  { topTokens }: Pick<FeaturePage, "topTokens">,
  options: {
    readonly source: Pick<FeatureSource, "sequence">;
    readonly tokenizer: StrokeTokenizerConfig;
    /** Tokens shown on either side. Default 4. */
    readonly around?: number;
  },
): Promise<TokenRow[]> {
  const { source, around = 4 } = options;
  const tokenizer = new StrokeTokenizer(options.tokenizer);
  return Promise.all(
    topTokens.map(async ({ sequence, position, activation }, i) => {
      const { tokens, text, letters } = await source.sequence(sequence);
      const meanings = (from: number, to: number): string[] =>
        tokens.slice(Math.max(0, from), Math.max(0, to)).map((token) => tokenMeaning(token, tokenizer));
      return {
        ...{ rank: i + 1, activation, sequence, position, token: tokens[position]!, text },
        meaning: tokenMeaning(tokens[position]!, tokenizer),
        pen: penAt({ tokens }, { position, tokenizer }),
        letter: [...text][letters[position]!] ?? null,
        before: meanings(position - around, position),
        after: meanings(position + 1, position + 1 + around),
      };
    }),
  );
}

function penAt(
  { tokens }: Pick<CorpusSequence, "tokens">,
  { position, tokenizer }: { readonly position: number; readonly tokenizer: StrokeTokenizer },
): TokenRow["pen"] {
  const pen = strokeColumns(tokens.slice(0, position + 1), { tokenizer }).pen[position]!;
  return Number.isNaN(pen) ? null : pen === 1 ? "down" : "up";
}
