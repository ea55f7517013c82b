import {
  type ActivationMark,
  type ActivationPicture,
  type ActivationPictureOptions,
  activationPicture,
  strengthAndWidth,
} from "./activation_picture.ts";
import { type DocumentOptions, documentOf, escaped } from "./document.ts";
import { coordinate, type Position, pathData } from "./path.ts";
import { strengthColour } from "./ramp.ts";

/** Options of {@link activationSvg}. */
export interface ActivationSvgOptions extends ActivationPictureOptions, DocumentOptions {
  /** Colour of ink where nothing is active. Default grey. */
  readonly stroke?: string;
  /** Show the scale, and what could not be drawn. Default true. */
  readonly legend?: boolean;
}

/** About the width of a note's letter, in canvas heights. */
const LETTER_WIDTH = 0.023;

/**
 * A word's strokes, coloured and widened by activation, above 0 orange, below purple: one segment for each pair of direction and length, with its value on hover. Where
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
  const { margin = 0.05, legend = true, stroke = "#b0b0b0", widths = [0.006, 0.02] } = options;
  const picture = activationPicture(tokens, options);
  const { marks, ring, ringRadius, max, box } = picture;
  const parts = marks.map((mark) => markSvg(mark, stroke));
  if (ring) {
    const [x, y] = ring.map(coordinate);
    parts.push(`<circle cx="${x}" cy="${y}" r="${ringRadius}" stroke="black" stroke-width="0.004"/>`);
  }
  if (legend) {
    const notes = notesOf(picture);
    const below = box.bottom + 0.035;
    const isSigned = Array.from(options.activations).some((value) => value < 0);
    const scale = max > 0 ? scaleSvg([box.left + margin, below], { max, isSigned, widths }) : { svg: "", right: box.left + margin };
    const text = (max > 0 ? [] : ["not active here"]).concat(notes).join(" · ");
    parts.push(scale.svg, text && note(text, [scale.right, below]));
    box.right = Math.max(box.right, scale.right + LETTER_WIDTH * text.length);
    box.bottom = below + margin;
  }
  return documentOf(box, `<g fill="none" stroke-linecap="round" stroke-linejoin="round">${parts.join("")}</g>`, options);
}

function markSvg({ kind, path, to, value, strength, width }: ActivationMark, stroke: string): string {
  const colour = kind === "malformed" ? "red" : strength === 0 ? escaped(stroke) : strengthColour(strength);
  if (path === null) {
    const [x, y] = to.map(coordinate);
    const look = kind === "landing" ? `stroke="${colour}" stroke-width="0.003"` : `fill="${colour}"`;
    return titled(`<circle cx="${x}" cy="${y}" r="${coordinate(width)}" ${look}`, value);
  }
  const dashes = kind === "air" ? ' stroke-dasharray="0.012 0.016"' : "";
  return titled(`<path d="${path}" stroke="${colour}" stroke-width="${coordinate(width)}"${dashes}`, value);
}

/** What was left out, in words. */
function notesOf({ malformed, hidden }: ActivationPicture): string[] {
  const counted = (count: number, what: string, ending = ""): string[] =>
    count > 0 ? [`${count} ${what}${count === 1 ? "" : "s"}${ending}`] : [];
  return [
    ...counted(malformed, "malformed pair"),
    ...counted(hidden.pad, "activation", " on PAD hidden"),
    ...counted(hidden.end, "activation", " on END"),
  ];
}

/** Strokes from faint to strong, with the strongest's value; where something is below 0, from the strongest below. */
function scaleSvg(
  [x, y]: Position,
  { max, isSigned, widths }: { readonly max: number; readonly isSigned: boolean; readonly widths: readonly [number, number] },
): { svg: string; right: number } {
  const steps = [0.2, 0.4, 0.6, 0.8, 1];
  const strengths = isSigned ? [...steps.map((step) => -step).reverse(), ...steps] : steps;
  const strokes = strengths.map((strength, i) => {
    const from = x + 0.04 * i;
    const line = pathData([
      [from, y],
      [from + 0.02, y],
    ]);
    return `<path d="${line}" stroke="${strengthColour(strength)}" stroke-width="${coordinate(strengthAndWidth(strength, 1, widths).width)}"/>`;
  });
  const label = `${isSigned ? "±" : ""}${spelled(max)}`;
  const after = x + 0.04 * strengths.length + 0.02;
  return { svg: strokes.join("") + note(label, [after, y]), right: after + 0.04 + LETTER_WIDTH * label.length };
}

/** An element with its value on hover. */
function titled(element: string, value: number): string {
  return Math.abs(value) > 0 ? `${element}><title>${spelled(value)}</title></${element.slice(1, element.indexOf(" "))}>` : `${element}/>`;
}

function spelled(value: number): string {
  return String(Number(value.toPrecision(3)));
}

function note(text: string, [x, y]: Position): string {
  const transform = `translate(${coordinate(x)} ${coordinate(y + 0.016)}) scale(0.005)`;
  return `<text transform="${transform}" font-size="9" font-family="sans-serif" fill="gray">${escaped(text)}</text>`;
}
