import type { InkSegment, StrokeTokenizer } from "../data/tokenizer.ts";
import { boxAround, cross, type DocumentOptions, documentOf, escaped, grown } from "./document.ts";
import { coordinate, type Position, pathData } from "./path.ts";
import { strengthColour } from "./ramp.ts";

/** Options of {@link activationSvg}. */
export interface ActivationSvgOptions extends DocumentOptions {
  readonly tokenizer: StrokeTokenizer;
  /** `[T]`: one activation a token. Above 0 they are drawn orange, below purple, 0 and NaN (not measured) as plain ink. */
  readonly activations: ArrayLike<number>;
  /**
   * Which activations to show. At a direction (`"theta"`) the model knows where the pen goes and is about to choose how far: a dot where
   * the segment starts. At a length (`"radius"`, the default) the segment is complete: its own colour. `"max"` colours it by the stronger
   * of both.
   */
  readonly show?: "theta" | "radius" | "max";
  /** The activation with the strongest colour. Default: the strongest shown. Give the latent's own, so that pictures of it compare. */
  readonly max?: number;
  /** Colour of ink where nothing is active. Default grey. */
  readonly stroke?: string;
  /** Widths of the least and the strongest activation, in canvas heights. Default 0.006 and 0.02. */
  readonly widths?: readonly [least: number, most: number];
  /** The number of a token whose place gets a ring. */
  readonly ring?: number;
  /** Room around the ink, in canvas heights. Default 0.05. */
  readonly margin?: number;
  /** Show the scale, and what could not be drawn. Default true. */
  readonly legend?: boolean;
}

/** About the width of a note's letter, in canvas heights. */
const LETTER_WIDTH = 0.023;

/**
 * A word's strokes, coloured and widened by activation: one segment for each pair of direction and length, with its value on hover. Where
 * the pen is in the air the line is thin and dashed; a tick stands for WORD; half a pair is a red cross; PAD is never drawn, and END has no
 * place. What is active there is counted below.
 *
 * @example
 * ```ts
 * const svg = activationSvg(tokens, { tokenizer, activations: features, max: 4.2, show: "max", scale: 250, background: "white" });
 * ```
 * @throws {RangeError} unless there is one activation a token.
 */
export function activationSvg(tokens: ArrayLike<number>, options: ActivationSvgOptions): string {
  const { tokenizer, activations, show = "radius", margin = 0.05, ring, legend = true } = options;
  if (activations.length !== tokens.length)
    throw new RangeError(`Expected an activation for each of ${tokens.length} tokens but found ${activations.length}`);
  const segments = tokenizer.segments(tokens);
  const marks = marksOf(tokens, { segments, tokenizer });
  const most = options.max ?? strongest(segments, marks, options);
  const pen = new Pen({ ...options, max: most });

  const parts: string[] = [];
  for (const [i, segment] of segments.entries()) if (!segment.malformed) parts.push(pen.segment(segment, segments[i + 1]));
  for (const { index, position } of marks.words) parts.push(pen.tick(position, index));
  if (show === "theta") for (const { index, position } of marks.directions) parts.push(pen.dot(position, index));
  for (const { malformed, to } of segments) if (malformed) parts.push(cross(to, 0.012));
  const ringed = ring === undefined ? undefined : placeOf(ring, segments, marks);
  if (ringed) parts.push(pen.ring(ringed));

  const inked = segments.flatMap(({ from, to, drawn }) => (drawn ? [from, to] : [to]));
  const box = grown(boxAround([...inked, ...marks.words.map(({ position }) => position), ...(ringed ? [ringed] : [])]), margin);
  if (legend) {
    const notes = notesOf(tokens, { ...options, malformed: segments.filter(({ malformed }) => malformed).length });
    const below = box.bottom + 0.035;
    const scale = most > 0 ? pen.scale([box.left + margin, below]) : { svg: "", right: box.left + margin };
    const text = (most > 0 ? [] : ["not active here"]).concat(notes).join(" · ");
    parts.push(scale.svg, text && note(text, [scale.right, below]));
    box.right = Math.max(box.right, scale.right + LETTER_WIDTH * text.length);
    box.bottom = below + margin;
  }
  return documentOf(box, `<g fill="none" stroke-linecap="round" stroke-linejoin="round">${parts.join("")}</g>`, options);
}

