import type { SkippedWord, SkipReason } from "./skipped_word.ts";
import { defaultAlphabet } from "./tokenizer.ts";
import type { Point, Word } from "./word.ts";
import { readWordBank } from "./word_bank.ts";
import { WordBankError } from "./word_bank_error.ts";

/** A file to import: a zip or JSON, as `readWordBank` takes it. */
export interface ImportFile {
  /** By which the report calls it. */
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Which member of a zip to read. Default: the first JSON. */
  readonly member?: string;
}

/** What {@linkcode importWordBanks} takes for the same word again. */
export type DuplicatePolicy = "ink" | "text" | "keep";

/** Options of {@linkcode importWordBanks}. */
export interface ImportOptions {
  /** Characters that texts may have. Default: the model's alphabet. */
  readonly alphabet?: string;
  /**
   * `ink` (default) leaves out a word whose text and points were there before, in any of the files: the same ink must not be trained on and
   * held out. `text` leaves out every later writing of a text, `keep` nothing.
   */
  readonly duplicates?: DuplicatePolicy;
  /** Lift the pen where ink ends with the pen down, instead of leaving the word out. */
  readonly repair?: boolean;
  /** Called before a file is read. */
  readonly onFile?: (name: string) => void;
}

/** What came of one file. */
export interface ImportedFile {
  readonly name: string;
  /** Entries in it. */
  readonly found: number;
  /** Words taken over from it. */
  readonly kept: number;
  /** Words among these whose pen was lifted at the end. */
  readonly repaired: number;
  readonly skipped: readonly SkippedWord[];
}

/** What came of an import: all words in their order, and each file's account. */
export interface ImportResult {
  readonly words: Word[];
  readonly files: readonly ImportedFile[];
}

/** Sizes between which ink can be a word, in canvas heights. A canvas is six wide and one high; no bank known has more than 915 points a word. */
const sizes = { width: 40, height: 2.5, leastOfSeveralCharacters: 0.02, points: 10_000 } as const;

/**
 * Reads banks of words and exports of collected ink, and leaves out what a model should not learn from. Nothing is left out in silence:
 * each file's account has every such word with the reason.
 *
 * @throws {WordBankError} that names the file, if one cannot be read at all.
 * @example
 * ```ts
 * const { words, files } = await importWordBanks([{ name: "bank.zip", bytes }]);
 * for (const { index, reason, detail } of files[0].skipped) console.log(index, reason, detail);
 * ```
 */
export async function importWordBanks(files: readonly ImportFile[], options: ImportOptions = {}): Promise<ImportResult> {
  const { duplicates = "ink" } = options;
  const seen = new Map<string, string>();
  const words: Word[] = [];
  const accounts: ImportedFile[] = [];
  for (const { name, bytes, member } of files) {
    options.onFile?.(name);
    const skipped: SkippedWord[] = [];
    const read = await readAll(bytes, { name, member, onSkip: (word) => skipped.push(word) });
    const missing = new Set(skipped.map(({ index }) => index));
    let [index, kept, repaired] = [-1, 0, 0];
    for (const found of read) {
      do index++;
      while (missing.has(index)); // where in the file this word stands
      const word = options.repair ? withPenUp(found) : found;
      const place = `word ${index} of ${name}`;
      const fault = faultOf(word, options.alphabet ?? defaultAlphabet) ?? repetition(word, { seen, duplicates, place });
      if (fault) {
        skipped.push({ index, text: word.text, ...fault });
        continue;
      }
      words.push(word);
      kept++;
      if (word !== found) repaired++;
    }
    skipped.sort((a, b) => a.index - b.index);
    accounts.push({ name, found: kept + skipped.length, kept, repaired, skipped });
  }
  return { words, files: accounts };
}

type Fault = { readonly reason: SkipReason; readonly detail: string };

async function readAll(
  bytes: Uint8Array,
  { name, ...options }: { name: string; member?: string; onSkip: (word: SkippedWord) => void },
): Promise<Word[]> {
  try {
    return await readWordBank(bytes, options);
  } catch (error) {
    throw error instanceof WordBankError ? new WordBankError(`${name}: ${error.message}`) : error;
  }
}

/** What is wrong with a word's ink or text, if anything is. */
function faultOf({ text, points }: Word, alphabet: string): Fault | undefined {
  const down = points.filter(([, , pen]) => pen === 1);
  if (down.length === 0) return { reason: "empty ink", detail: `Expected a point with the pen down but found none among ${points.length}` };
  if (points.at(-1)![2] !== 0) return { reason: "no pen-up", detail: "Expected ink that ends with the pen up but found it down" };
  const unknown = [...new Set(text)].filter((character) => !alphabet.includes(character));
  if (unknown.length > 0)
    return { reason: "unknown characters", detail: `Expected characters of the alphabet but found ${JSON.stringify(unknown.join(""))}` };
  const size = sizeFault(text, points);
  return size === undefined ? undefined : { reason: "absurd size", detail: size };
}

function sizeFault(text: string, points: readonly Point[]): string | undefined {
  const [width, height] = [extent(points, 0), extent(points, 1)];
  const found = `${Number(width.toPrecision(3))} by ${Number(height.toPrecision(3))}`;
  if (width > sizes.width || height > sizes.height)
    return `Expected ink of at most ${sizes.width} by ${sizes.height} canvas heights but found ${found}`;
  if ([...text].length > 1 && Math.max(width, height) < sizes.leastOfSeveralCharacters)
    return `Expected ink of at least ${sizes.leastOfSeveralCharacters} canvas heights but found ${found}`;
  return points.length > sizes.points ? `Expected at most ${sizes.points} points but found ${points.length}` : undefined;
}

function extent(points: readonly Point[], axis: 0 | 1): number {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const point of points) {
    low = Math.min(low, point[axis]);
    high = Math.max(high, point[axis]);
  }
  return high - low;
}

/** Whether a word was there before; if not, it is remembered. */
function repetition(word: Word, about: { seen: Map<string, string>; duplicates: DuplicatePolicy; place: string }): Fault | undefined {
  const { seen, duplicates, place } = about;
  if (duplicates === "keep") return undefined;
  const key = duplicates === "text" ? word.text : `${word.text}\n${inkKey(word.points)}`;
  const before = seen.get(key);
  if (before === undefined) seen.set(key, place);
  else return { reason: "duplicate", detail: `Expected a new ${duplicates === "text" ? "text" : "word"} but found ${before} again` };
  return undefined;
}

/** Ink as a key, wherever on the canvas it stands; to the five decimals that a bank is written with. */
function inkKey(points: readonly Point[]): string {
  return points.map(([x, y, pen]) => `${Math.round(x * 1e5)},${Math.round(y * 1e5)},${pen}`).join(" ");
}

function withPenUp(word: Word): Word {
  const [x, y, pen] = word.points.at(-1)!;
  return pen === 0 ? word : { ...word, points: [...word.points, [x, y, 0]] };
}
