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

import { Unzip, UnzipInflate, zipSync } from "fflate";
import type { Point, Word } from "./word.ts";

/** Where the capture canvas draws its baseline, as a fraction of its height from the top. */
export const canvasBaseline = 0.65;

/** A word bank that cannot be read. The message says in one line what was expected, what was found, and where. */
export class WordBankError extends Error {
  override readonly name: string = "WordBankError";
}

/** Options of {@linkcode readWordBank}. */
export interface ReadWordBankOptions {
  /** Which member of a zip to read. Default: the first `.json` that is not one of macOS's `__MACOSX` companions. */
  member?: string;
  /** The most bytes of JSON to accept, so that a small zip cannot fill the memory. Default 256 MiB (the largest bank known has 19 MB). */
  maxBytes?: number;
}

/** Options of {@linkcode writeWordBank}. */
export interface WriteWordBankOptions {
  /** Width over height of the canvas that coordinates are written for. Default 6. */
  aspectRatio?: number;
  /** Decimals kept of each coordinate. Default 5: a step of 6·10⁻⁵ heights in x. */
  decimals?: number;
  /** Wrap the JSON in a zip, under this member name. Default: plain JSON. */
  zipAs?: string;
}

const defaultMaxBytes = 256 * 2 ** 20;
const zipSlice = 2 ** 14; // a slice inflates to at most about 1,032 times its size, so this bounds what is held beyond maxBytes

/**
 * Reads the words of a bank from the bytes of a zip or of its JSON, told apart by their first bytes.
 *
 * @throws {WordBankError} if the bytes are no zip or JSON, if they hold more than `maxBytes`, or at the first value that is not as it should be.
 * @example
 * ```ts
 * const words = await readWordBank(await readFile("bank.json.zip"));
 * words[0]; // { text: "hlin", author: "…", points: [[0, -0.0021, 1], …] }
 * ```
 */
export async function readWordBank(bytes: Uint8Array | ArrayBuffer, options: ReadWordBankOptions = {}): Promise<Word[]> {
  const data = bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes);
  const maxBytes = options.maxBytes ?? defaultMaxBytes;
  const isZip = data[0] === 0x50 && data[1] === 0x4b; // "PK"
  const json = isZip ? await unzipMember(data, { member: options.member, maxBytes }) : data;
  if (json.length > maxBytes) throw new WordBankError(`Expected at most ${maxBytes} bytes of JSON but found ${json.length}`);
  return parseWords(json);
}

/**
 * Writes words as a bank that {@linkcode readWordBank} reads back, up to rounding. Each word is placed on the canvas with its leftmost
 * point at 0.
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
  return zipAs === undefined ? json : zipSync({ [zipAs]: json });
}

/** Inflates one member of a zip, in slices, giving up as soon as it exceeds its limit: the sizes a zip declares cannot be trusted. */
function unzipMember(zip: Uint8Array, { member, maxBytes }: { member?: string; maxBytes: number }): Promise<Uint8Array> {
  const wanted = (name: string) => (member === undefined ? name.endsWith(".json") && !name.startsWith("__MACOSX/") : name === member);
  const seen: string[] = [];
  const chunks: Uint8Array[] = [];
  let length = 0;
  let state: "searching" | "reading" | "done" = "searching";

  return new Promise((resolve, reject) => {
    const unzip = new Unzip((file) => {
      if (seen.length < 8) seen.push(file.name);
      if (state !== "searching" || !wanted(file.name)) return;
      state = "reading";
      file.ondata = (error, chunk, final) => {
        if (error) throw error;
        length += chunk.length;
        if (length > maxBytes) throw new WordBankError(`Expected at most ${maxBytes} bytes of JSON but found more in ${file.name}`);
        chunks.push(chunk);
        if (final) state = "done";
      };
      file.start();
    });
    unzip.register(UnzipInflate);
    try {
      for (let at = 0; at < zip.length && state !== "done"; at += zipSlice) {
        unzip.push(zip.subarray(at, at + zipSlice), at + zipSlice >= zip.length);
      }
    } catch (error) {
      return reject(
        error instanceof WordBankError ? error : new WordBankError(`Expected a zip but found a damaged one (${oneLine(error)})`),
      );
    }
    if (state === "searching") {
      const found = seen.length > 0 ? seen.join(", ") : "no member";
      return reject(new WordBankError(`Expected ${member ?? "a .json file"} in the zip but found ${found}`));
    }
    if (state === "reading") return reject(new WordBankError("Expected a whole zip but found a truncated one"));
    const json = new Uint8Array(length);
    let at = 0;
    for (const chunk of chunks) {
      json.set(chunk, at);
      at += chunk.length;
    }
    resolve(json);
  });
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

function parseWords(json: Uint8Array): Word[] {
  let records: unknown;
  try {
    records = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(json));
  } catch (error) {
    throw new WordBankError(`Expected JSON but found something else (${oneLine(error)})`);
  }
  if (!Array.isArray(records)) throw new WordBankError(`Expected a list of words but found ${shown(records)}`);
  return records.map(parseWord);
}

function parseWord(record: unknown, index: number): Word {
  const expected = (what: string, found: unknown, where = ""): WordBankError =>
    new WordBankError(`Expected ${what} but found ${shown(found)} in word ${index}${where}`);
  const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

  if (!isObject(record)) throw expected("an object with metadata and points", record);
  const { metadata, points } = record;
  if (!isObject(metadata)) throw expected("metadata", metadata);
  const { author, asciiSequence: text, aspectRatio, pointCount, strokeCount } = metadata;
  if (typeof author !== "string") throw expected("metadata.author to be a string", author);
  if (typeof text !== "string" || text === "") throw expected("metadata.asciiSequence to be a non-empty string", text);
  if (typeof aspectRatio !== "number" || !(aspectRatio > 0)) throw expected("metadata.aspectRatio to be a positive number", aspectRatio);
  if (!Array.isArray(points) || points.length === 0) throw expected("a non-empty list of points", points);
  if (pointCount !== undefined && pointCount !== points.length) throw expected(`metadata.pointCount to be ${points.length}`, pointCount);

  let strokes = 0;
  let left = 0;
  const shifted = points.map((point: unknown, at): Point => {
    if (!Array.isArray(point) || point.length !== 3) throw expected("[x, y, pen]", point, `, point ${at}`);
    const [x, y, pen] = point as unknown[];
    if (!Number.isFinite(x) || !Number.isFinite(y)) throw expected("finite x and y", point, `, point ${at}`);
    if (pen !== 0 && pen !== 1) throw expected("pen to be 0 or 1", pen, `, point ${at}`);
    if (pen === 0) strokes++;
    const scaled = (x as number) * aspectRatio;
    if (at === 0) left = scaled;
    return [scaled - left, (y as number) - canvasBaseline, pen];
  });
  if (strokeCount !== undefined && strokeCount !== strokes) throw expected(`metadata.strokeCount to be ${strokes}`, strokeCount);
  return { text, author, points: shifted };
}
