import { portableAtan2, portableCos, portableSin } from "@cursive/tensor";
import { binOf } from "./numpy.ts";
import { type StrokeBins, type StrokeBinsName, strokeBins } from "./stroke_bins.ts";
import type { Point } from "./word.ts";

/** The 71 characters that the cursive transformer knows, in its order. */
export const defaultAlphabet = " enaitoshrdx.vpukbgfcymzw1lqj804I92637OTAS5N)EHR\"'(BCQLMWYU,ZF!DXV?KPGJ";

/** Options of {@linkcode StrokeTokenizer}. */
export interface StrokeTokenizerOptions {
  /** The characters of texts; the k-th is token k + 1. Default: {@linkcode defaultAlphabet}. */
  alphabet?: string;
  /** The bins, by name or of one's own. Default `polar-151`. */
  bins?: StrokeBinsName | { theta: ArrayLike<number>; radius: ArrayLike<number>; wordToken?: boolean };
  /**
   * What a decoded bin stands for. `edge` (default, as the original decodes) takes its lower edge, which turns every stroke by half a bin
   * and shortens it by about 2 %; `centre` takes its middle, which does not.
   */
  decode?: "edge" | "centre";
}

/** A {@linkcode StrokeTokenizer} as plain JSON: `new StrokeTokenizer(JSON.parse(text))` makes an equal one. */
export interface StrokeTokenizerConfig {
  alphabet: string;
  bins: StrokeBinsName | { theta: number[]; radius: number[]; wordToken: boolean };
  decode: "edge" | "centre";
}

/** One pen movement, decoded from its pair of tokens. */
export interface InkSegment {
  from: [x: number, y: number];
  to: [x: number, y: number];
  /** The pen at the end of the movement: 0 ends a stroke. */
  pen: number;
  /** Whether it leaves ink: pen down at both ends. */
  drawn: boolean;
  /** Where in the sequence its direction token stands; null where there is none. */
  thetaIndex: number | null;
  /** Where in the sequence its length token stands; null where there is none. */
  radiusIndex: number | null;
  /** True for half a pair (a direction followed by another, a length without direction) or an unknown token. It moves nothing. */
  malformed: boolean;
}

/** What one token means, for tables and labels. `low` and `high` bound its bin, `value` is what decoding takes. */
export type TokenMeaning =
  | { kind: "theta"; low: number; high: number; value: number }
  | { kind: "radius"; pen: number; low: number; high: number; value: number }
  | { kind: "pad" | "end" | "word" | "unknown" };

/**
 * Turns ink into tokens and back, two tokens a point: first the direction of the movement to it, then the movement's length together
 * with the pen. Texts become one token a character.
 *
 * Token ids: lengths pen down, lengths pen up, directions, PAD, END and, for bins that have one, WORD.
 *
 * @example
 * ```ts
 * const tokenizer = new StrokeTokenizer({ alphabet });
 * const tokens = tokenizer.encodeStrokes(word.points); // Int32Array [377, 0, …]
 * const points = tokenizer.decodeStrokes(tokens);
 * const context = tokenizer.encodeText("hello", { length: 50 });
 * ```
 */
export class StrokeTokenizer {
  readonly alphabet: string;
  readonly bins: StrokeBins;
  readonly decode: "edge" | "centre";
  /** The number of token ids. */
  readonly vocabSize: number;
  /** The number of text ids: the alphabet's and 0, which pads and stands for every unknown character. */
  readonly contextVocabSize: number;
  readonly padToken: number;
  readonly endToken: number;
  /** The token between words; null if the bins have none. */
  readonly wordToken: number | null;
  /** The id of the first direction token. All lengths are below it. */
  readonly firstThetaToken: number;

  readonly #binsName: StrokeBinsName | null;
  readonly #characterIds: ReadonlyMap<string, number>;
  readonly #characters: readonly string[];
  readonly #thetaValues: Float64Array;
  readonly #radiusValues: Float64Array;

