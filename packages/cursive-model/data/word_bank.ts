/**
 * Word banks: a JSON list of words, by itself or as a member of a zip.
 *
 * ```json
 * [{ "metadata": { "author": "…", "asciiSequence": "hlin", "pointCount": 240, "strokeCount": 3, "aspectRatio": 6 },
 *    "points": [[0.0483, 0.6479, 1], …] }, …]
 * ```
 * In the file x is a fraction of the canvas width, y of its height; `aspectRatio` is width over height; the baseline is drawn at
 * {@linkcode canvasBaseline}. Reading turns both into fractions of the height, with the first point at x = 0 and the baseline at y = 0.
 */

import { zipSync } from "fflate";
import type { SkippedWord, SkipReason } from "./skipped_word.ts";
import type { Point, Word } from "./word.ts";
import { WordBankError } from "./word_bank_error.ts";
import { unzipJson } from "./zip.ts";

/** Where the capture canvas draws its baseline, as a fraction of its height from the top. */
export const canvasBaseline = 0.65;

/**
 * The most bytes of JSON that a bank may have by default: some 25,000 words, of which the largest bank known has 3,500. Parsed it takes
 * half of the memory that Node allows itself on a small machine.
 */
export const maxWordBankBytes: number = 128 * 2 ** 20;

/** The fewest bytes that a list can have in a bank: `[0,0,1],`. A file with more lists than this allows is there to fill the memory. */
const leastBytesPerList = 8;

/** Fewer bytes than any word takes with its metadata: a long list of shorter entries is no bank. */
const leastBytesPerWord = 40;

/** Options of {@linkcode readWordBank}. */
export interface ReadWordBankOptions {
  /** Which member of a zip to read. Default: the first `.json` that is not one of macOS's `__MACOSX` companions. */
  member?: string;
  /** The most bytes of JSON to accept, so that a small zip cannot fill the memory. Default {@linkcode maxWordBankBytes}. */
  maxBytes?: number;
  /** Called with each word that is not as it should be, which is then left out. Default: the first one throws. */
  onSkip?: (skipped: SkippedWord) => void;
}

/** A zip tells when its members were changed, in local time. Always the same, so that equal words make equal files. */
const zipTime = new Date(1980, 0, 1);

/** Options of {@linkcode writeWordBank}. */
export interface WriteWordBankOptions {
  /** Width over height of the canvas that coordinates are written for. Default 6. */
  aspectRatio?: number;
  /** Decimals kept of each coordinate. Default 5: a step of 6·10⁻⁵ heights in x. */
  decimals?: number;
  /** Wrap the JSON in a zip, under this member name. Default: plain JSON. */
  zipAs?: string;
}

/**
 * Reads the words of a bank from the bytes of a zip or of its JSON, told apart by their first bytes.
 *
 * @throws {WordBankError} if the bytes are no zip or JSON or hold more than `maxBytes`; without `onSkip` at the first value that is not as it
 * should be, too.
 * @example
 * ```ts
 * const words = await readWordBank(await readFile("bank.json.zip"));
 * words[0]; // { text: "hlin", author: "…", points: [[0, -0.0021, 1], …] }
 * ```
 */
export async function readWordBank(bytes: Uint8Array | ArrayBuffer, options: ReadWordBankOptions = {}): Promise<Word[]> {
  const data = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
  const maxBytes = options.maxBytes ?? maxWordBankBytes;
  const isZip = data[0] === 0x50 && data[1] === 0x4b; // "PK"
  const json = isZip ? unzipJson(data, { member: options.member, maxBytes }) : data;
  if (json.length > maxBytes) throw new WordBankError(`Expected at most ${maxBytes} bytes of JSON but found ${json.length}`);
  return parseWords(json, options.onSkip);
}

/**
 * Writes words as a bank that {@linkcode readWordBank} reads back, up to rounding. Each word is placed on the canvas with its leftmost
 * point at 0. Equal words make equal bytes.
 *
 * @throws {RangeError} unless `aspectRatio` is positive.
 * @example
 * ```ts
 * await writeFile("bank.json.zip", writeWordBank(words, { zipAs: "bank.json" }));
 * ```
 */
export function writeWordBank(words: readonly Word[], options: WriteWordBankOptions = {}): Uint8Array {
  const { aspectRatio = 6, decimals = 5, zipAs } = options;
  if (!(aspectRatio > 0)) throw new RangeError(`Expected a positive aspect ratio but found ${aspectRatio}`);
  const round = (value: number) => Number(value.toFixed(decimals));
  const records = words.map(({ text, author, points }) => {
    const left = points.reduce((least, [x]) => Math.min(least, x), Number.POSITIVE_INFINITY);
    return {
      metadata: {
        author,
        asciiSequence: text,
        pointCount: points.length,
        strokeCount: points.filter(([, , pen]) => pen === 0).length,
        aspectRatio,
      },
      points: points.map(([x, y, pen]) => [round((x - left) / aspectRatio), round(y + canvasBaseline), pen]),
    };
  });
  const json = new TextEncoder().encode(JSON.stringify(records));
  return zipAs === undefined ? json : zipSync({ [zipAs]: json }, { mtime: zipTime });
}

function oneLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\s+/g, " ").slice(0, 120);
}

