import type { InkSegment, StrokeTokenizer } from "../data/tokenizer.ts";
import { type Box, boxAround, crossData, grown } from "./document.ts";
import { type Position, pathData } from "./path.ts";

/** Options of {@link activationPicture}. */
export interface ActivationPictureOptions {
  readonly tokenizer: StrokeTokenizer;
  /** `[T]`: one activation a token; 0 and NaN (not measured) are plain ink. */
  readonly activations: ArrayLike<number>;
  /**
   * Which activations to show. At a direction (`"theta"`) the model knows where the pen goes and is about to choose how far: a dot where
   * the segment starts. At a length (`"radius"`, the default) the segment is complete: its own colour. `"max"` colours it by the stronger
   * of both.
   */
  readonly show?: "theta" | "radius" | "max";
  /** The activation with the strongest colour. Default: the strongest shown. Give the latent's own, so that pictures of it compare. */
  readonly max?: number;
  /** Widths of the least and the strongest activation, in canvas heights. Default 0.006 and 0.02. */
  readonly widths?: readonly [least: number, most: number];
  /** The number of a token whose place gets a ring. */
  readonly ring?: number;
  /** Room around the ink, in canvas heights. Default 0.05. */
  readonly margin?: number;
}

/** What a mark of a picture stands for. */
export type ActivationMarkKind =
  /** A segment that leaves ink. */
  | "ink"
  /** A pen set down and lifted at once. */
  | "dot"
  /** A movement in the air: thin and dashed. */
  | "air"
  /** A movement that goes nowhere, in the air: seen only where something is active. */
  | "landing"
  /** A direction token, where its segment starts. */
  | "direction"
  /** The tick of WORD. */
  | "word"
  /** Half a pair: a red cross. */
  | "malformed";

/** One mark of a picture: a path along which a pen of some width goes, or a disc. Lengths are in canvas heights. */
export interface ActivationMark {
  readonly kind: ActivationMarkKind;
  /** The `d` attribute of a path; null of a disc. */
  readonly path: string | null;
  /** Where it is looked for: both ends of a line, or one place twice. */
  readonly from: Position;
  readonly to: Position;
  /** The activation that it shows; 0 where there is none. */
  readonly value: number;
  /** The activation against the strongest colour's, −1 to 1. */
  readonly strength: number;
  /** Width of its line; of a disc its radius. */
  readonly width: number;
  /** The tokens that it stands for: of a segment its direction and its length; of WORD, its first as length. */
  readonly thetaIndex: number | null;
  readonly radiusIndex: number | null;
}

/** A word's strokes with a latent's activations as marks, in the order in which they are painted. */
export interface ActivationPicture {
  readonly marks: readonly ActivationMark[];
  /** Where the ring goes; null without. */
  readonly ring: Position | null;
  readonly ringRadius: number;
  /** What holds all marks, with room around. */
  readonly box: Box;
  /** The activation with the strongest colour. */
  readonly max: number;
  readonly malformed: number;
  /** Activations on tokens that are never drawn. */
  readonly hidden: { readonly pad: number; readonly end: number };
}

/**
 * What an activation picture shows, where, how wide and how strong, as plain data: `activationSvg` writes it as a document, the pages of
 * features draw it as elements. One mark for each pair of direction and length; PAD is never drawn, and END has no place.
 *
 * @example
 * ```ts
 * const { marks, box } = activationPicture(tokens, { tokenizer, activations, max: 4.2, show: "max" });
 * ```
 * @throws {RangeError} unless there is one activation a token.
 */
export function activationPicture(tokens: ArrayLike<number>, options: ActivationPictureOptions): ActivationPicture {
  const { tokenizer, activations, show = "radius", margin = 0.05, widths = [0.006, 0.02], ring } = options;
  if (activations.length !== tokens.length)
    throw new RangeError(`Expected an activation for each of ${tokens.length} tokens but found ${activations.length}`);
  const segments = tokenizer.segments(tokens);
  const places = placesOf(tokens, { segments, tokenizer });
  const max = options.max ?? strongest(segments, places, { activations, show });
  const hand = new Hand({ activations, show, max, widths });

  const marks: ActivationMark[] = [];
  for (const [i, segment] of segments.entries()) if (!segment.malformed) marks.push(...hand.segment(segment, segments[i + 1]));
  for (const { index, position } of places.words) marks.push(hand.tick(position, index));
  if (show === "theta") for (const { index, position } of places.directions) marks.push(...hand.direction(position, index));
  const broken = segments.filter(({ malformed }) => malformed);
  for (const segment of broken) marks.push(hand.malformed(segment));

  const ringed = ring === undefined ? null : placeOf(ring, segments, places);
  const inked = segments.flatMap(({ from, to, drawn }) => (drawn ? [from, to] : [to]));
  const ringRadius = 2 * widths[1];
  const reach = ringRadius + RING_LINE - margin; // of a ring beyond the margin
  const around = (at: Position): Position[] => [
    [at[0] - reach, at[1] - reach],
    [at[0] + reach, at[1] + reach],
  ];
  const seen = [...inked, ...places.words.map(({ position }) => position), ...(ringed ? (reach > 0 ? around(ringed) : [ringed]) : [])];
  const activeOn = (token: number): number =>
    Array.from(tokens, (other, i) => other === token && Math.abs(activations[i]!) > 0).filter(Boolean).length;
  return {
    marks,
    ring: ringed,
    ringRadius,
    box: grown(boxAround(seen), margin),
    max,
    malformed: broken.length,
    hidden: { pad: activeOn(tokenizer.padToken), end: activeOn(tokenizer.endToken) },
  };
}

/** About the width of a ring's line, in canvas heights. */
const RING_LINE = 0.005;