  /** @throws {RangeError} if the alphabet repeats a character or the bins do not increase from -π and from 0. */
  constructor(options: StrokeTokenizerOptions = {}) {
    const { alphabet = defaultAlphabet, bins = "polar-151", decode = "edge" } = options;
    this.#characters = [...alphabet];
    this.#characterIds = new Map(this.#characters.map((character, i) => [character, i + 1]));
    if (this.#characterIds.size < this.#characters.length) throw new RangeError(`Expected different characters but found "${alphabet}"`);
    if (decode !== "edge" && decode !== "centre") throw new RangeError(`Expected decode to be edge or centre but found ${decode}`);
    this.alphabet = alphabet;
    this.decode = decode;
    this.#binsName = typeof bins === "string" ? bins : null;
    this.bins = typeof bins === "string" ? namedBins(bins) : ownBins(bins);
    const { theta, radius, wordToken } = this.bins;
    this.firstThetaToken = 2 * radius.length;
    this.padToken = this.firstThetaToken + theta.length;
    this.endToken = this.padToken + 1;
    this.wordToken = wordToken ? this.endToken + 1 : null;
    this.vocabSize = this.endToken + (wordToken ? 2 : 1);
    this.contextVocabSize = this.#characters.length + 1;
    this.#thetaValues = decode === "edge" ? theta : centres(theta);
    this.#radiusValues = decode === "edge" ? radius : centres(radius).fill(0, 0, 1); // the first bin holds the movements of length 0
  }

  /** What {@linkcode StrokeTokenizer} needs to be made again. */
  toJSON(): StrokeTokenizerConfig {
    const { theta, radius, wordToken } = this.bins;
    return { alphabet: this.alphabet, bins: this.#binsName ?? { theta: [...theta], radius: [...radius], wordToken }, decode: this.decode };
  }

  /**
   * The tokens of a line of ink, two a point. The first point is a movement of length 0.
   *
   * @throws {RangeError} if a coordinate is not finite.
   */
  encodeStrokes(points: readonly Point[]): Int32Array {
    const tokens = new Int32Array(2 * points.length);
    for (let i = 0; i < points.length; i++) {
      const point = points[i]!;
      const last = points[Math.max(0, i - 1)]!;
      this.#writeMovement(tokens, 2 * i, point[0] - last[0], point[1] - last[1], point[2]);
    }
    return tokens;
  }

  /**
   * The tokens of words kept apart: a WORD pair between two, and each word's first movement leads from where the last one ended, over
   * what was left to its right edge, to where the next one starts after its left edge.
   *
   * @throws {RangeError} if the bins have no WORD token or a coordinate is not finite.
   */
  encodeWords(words: readonly (readonly Point[])[]): Int32Array {
    if (this.wordToken === null) throw new RangeError("Expected bins with a WORD token but found bins without one");
    const parts: Int32Array[] = [];
    let rest = 0; // from the previous word's last point to its right edge
    let lastY = 0;
    for (const points of words) {
      if (points.length === 0) continue;
      const tokens = this.encodeStrokes(points);
      const xs = points.map(([x]) => x);
      const [firstX, firstY, firstPen] = points[0]!;
      if (parts.length > 0) {
        parts.push(Int32Array.of(this.wordToken, this.wordToken));
        this.#writeMovement(tokens, 0, rest + firstX - least(xs), firstY - lastY, firstPen);
      }
      parts.push(tokens);
      rest = -least(xs.map((x) => -x)) - xs.at(-1)!;
      lastY = points.at(-1)![1];
    }
    return concatenate(parts);
  }

  /**
   * The movements that a sequence of tokens spells, whatever the sequence: pairs are found by what each token is, so that after a
   * malformed one the next is read aright. PAD, END and WORD are left out, and so is a last direction that still waits for its length.
   */
  segments(tokens: ArrayLike<number>): InkSegment[] {
    const segments: InkSegment[] = [];
    let [x, y, lastPen] = [0, 0, 0];
    let thetaIndex: number | null = null; // of a direction that waits for its length
    const malformed = (theta: number | null, radius: number | null) =>
      segments.push({ from: [x, y], to: [x, y], pen: lastPen, drawn: false, thetaIndex: theta, radiusIndex: radius, malformed: true });

    for (let i = 0; i < tokens.length; i++) {
      const token = tokens[i]!;
      const isTheta = token >= this.firstThetaToken && token < this.padToken;
      const isRadius = token >= 0 && token < this.firstThetaToken;
      if (thetaIndex !== null && !isRadius) {
        malformed(thetaIndex, null);
        thetaIndex = null;
      }
      if (isTheta) {
        thetaIndex = i;
      } else if (!isRadius) {
        if (!this.#isSpecial(token)) malformed(null, i);
        if (token === this.wordToken) lastPen = 0;
      } else if (thetaIndex === null) {
        malformed(null, i);
      } else {
        const theta = this.#thetaValues[tokens[thetaIndex]! - this.firstThetaToken]!;
        const radii = this.#radiusValues;
        const pen = token < radii.length ? 1 : 0;
        const radius = radii[token % radii.length]!;
        const to: [number, number] = [x + radius * portableCos(theta), y + radius * portableSin(theta)];
        segments.push({ from: [x, y], to, pen, drawn: pen === 1 && lastPen === 1, thetaIndex, radiusIndex: i, malformed: false });
        [x, y, lastPen, thetaIndex] = [...to, pen, null];
      }
    }
    return segments;
  }

  /** The points that a sequence of tokens spells. Never throws: PAD, END, WORD and whatever {@linkcode segments} calls malformed is passed over. */
  decodeStrokes(tokens: ArrayLike<number>): Point[] {
    return this.segments(tokens)
      .filter((segment) => !segment.malformed)
      .map(({ to, pen }): Point => [...to, pen]);
  }

  /** What a token means. */
  meaning(token: number): TokenMeaning {
    const { theta, radius } = this.bins;
    const upper = (edges: Float64Array, i: number) => edges[i + 1] ?? edges[i]!;
    if (token >= 0 && token < this.firstThetaToken) {
      const i = token % radius.length;
      return { kind: "radius", pen: token < radius.length ? 1 : 0, low: radius[i]!, high: upper(radius, i), value: this.#radiusValues[i]! };
    }
    if (token >= this.firstThetaToken && token < this.padToken) {
      const i = token - this.firstThetaToken;
      return { kind: "theta", low: theta[i]!, high: upper(theta, i), value: this.#thetaValues[i]! };
    }
    if (token === this.padToken) return { kind: "pad" };
    if (token === this.endToken) return { kind: "end" };
    return { kind: token === this.wordToken ? "word" : "unknown" };
  }

  /**
   * The ids of a text's characters, 0 for one that the alphabet lacks. With `length`, cut or padded with 0 to it.
   *
   * @example
   * ```ts
   * tokenizer.encodeText("an", { length: 4 }); // Int32Array [4, 3, 0, 0]
   * ```
   */
  encodeText(text: string, options: { length?: number } = {}): Int32Array {
    const ids = Int32Array.from([...text], (character) => this.#characterIds.get(character) ?? 0);
    if (options.length === undefined) return ids;
    const padded = new Int32Array(options.length);
    padded.set(ids.subarray(0, options.length));
    return padded;
  }

  /** The text that ids spell, up to the first 0 or unknown id. */
  decodeText(ids: ArrayLike<number>): string {
    let text = "";
    for (let i = 0; i < ids.length; i++) {
      const character = this.#characters[ids[i]! - 1];
      if (character === undefined) break;
      text += character;
    }
    return text;
  }

  /** The characters of a text that the alphabet lacks, each once. */
  unknownCharacters(text: string): string[] {
    return [...new Set(text)].filter((character) => !this.#characterIds.has(character));
  }

  #isSpecial(token: number): boolean {
    return token === this.padToken || token === this.endToken || token === this.wordToken;
  }

  /** Writes a movement's direction and length tokens at `at` and `at + 1`. */
  #writeMovement(tokens: Int32Array, at: number, dx: number, dy: number, pen: number): void {
    const length = Math.sqrt(dx * dx + dy * dy);
    if (!Number.isFinite(length)) throw new RangeError(`Expected finite coordinates but found a movement by ${dx}, ${dy}`);
    const { theta, radius } = this.bins;
    tokens[at] = this.firstThetaToken + Math.max(0, binOf(portableAtan2(dy, dx), theta));
    tokens[at + 1] = Math.max(0, binOf(length, radius)) + (pen === 0 ? radius.length : 0);
  }
}

function namedBins(name: StrokeBinsName): StrokeBins {
  const bins = strokeBins[name];
  if (!bins) throw new RangeError(`Expected one of ${Object.keys(strokeBins).join(", ")} but found ${name}`);
  return bins;
}

function ownBins({
  theta,
  radius,
  wordToken = false,
}: {
  theta: ArrayLike<number>;
  radius: ArrayLike<number>;
  wordToken?: boolean;
}): StrokeBins {
  const increasing = (edges: ArrayLike<number>) =>
    edges.length > 0 && Array.from(edges).every((edge, i) => i === 0 || edge > edges[i - 1]!);
  if (!increasing(theta) || theta[0] !== -Math.PI) throw new RangeError("Expected direction bins that increase from -π but found others");
  if (!increasing(radius) || radius[0] !== 0) throw new RangeError("Expected length bins that increase from 0 but found others");
  return { theta: Float64Array.from(theta), radius: Float64Array.from(radius), wordToken };
}

/** The middle of each bin; of the last, which has no upper edge, the lower one. */
function centres(edges: Float64Array): Float64Array {
  return edges.map((edge, i) => (edge + (edges[i + 1] ?? edge)) / 2);
}

function least(values: readonly number[]): number {
  return values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
}

function concatenate(parts: readonly Int32Array[]): Int32Array {
  const whole = new Int32Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