/** What is drawn besides segments. */
interface Marks {
  /** Directions, those that wait for a length too, where the pen is then. */
  readonly directions: readonly { readonly index: number; readonly position: Position }[];
  /** Runs of WORD. */
  readonly words: readonly { readonly index: number; readonly position: Position }[];
}

function marksOf(
  tokens: ArrayLike<number>,
  { segments, tokenizer }: { readonly segments: readonly InkSegment[]; readonly tokenizer: StrokeTokenizer },
): Marks {
  const ends = new Map(segments.map(({ radiusIndex, to }) => [radiusIndex, to] as const));
  const marks = { directions: [] as { index: number; position: Position }[], words: [] as { index: number; position: Position }[] };
  let position: Position = [0, 0];
  for (let index = 0; index < tokens.length; index++) {
    position = ends.get(index) ?? position;
    const { kind } = tokenizer.meaning(tokens[index]!);
    if (kind === "theta") marks.directions.push({ index, position });
    if (kind === "word" && tokens[index - 1] !== tokens[index]) marks.words.push({ index, position });
  }
  return marks;
}

/** The strongest activation of those that the picture shows. */
function strongest(
  segments: readonly InkSegment[],
  { directions, words }: Marks,
  { activations, show = "radius" }: ActivationSvgOptions,
): number {
  const lengths = segments.flatMap(({ radiusIndex, malformed }) => (malformed || radiusIndex === null ? [] : [radiusIndex]));
  const ofWords = words.flatMap(({ index }) => [index, index + 1]);
  const shown = [...ofWords, ...(show === "theta" ? [] : lengths), ...(show === "radius" ? [] : directions.map(({ index }) => index))];
  return shown.reduce((most, index) => Math.max(most, Math.abs(activations[index] ?? 0) || 0), 0);
}

/** Where a token is drawn: a direction at the start of its segment, a length at its end. */
function placeOf(index: number, segments: readonly InkSegment[], marks: Marks): Position | undefined {
  const segment = segments.find(({ radiusIndex, malformed }) => radiusIndex === index && !malformed);
  return segment?.to ?? [...marks.directions, ...marks.words].find((mark) => mark.index === index)?.position;
}

/** What was left out, in words. */
function notesOf(tokens: ArrayLike<number>, options: ActivationSvgOptions & { readonly malformed: number }): string[] {
  const { tokenizer, activations, malformed } = options;
  const hidden = (token: number): number =>
    Array.from(tokens, (other, i) => other === token && Math.abs(activations[i]!) > 0).filter(Boolean).length;
  const counted = (count: number, what: string, ending = ""): string[] =>
    count > 0 ? [`${count} ${what}${count === 1 ? "" : "s"}${ending}`] : [];
  return [
    ...counted(malformed, "malformed pair"),
    ...counted(hidden(tokenizer.padToken), "activation", " on PAD hidden"),
    ...counted(hidden(tokenizer.endToken), "activation", " on END"),
  ];
}

/** Draws with the colours and widths of activations. */
class Pen {
  readonly #activations: ArrayLike<number>;
  readonly #show: "theta" | "radius" | "max";
  readonly #max: number;
  readonly #stroke: string;
  readonly #widths: readonly [number, number];

  constructor({ activations, show = "radius", max = 0, stroke = "#b0b0b0", widths = [0.006, 0.02] }: ActivationSvgOptions) {
    this.#activations = activations;
    this.#show = show;
    this.#max = max;
    this.#stroke = stroke;
    this.#widths = widths;
  }