/** Tokens that are shown besides segments, and where. */
interface Places {
  /** Directions, those that wait for a length too, where the pen is then. */
  readonly directions: readonly { readonly index: number; readonly position: Position }[];
  /** Runs of WORD. */
  readonly words: readonly { readonly index: number; readonly position: Position }[];
}

function placesOf(
  tokens: ArrayLike<number>,
  { segments, tokenizer }: { readonly segments: readonly InkSegment[]; readonly tokenizer: StrokeTokenizer },
): Places {
  const ends = new Map(segments.map(({ radiusIndex, to }) => [radiusIndex, to] as const));
  const places = { directions: [] as { index: number; position: Position }[], words: [] as { index: number; position: Position }[] };
  let position: Position = [0, 0];
  for (let index = 0; index < tokens.length; index++) {
    position = ends.get(index) ?? position;
    const { kind } = tokenizer.meaning(tokens[index]!);
    if (kind === "theta") places.directions.push({ index, position });
    if (kind === "word" && tokens[index - 1] !== tokens[index]) places.words.push({ index, position });
  }
  return places;
}

/** The strongest activation of those that the picture shows. */
function strongest(
  segments: readonly InkSegment[],
  { directions, words }: Places,
  { activations, show }: Required<Pick<ActivationPictureOptions, "activations" | "show">>,
): number {
  const lengths = segments.flatMap(({ radiusIndex, malformed }) => (malformed || radiusIndex === null ? [] : [radiusIndex]));
  const ofWords = words.flatMap(({ index }) => [index, index + 1]);
  const shown = [...ofWords, ...(show === "theta" ? [] : lengths), ...(show === "radius" ? [] : directions.map(({ index }) => index))];
  return shown.reduce((most, index) => Math.max(most, Math.abs(activations[index] ?? 0) || 0), 0);
}

/** Where a token is drawn: a direction at the start of its segment, a length at its end. */
function placeOf(index: number, segments: readonly InkSegment[], places: Places): Position | null {
  const segment = segments.find(({ radiusIndex, malformed }) => radiusIndex === index && !malformed);
  return segment?.to ?? [...places.directions, ...places.words].find((place) => place.index === index)?.position ?? null;
}

/** Makes marks as wide and as strong as activations are. */
class Hand {
  readonly #activations: ArrayLike<number>;
  readonly #show: "theta" | "radius" | "max";
  readonly #max: number;
  readonly #widths: readonly [number, number];

  constructor({ activations, show, max, widths }: Required<Omit<ActivationPictureOptions, "tokenizer" | "ring" | "margin">>) {
    this.#activations = activations;
    this.#show = show;
    this.#max = max;
    this.#widths = widths;
  }

  segment(segment: InkSegment, next: InkSegment | undefined): ActivationMark[] {
    const { from, to, thetaIndex, radiusIndex } = segment;
    const value = this.#valueOf(segment);
    const { strength, width } = strengthAndWidth(value, this.#max, this.#widths);
    const mark = { from, to, value, strength, thetaIndex, radiusIndex };
    // A pen set down and lifted at once is a dot.
    if (segment.pen === 1 && !segment.drawn && next?.drawn !== true)
      return [{ ...mark, kind: "dot", from: to, path: pathData([to]), width }];
    const path = pathData([from, to]);
    if (segment.drawn) return [{ ...mark, kind: "ink", path, width }];
    if (Math.hypot(to[0] - from[0], to[1] - from[1]) > 0)
      return [{ ...mark, kind: "air", path, width: Math.max(this.#widths[0] / 2, width / 2) }];
    return Math.abs(value) > 0 ? [{ ...mark, kind: "landing", path: null, width: 0.6 * width }] : [];
  }

  direction(position: Position, index: number): ActivationMark[] {
    const value = this.#activations[index]!;
    if (!(Math.abs(value) > 0)) return [];
    const { strength, width } = strengthAndWidth(value, this.#max, this.#widths);
    const mark = { from: position, to: position, value, strength, thetaIndex: index, radiusIndex: null };
    return [{ ...mark, kind: "direction", path: null, width: 0.75 * width }];
  }

  /** WORD is a pair of tokens: its tick has the stronger activation. */
  tick([x, y]: Position, index: number): ActivationMark {
    const value = this.#stronger(index, index + 1);
    const ends = [
      [x, y - 0.03],
      [x, y + 0.03],
    ] as const;
    const look = strengthAndWidth(value, this.#max, this.#widths);
    return { kind: "word", path: pathData(ends), from: ends[0], to: ends[1], value, ...look, thetaIndex: null, radiusIndex: index };
  }

  malformed({ to, thetaIndex, radiusIndex }: InkSegment): ActivationMark {
    const width = 0.012;
    return { kind: "malformed", path: crossData(to, width), from: to, to, value: 0, strength: 0, width, thetaIndex, radiusIndex };
  }

  #valueOf({ thetaIndex, radiusIndex }: InkSegment): number {
    if (this.#show === "theta") return 0; // dots show these
    return this.#show === "radius" ? this.#stronger(radiusIndex, null) : this.#stronger(radiusIndex, thetaIndex);
  }

  /** Of two tokens' activations the one farther from 0; 0 where there is none. */
  #stronger(...indices: readonly (number | null)[]): number {
    const values = indices.map((index) => (index === null ? 0 : this.#activations[index] || 0));
    return values.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most), 0);
  }
}

/** How strong an activation is against the strongest, −1 to 1, and how wide that is drawn. */
export function strengthAndWidth(
  value: number,
  max: number,
  [least, most]: readonly [number, number],
): { strength: number; width: number } {
  const strength = max > 0 ? Math.max(-1, Math.min(1, value / max)) || 0 : 0;
  return { strength, width: least + Math.abs(strength) * (most - least) };
}
