import { cursiveCharacters, makeWords } from "@cursive/cursive-model";

/** Texts among which the next prompt is chosen. */
const CANDIDATES = 24;

/** How often each character has been written. */
export function countCharacters(texts: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const character of texts.join("")) counts.set(character, (counts.get(character) ?? 0) + 1);
  return counts;
}

/**
 * A word to write next: of several made-up ones the one whose letters have been written least, so that all letters come about equally often. The
 * same number and the same words so far give the same prompt.
 *
 * @param options.number how many prompts there were before, skipped ones too
 * @throws {RangeError} where no word can be made of the characters.
 * @example
 * ```ts
 * nextPrompt({ number: 0, written: [], characters: "abcdefghijklmnopqrstuvwxyz", longest: 8 }); // "quimfex"
 * ```
 */
export function nextPrompt(options: {
  readonly number: number;
  readonly written: readonly string[];
  readonly characters: string;
  readonly longest: number;
}): string {
  const { number, written, characters, longest } = options;
  const counts = countCharacters(written);
  const known = [...new Set(characters)].filter((character) => cursiveCharacters.includes(character)).join("");
  const letters = [Math.min(3, longest), longest] as const;
  const made = makeWords({ count: CANDIDATES, seed: number, characters: known, letters, spacing: 1 }); // only the texts matter
  /** How much a text's letters are wanted: one never written counts 1, one written n times 1 / (1 + n). */
  const need = (text: string): number => {
    const own = [...new Set(text)];
    return own.reduce((sum, character) => sum + 1 / (1 + (counts.get(character) ?? 0)), 0) / Math.sqrt([...text].length);
  };
  const fitting = made.map(({ text }) => text).filter((text) => [...text].length <= longest && !written.includes(text));
  const texts = fitting.length > 0 ? fitting : made.map(({ text }) => text);
  return texts.reduce((best, text) => (need(text) > need(best) ? text : best));
}
