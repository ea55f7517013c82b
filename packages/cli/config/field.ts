/** One value of a configuration: what it is for, and which values it takes. */
export interface Field<T> {
  readonly doc: string;
  /** Completes "Expected training.lr to be …": `"a number above 0"`. */
  readonly expects: string;
  readonly accepts: (value: unknown) => value is T;
}

/** A field for every value of a configuration, in sections as the configuration has them: a value without a field does not compile. */
export type Schema<T> = {
  readonly [K in keyof T]: T[K] extends readonly unknown[] ? Field<T[K]> : T[K] extends object ? Schema<T[K]> : Field<T[K]>;
};

/** A whole number in a range. */
export function whole(doc: string, range: { readonly from: number; readonly to?: number }): Field<number> {
  const { from, to = Number.MAX_SAFE_INTEGER } = range;
  const expects = range.to === undefined ? `a whole number from ${from}` : `a whole number from ${from} to ${to}`;
  return { doc, expects, accepts: (v): v is number => Number.isSafeInteger(v) && (v as number) >= from && (v as number) <= to };
}

/** A finite number in a range; `above` and `below` exclude the bound itself. */
export function number(
  doc: string,
  range: { readonly above?: number; readonly from?: number; readonly to?: number; readonly below?: number },
): Field<number> {
  const words = Object.entries(range).map(([word, bound]) => `${word} ${bound}`);
  const { above = Number.NEGATIVE_INFINITY, from = above, to = Number.POSITIVE_INFINITY, below = to } = range;
  const isInside = (v: number): boolean =>
    v >= from && v <= to && (range.above === undefined || v > above) && (range.below === undefined || v < below);
  return {
    doc,
    expects: ["a number", ...words].join(" "),
    accepts: (v): v is number => typeof v === "number" && Number.isFinite(v) && isInside(v),
  };
}

/** Text with at least one character. */
export function text(doc: string): Field<string> {
  return { doc, expects: "a text", accepts: (v): v is string => typeof v === "string" && v !== "" };
}

/** Yes or no. */
export function flag(doc: string): Field<boolean> {
  return { doc, expects: "true or false", accepts: (v): v is boolean => typeof v === "boolean" };
}

/** One of a few names. */
export function oneOf<const T extends string>(doc: string, names: readonly T[]): Field<T> {
  return { doc, expects: `one of ${names.join(", ")}`, accepts: (v): v is T => names.includes(v as T) };
}

/** A list of values of a kind. */
export function listOf<T>(item: Field<T>): Field<readonly T[]> {
  return {
    doc: item.doc,
    expects: `a list, each ${item.expects}`,
    accepts: (v): v is readonly T[] => Array.isArray(v) && v.length > 0 && v.every(item.accepts),
  };
}

/** Two values of a kind. */
export function pairOf<T>(item: Field<T>): Field<readonly [T, T]> {
  return {
    doc: item.doc,
    expects: `a list of two, each ${item.expects}`,
    accepts: (v): v is readonly [T, T] => Array.isArray(v) && v.length === 2 && v.every(item.accepts),
  };
}

/** A value, or null for none. */
export function orNull<T>(field: Field<T>): Field<T | null> {
  return { doc: field.doc, expects: `${field.expects}, or null`, accepts: (v): v is T | null => v === null || field.accepts(v) };
}

/** How a value is quoted in messages: on one line, of bounded length. */
export function quoted(value: unknown): string {
  const json = JSON.stringify(value) ?? String(value);
  return json.length > 60 ? `${json.slice(0, 60)}…` : json;
}

/**
 * The value that a text from the command line stands for: JSON where that fits (`5e-3`, `null`, `["ink","wave"]`), else the text itself, else
 * a list with commas (`ink,wave`); the text itself where nothing fits.
 */
export function readText(field: Field<unknown>, given: string): unknown {
  const parts = given.split(",").map((part) => part.trim());
  const candidates = [parseJson(given), given, parts.map(parseJson), parts];
  return candidates.find((value) => field.accepts(value)) ?? (field.accepts(null) && given === "null" ? null : given);
}

function parseJson(given: string): unknown {
  try {
    return JSON.parse(given);
  } catch {
    return undefined;
  }
}
