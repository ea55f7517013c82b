import { createRng, portableExp, portableLog, type Rng } from "@cursive/tensor";
import { cursiveCharacters, writeCursive } from "./hershey.ts";
import type { Word } from "./word.ts";

/** Options of {@linkcode makeWords}. */
export interface MakeWordsOptions {
  /** How many words. */
  count: number;
  /** Names every random choice. Default 42. */
  seed?: number;
  /** The characters to use. Default: all of the built-in cursive. With small letters alone, words of small letters alone come out. */
  characters?: string;
  /** The fewest and the most letters of a word, without marks around it. Default 2 to 9. Numbers have five figures at most. */
  letters?: readonly [least: number, most: number];
  /** How much the writing varies, see {@linkcode writeCursive}. Default 1. */
  variation?: number;
  /** Distance between points along the line, in canvas heights. Default 0.011. */
  spacing?: number;
}

/** How often English has a letter, in percent, evened out below: a model should see z and q often enough to learn them. */
// biome-ignore format: a table
const letterFrequency: Readonly<Record<string, number>> = {
  e: 12.7, t: 9.1, a: 8.2, o: 7.5, i: 7, n: 6.7, s: 6.3, h: 6.1, r: 6, d: 4.3, l: 4, c: 2.8, u: 2.8,
  m: 2.4, w: 2.4, f: 2.2, g: 2, y: 2, p: 1.9, b: 1.5, v: 1, k: 0.8, j: 0.15, x: 0.15, q: 0.1, z: 0.07,
};
const evenness = 0.35;
const letterWeights: ReadonlyMap<string, number> = new Map(
  Object.entries(letterFrequency).map(([letter, percent]) => [letter, portableExp(evenness * portableLog(percent))]),
);
const vowels = "aeiou";
const openingMarks = "(\"'";
const closingMarks = ".,!?)\"'";

/** The kinds of words there are, with the share of each. */
const kinds = [
  { kind: "small", share: 0.42 },
  { kind: "capitalised", share: 0.18 },
  { kind: "capitals", share: 0.16 },
  { kind: "number", share: 0.24 },
] as const;

/**
 * Words in the built-in cursive, as a data set to start from: random letters in evened-out English proportions, with
 * vowels where one could say them; some capitalised, some in capitals, some numbers, some with marks around. Word i depends on the seed
 * and i alone, so a longer list starts with a shorter one.
 *
 * @throws {RangeError} if no word can be made of the characters, or one of them is not in the built-in cursive.
 * @example
 * ```ts
 * const words = makeWords({ count: 2000 });
 * const plain = makeWords({ count: 500, characters: "abcdefghijklmnopqrstuvwxyz", letters: [3, 5] });
 * ```
 */
export function makeWords(options: MakeWordsOptions): Word[] {
  const { count, seed = 42, characters = cursiveCharacters, letters = [2, 9], variation, spacing } = options;
  if (!Number.isInteger(count) || count < 0) throw new RangeError(`Expected a count from 0 but found ${count}`);
  const [least, most] = letters;
  if (!Number.isInteger(least) || !Number.isInteger(most) || least < 1 || most < least) {
    throw new RangeError(`Expected letters from 1, the least first, but found ${least} to ${most}`);
  }
  const unknown = [...characters].find((character) => !cursiveCharacters.includes(character));
  if (unknown !== undefined) throw new RangeError(`Expected characters of the built-in cursive but found "${unknown}"`);
  return Array.from({ length: count }, (_, i) => {
    const rng = createRng(seed, "words", i);
    return writeCursive(drawText(rng, { characters: new Set(characters), least, most }), { rng, variation, spacing });
  });
}

interface TextRules {
  characters: ReadonlySet<string>;
  least: number;
  most: number;
}

function drawText(rng: Rng, { characters, least, most }: TextRules): string {
  const having = (candidates: Iterable<string>) => [...candidates].filter((candidate) => characters.has(candidate));
  const alphabet = Object.keys(letterFrequency);
  const small = having(alphabet);
  const capitals = having(alphabet.map((letter) => letter.toUpperCase()));
  const figures = having("0123456789");
  const possible = kinds.filter(({ kind }) => {
    if (kind === "small") return small.length > 0;
    if (kind === "capitals") return capitals.length > 0;
    return kind === "number" ? figures.length > 0 : small.length > 0 && capitals.length > 0;
  });
  if (possible.length === 0) throw new RangeError(`Expected letters or figures to make words of but found "${[...characters].join("")}"`);

  const { kind } = pick(rng, possible, ({ share }) => share);
  const length = least + rng.integer(most - least + 1);
  let text = "";
  if (kind === "number") {
    while (text.length < Math.min(length, 5)) text += pick(rng, figures, () => 1);
  } else {
    text = kind === "capitals" ? drawLetters(rng, capitals, length) : drawLetters(rng, small, length);
    if (kind === "capitalised") text = pick(rng, capitals, letterWeight) + text.slice(1);
  }
  const opening = having(openingMarks);
  const closing = having(closingMarks);
  if (opening.length > 0 && rng.uniform() < 0.08) text = pick(rng, opening, () => 1) + text;
  if (closing.length > 0 && rng.uniform() < 0.25) text += pick(rng, closing, () => 1);
  return text;
}

/** Letters about as often vowels as in English: half the time after a consonant, and seldom after another vowel. */
function drawLetters(rng: Rng, letters: readonly string[], length: number): string {
  const isVowel = (letter: string) => vowels.includes(letter.toLowerCase());
  let text = "";
  let vowelNext = rng.uniform() < 0.35;
  while (text.length < length) {
    const wanted = letters.filter((letter) => isVowel(letter) === vowelNext);
    const letter = pick(rng, wanted.length > 0 ? wanted : letters, letterWeight);
    text += letter;
    vowelNext = rng.uniform() < (isVowel(letter) ? 0.15 : 0.55);
  }
  return text;
}

function letterWeight(letter: string): number {
  return letterWeights.get(letter.toLowerCase())!;
}

/** One of several, in proportion to their weights. */
function pick<T>(rng: Rng, candidates: readonly T[], weight: (candidate: T) => number): T {
  const total = candidates.reduce((sum, candidate) => sum + weight(candidate), 0);
  let left = rng.uniform(0, total);
  for (const candidate of candidates) {
    left -= weight(candidate);
    if (left < 0) return candidate;
  }
  return candidates.at(-1)!;
}