/** How a value that should not be there is quoted in an error. */
function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = JSON.stringify(value);
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

function parseWords(bytes: Uint8Array, onSkip: ReadWordBankOptions["onSkip"]): Word[] {
  const records = parseJson(bytes);
  if (!Array.isArray(records)) throw new WordBankError(`Expected a list of words but found ${shown(records)}`);
  if (records.length > 1000 && records.length * leastBytesPerWord > bytes.length)
    throw new WordBankError(`Expected words with metadata and points but found ${records.length} entries in ${bytes.length} bytes`);
  const words: Word[] = [];
  for (const [index, record] of records.entries()) {
    try {
      words.push(parseWord(record));
    } catch (error) {
      if (!(error instanceof UnfitRecord)) throw error;
      const { reason, expected, found, where } = error;
      if (!onSkip) throw new WordBankError(`${expected} but found ${found} in word ${index}${where}`);
      onSkip({ index, text: textOf(record), reason, detail: `${expected} but found ${found}${where.replace(/^,/, " at")}` });
    }
  }
  return words;
}

/** JSON as Python writes it too: with NaN and Infinity, which become null. */
function parseJson(bytes: Uint8Array): unknown {
  try {
    const lists = bytes.reduce((count, byte) => count + (byte === 0x5b || byte === 0x7b ? 1 : 0), 0); // [ and {
    if (lists * leastBytesPerList > bytes.length + 1000) throw new Error(`${lists} lists in ${bytes.length} bytes`);
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    try {
      return JSON.parse(text);
    } catch (error) {
      if (!/\b(NaN|Infinity)\b/.test(text)) throw error;
      return JSON.parse(text.replace(/"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g, (found) => (found.startsWith('"') ? found : "null")));
    }
  } catch (error) {
    throw new WordBankError(`Expected JSON but found something else (${oneLine(error)})`);
  }
}

/** What is wrong with one record. */
class UnfitRecord extends Error {
  readonly reason: SkipReason;
  readonly expected: string;
  readonly found: string;
  readonly where: string;

  constructor(reason: SkipReason, about: { readonly expected: string; readonly found: unknown; readonly where?: string }) {
    super(reason);
    this.reason = reason;
    this.expected = `Expected ${about.expected}`;
    this.found = shown(about.found);
    this.where = about.where ?? "";
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/** What a record should say, if it tells. */
function textOf(record: unknown): string | null {
  const metadata = isObject(record) && isObject(record.metadata) ? record.metadata : {};
  return typeof metadata.asciiSequence === "string" ? metadata.asciiSequence : null;
}

function parseWord(record: unknown): Word {
  const check = (fits: boolean, expected: string, found: unknown): void => {
    if (!fits) throw new UnfitRecord("malformed", { expected, found });
  };
  check(isObject(record), "an object with metadata and points", record);
  const { metadata, points } = record as Record<string, unknown>;
  check(isObject(metadata), "metadata", metadata);
  const { author, asciiSequence: text, aspectRatio, pointCount, strokeCount } = metadata as Record<string, unknown>;
  check(typeof author === "string", "metadata.author to be a string", author);
  check(typeof text === "string" && text !== "", "metadata.asciiSequence to be a non-empty string", text);
  const isRatio = Number.isFinite(aspectRatio) && (aspectRatio as number) > 0;
  check(isRatio, "metadata.aspectRatio to be a positive number", aspectRatio);
  check(Array.isArray(points), "a non-empty list of points", points);
  const places = points as unknown[];
  if (places.length === 0) throw new UnfitRecord("empty ink", { expected: "a non-empty list of points", found: points });
  const count = (name: string, told: unknown, counted: number): void => {
    if (told !== undefined && told !== counted)
      throw new UnfitRecord("wrong counts", { expected: `metadata.${name} to be ${counted}`, found: told });
  };
  count("pointCount", pointCount, places.length);
  const parsed = parsePoints(places, aspectRatio as number);
  count("strokeCount", strokeCount, parsed.filter(([, , pen]) => pen === 0).length);
  return { text: text as string, author: author as string, points: parsed };
}

/** The points in canvas heights. Changes the lists that they came in: a second set of them would not always fit the memory. */
function parsePoints(points: readonly unknown[], aspectRatio: number): Point[] {
  let left = 0;
  for (const [at, point] of points.entries()) {
    const where = `, point ${at}`;
    if (!Array.isArray(point) || point.length !== 3) throw new UnfitRecord("malformed", { expected: "[x, y, pen]", found: point, where });
    const [x, y, pen] = point as [number, number, number];
    const isNumber = (value: unknown): boolean => typeof value === "number" || value === null; // null was NaN
    if (!isNumber(x) || !isNumber(y)) throw new UnfitRecord("malformed", { expected: "finite x and y", found: point, where });
    const scaled = x * aspectRatio;
    if (!Number.isFinite(x) || !Number.isFinite(y) || !Number.isFinite(scaled))
      throw new UnfitRecord("not finite", { expected: "finite x and y", found: point, where });
    if (pen !== 0 && pen !== 1) throw new UnfitRecord("malformed", { expected: "pen to be 0 or 1", found: point[2], where });
    if (at === 0) left = scaled;
    point[0] = scaled - left;
    point[1] = y - canvasBaseline;
  }
  return points as Point[];
}
