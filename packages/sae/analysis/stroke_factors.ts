import type { ClassFactor, Factor } from "./factor.ts";

/** What the rows of handwriting are about, one number a row, NaN for none; `strokeColumns` of `@cursive/cursive-model` gives most of it. */
export interface StrokeRows {
  /** Directions, in radians. */
  readonly theta?: ArrayLike<number>;
  readonly length?: ArrayLike<number>;
  /** 0 up, 1 down. */
  readonly pen?: ArrayLike<number>;
  /** How far through its word, 0 to 1. */
  readonly place?: ArrayLike<number>;
  /** Places in `tokens`. */
  readonly token?: ArrayLike<number>;
  /** The letter being written: places in `letters`. */
  readonly letter?: ArrayLike<number>;
}

/** Tokens' classes as labels speak of them. */
const plurals: Readonly<Record<string, string>> = {
  direction: "directions",
  "length (pen down)": "pen-down lengths",
  "length (pen up)": "pen-up lengths",
};

/**
 * The factors that latents of handwriting are looked at by; those that have columns.
 *
 * @example
 * ```ts
 * const tuning = new Tuning(strokeFactors(columns, { tokens: strokeTokenClasses, letters: ["", ...tokenizer.alphabet] }));
 * ```
 */
export function strokeFactors(
  rows: StrokeRows,
  { tokens = [], letters = [] }: { readonly tokens?: readonly string[]; readonly letters?: readonly string[] } = {},
): Factor[] {
  const classes = (name: string, values: ArrayLike<number>, labels: readonly string[]): ClassFactor => ({
    name,
    kind: "class",
    values,
    labels,
    ...(name === "token" && { phrase: (chosen) => `at ${chosen.map((token) => plurals[token] ?? token).join(" or ")}` }),
  });
  const { theta, length, pen, place, letter, token } = rows;
  return [
    ...(theta ? [{ name: "theta", kind: "angle", values: theta } as const] : []),
    ...(length ? [{ name: "length", kind: "scale", values: length } as const] : []),
    ...(pen ? [classes("pen", pen, ["up", "down"])] : []),
    ...(place ? [{ name: "place", kind: "scale", values: place } as const] : []),
    ...(letter ? [classes("letter", letter, letters)] : []),
    ...(token ? [classes("token", token, tokens)] : []),
  ];
}