  segment(segment: InkSegment, next: InkSegment | undefined): string {
    const value = this.#valueOf(segment);
    // A pen set down and lifted at once is a dot.
    const isDot = segment.pen === 1 && !segment.drawn && next?.drawn !== true;
    const line = pathData(isDot ? [segment.to] : [segment.from, segment.to]);
    const { colour, width } = this.#look(value);
    if (segment.drawn || isDot) return this.#titled(`<path d="${line}" stroke="${colour}" stroke-width="${width}"`, value);
    if (Math.hypot(segment.to[0] - segment.from[0], segment.to[1] - segment.from[1]) === 0) return this.#landing(segment, value);
    const thin = coordinate(Math.max(this.#widths[0] / 2, Number(width) / 2));
    return this.#titled(`<path d="${line}" stroke="${colour}" stroke-width="${thin}" stroke-dasharray="0.012 0.016"`, value);
  }

  dot(position: Position, index: number): string {
    const value = this.#activations[index]!;
    if (!(Math.abs(value) > 0)) return "";
    const { colour, width } = this.#look(value);
    const [x, y] = position.map(coordinate);
    return this.#titled(`<circle cx="${x}" cy="${y}" r="${coordinate(0.75 * Number(width))}" fill="${colour}"`, value);
  }

  /** WORD is a pair of tokens: its tick has the stronger activation. */
  tick([x, y]: Position, index: number): string {
    const value = this.#stronger(index, index + 1);
    const { colour, width } = this.#look(value);
    const line = pathData([
      [x, y - 0.03],
      [x, y + 0.03],
    ]);
    return this.#titled(`<path d="${line}" stroke="${colour}" stroke-width="${width}"`, value);
  }

  ring([x, y]: Position): string {
    return `<circle cx="${coordinate(x)}" cy="${coordinate(y)}" r="${2 * this.#widths[1]}" stroke="black" stroke-width="0.004"/>`;
  }

  /** Strokes from faint to strong, with the strongest's value; where something is below 0, from the strongest below. */
  scale([x, y]: Position): { svg: string; right: number } {
    const steps = [0.2, 0.4, 0.6, 0.8, 1];
    const isSigned = Array.from(this.#activations).some((value) => value < 0);
    const strengths = isSigned ? [...steps.map((step) => -step).reverse(), ...steps] : steps;
    const strokes = strengths.map((strength, i) => {
      const { colour, width } = this.#look(strength * this.#max);
      const from = x + 0.04 * i;
      const line = pathData([
        [from, y],
        [from + 0.02, y],
      ]);
      return `<path d="${line}" stroke="${colour}" stroke-width="${width}"/>`;
    });
    const label = `${isSigned ? "±" : ""}${spelled(this.#max)}`;
    const after = x + 0.04 * strengths.length + 0.02;
    return { svg: strokes.join("") + note(label, [after, y]), right: after + 0.04 + LETTER_WIDTH * label.length };
  }

  /** A movement that goes nowhere: seen only where something is active. */
  #landing({ to }: InkSegment, value: number): string {
    if (!(Math.abs(value) > 0)) return "";
    const { colour, width } = this.#look(value);
    const [x, y, r] = [...to, 0.6 * Number(width)].map(coordinate);
    return this.#titled(`<circle cx="${x}" cy="${y}" r="${r}" stroke="${colour}" stroke-width="0.003"`, value);
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

  #look(value: number): { colour: string; width: string } {
    const strength = this.#max > 0 ? Math.max(-1, Math.min(1, value / this.#max)) || 0 : 0;
    const [least, most] = this.#widths;
    return {
      colour: strength === 0 ? escaped(this.#stroke) : strengthColour(strength),
      width: coordinate(least + Math.abs(strength) * (most - least)),
    };
  }

  /** An element with its value on hover. */
  #titled(element: string, value: number): string {
    return Math.abs(value) > 0 ? `${element}><title>${spelled(value)}</title></${element.slice(1, element.indexOf(" "))}>` : `${element}/>`;
  }
}

function spelled(value: number): string {
  return String(Number(value.toPrecision(3)));
}

function note(text: string, [x, y]: Position): string {
  const transform = `translate(${coordinate(x)} ${coordinate(y + 0.016)}) scale(0.005)`;
  return `<text transform="${transform}" font-size="9" font-family="sans-serif" fill="gray">${escaped(text)}</text>`;
}
