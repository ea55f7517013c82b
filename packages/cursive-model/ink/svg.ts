import type { InkSegment } from "../data/tokenizer.ts";
import { type Point, visibleStrokes } from "../data/word.ts";
import { type Box, boxAround, cross, type DocumentOptions, documentOf, escaped, grown } from "./document.ts";
import { coordinate, type Position, pathData } from "./path.ts";

export { escaped } from "./document.ts";

/** Ink to draw: points, or the segments that a tokenizer found. */
export type Ink = readonly Point[] | readonly InkSegment[];

/** How ink looks. */
export interface InkStyle {
  /** Width of the pen, in canvas heights. Default 0.012. */
  strokeWidth?: number;
  /** Colour of the ink, as CSS has it. Default `currentColor`: that of the text around. */
  stroke?: string;
  /** Draw curves through the points instead of straight lines. Only where no `colour` or `width` tells segments apart. */
  smooth?: boolean;
  /** The colour of one segment; `undefined` leaves it `stroke`. */
  colour?: (segment: InkSegment, index: number) => string | undefined;
  /** The width of one segment, in canvas heights; `undefined` leaves it `strokeWidth`. */
  width?: (segment: InkSegment, index: number) => number | undefined;
  /** Show where the pen travelled in the air, thin and dashed. */
  penUp?: boolean;
}

/** Options of {@linkcode inkSvg}. */
export interface InkSvgOptions extends InkStyle, DocumentOptions {
  /** Room around the ink, in canvas heights. Default 0.05. */
  margin?: number;
}

/** Options of {@linkcode inkSheet}. */
export interface InkSheetOptions extends InkSvgOptions {
  /** Columns of the sheet. Default: as many as make it about twice as wide as high. */
  columns?: number;
}

/** One picture of a sheet. */
export interface InkSheetItem {
  ink: Ink;
  caption?: string;
}

/**
 * A picture of ink as an SVG document. Pen-up movements are not drawn; malformed pairs are, as red crosses.
 *
 * @example
 * ```ts
 * inkSvg(word.points, { title: word.text });
 * inkSvg(tokenizer.segments(tokens), { colour: ({ radiusIndex }) => ramp(activations[radiusIndex!]) });
 * ```
 */
export function inkSvg(ink: Ink, options: InkSvgOptions = {}): string {
  const { margin = 0.05 } = options;
  const box = grown(bounds(ink), margin);
  return documentOf(box, drawn(ink, options), options);
}

/**
 * Many pictures on one sheet, all to the same scale and on a common grid, each under its caption.
 *
 * @example
 * ```ts
 * inkSheet(words.map(({ points, text }) => ({ ink: points, caption: text })), { columns: 6, background: "white" });
 * ```
 */
export function inkSheet(items: readonly InkSheetItem[], options: InkSheetOptions = {}): string {
  const { margin = 0.05 } = options;
  const boxes = items.map(({ ink }) => bounds(ink));
  const captionHeight = items.some(({ caption }) => caption) ? 0.08 : 0;
  const top = Math.min(0, ...boxes.map((box) => box.top));
  const captionWidths = items.map(({ caption = "" }) => LETTER_WIDTH * caption.length);
  const cellWidth = Math.max(0, ...boxes.map((box) => box.right - box.left), ...captionWidths) + 2 * margin;
  const cellHeight = Math.max(0, ...boxes.map((box) => box.bottom)) - top + captionHeight + 2 * margin;
  const columns = options.columns ?? Math.max(1, Math.round(Math.sqrt((2 * items.length * cellHeight) / cellWidth)));
  const body = items.map(({ ink, caption }, i) => {
    const x = (i % columns) * cellWidth + margin;
    const y = Math.floor(i / columns) * cellHeight + margin;
    const label = caption ? captionText(caption, x, y + 0.05) : "";
    // Baselines of a row are level, so that words can be compared.
    const shift = `translate(${coordinate(x - boxes[i]!.left)} ${coordinate(y + captionHeight - top)})`;
    return `${label}<g transform="${shift}">${drawn(ink, options)}</g>`;
  });
  const rows = Math.ceil(items.length / columns);
  const box = { left: 0, top: 0, right: Math.min(columns, Math.max(1, items.length)) * cellWidth, bottom: Math.max(1, rows) * cellHeight };
  return documentOf(box, body.join("\n"), options);
}

/** About the width of a caption's letter, in canvas heights: captions should not run into each other. */
const LETTER_WIDTH = 0.028;

/** Letters of ordinary size, scaled down: renderers cannot set type of a fraction of a unit. */
function captionText(caption: string, x: number, y: number): string {
  const transform = `translate(${coordinate(x)} ${coordinate(y)}) scale(0.005)`;
  return `<text transform="${transform}" font-size="11" font-family="sans-serif" fill="gray">${escaped(caption)}</text>`;
}

function isSegments(ink: Ink): ink is readonly InkSegment[] {
  return ink.length > 0 && !Array.isArray(ink[0]);
}

/** Points as the movements between them, for drawing them one by one. */
function segmentsOf(ink: Ink): readonly InkSegment[] {
  if (isSegments(ink)) return ink;
  const points = ink as readonly Point[];
  return points.map(([x, y, pen], i) => {
    const [fromX, fromY, fromPen] = points[i - 1] ?? [x, y, 0];
    const drawn = pen === 1 && fromPen === 1;
    return { from: [fromX, fromY], to: [x, y], pen, drawn, thetaIndex: null, radiusIndex: null, malformed: false };
  });
}

function strokesOf(ink: Ink): Position[][] {
  if (!isSegments(ink)) return visibleStrokes(ink as readonly Point[]);
  return visibleStrokes(ink.filter((segment) => !segment.malformed).map(({ to, pen }): Point => [...to, pen]));
}

function drawn(ink: Ink, style: InkStyle): string {
  const { strokeWidth = 0.012, stroke = "currentColor", smooth = false, colour, width, penUp = false } = style;
  const segments = segmentsOf(ink);
  const parts: string[] = [];
  if (penUp) {
    const air = segments.filter((segment) => !segment.drawn && !segment.malformed).map(({ from, to }) => pathData([from, to]));
    const dash = coordinate(2 * strokeWidth);
    parts.push(
      `<path d="${air.join("")}" stroke="${escaped(stroke)}" stroke-width="${coordinate(strokeWidth / 4)}" stroke-dasharray="${dash}"/>`,
    );
  }
  if (colour || width) {
    for (const [i, segment] of segments.entries()) {
      // A pen set down and lifted at once is a dot and belongs to no line.
      const isDot = segment.pen === 1 && !segment.drawn && segments[i + 1]?.drawn !== true;
      if (segment.malformed || !(segment.drawn || isDot)) continue;
      const ownWidth = width?.(segment, i) ?? strokeWidth;
      const line = pathData(isDot ? [segment.to] : [segment.from, segment.to]);
      parts.push(`<path d="${line}" stroke="${escaped(colour?.(segment, i) ?? stroke)}" stroke-width="${coordinate(ownWidth)}"/>`);
    }
  } else {
    const lines = strokesOf(ink).map((positions) => pathData(positions, { smooth }));
    parts.push(`<path d="${lines.join("")}" stroke="${escaped(stroke)}" stroke-width="${coordinate(strokeWidth)}"/>`);
  }
  for (const { malformed, to } of segments) if (malformed) parts.push(cross(to, strokeWidth));
  return `<g fill="none" stroke-linecap="round" stroke-linejoin="round">${parts.join("")}</g>`;
}

/** The box around what is drawn. */
function bounds(ink: Ink): Box {
  const crosses = segmentsOf(ink).filter((segment) => segment.malformed);
  const positions = [...strokesOf(ink).flat(), ...crosses.map(({ to }) => to)];
  return boxAround(positions);
}
