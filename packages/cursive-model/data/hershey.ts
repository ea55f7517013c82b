import { portableSin, type Rng } from "@cursive/tensor";
import { type Glyph, type GlyphKind, type GridPoint, hersheyGlyphs } from "./hershey_glyphs.ts";
import type { Point, Word } from "./word.ts";

/** Who the built-in cursive is by, wherever a word's author is named. */
export const hersheyAuthor = "A. V. Hershey";

/** Every character that {@linkcode writeCursive} can write. */
export const cursiveCharacters: string = [...hersheyGlyphs.keys()].join("");

/** Options of {@linkcode writeCursive}. */
export interface CursiveOptions {
  /** Draws the variation. */
  rng: Rng;
  /** How much words and letters vary: 0 not at all, 1 as one hand does. Default 1. */
  variation?: number;
  /** Distance between points along the line, in canvas heights. Default 0.011, about that of captured ink. */
  spacing?: number;
}

/** Canvas heights a grid unit, by kind of character: small letters 0.127 high, capitals 0.22, figures 0.2. */
const gridSize: Readonly<Record<GlyphKind, { x: number; y: number; lean: number }>> = {
  // `lean` straightens what the font slants; figures and marks stand upright in it.
  small: { x: 0.0108, y: 0.0141, lean: -0.12 },
  capital: { x: 0.0079, y: 0.0105, lean: -0.1 },
  figure: { x: 0.0064, y: 0.0096, lean: 0.1 },
  mark: { x: 0.0072, y: 0.0098, lean: 0.1 },
};

const smallHeight = 9; // grid units
const shortened = 0.78; // what is left of ascenders above the small letters, which the font has longer than a hand does
const gapBetweenUnjoined = 0.045;

/** How a word differs from the model hand. */
interface Hand {
  slant: number;
  widen: number;
  heighten: number;
  gap: number;
  drift: number;
  wave: { height: number; frequency: number; phase: number };
}

/**
 * Writes a word in the built-in cursive, letters joined by the pen, dots and bars right after their letters. No two writings are alike:
 * slant, width, height and baseline vary by word; size, turn, place and shape by letter.
 *
 * @throws {RangeError} if the text is empty or has a character that is not one of {@linkcode cursiveCharacters}.
 * @example
 * ```ts
 * const word = writeCursive("hello", { rng: createRng(42, "hello") });
 * ```
 */
export function writeCursive(text: string, options: CursiveOptions): Word {
  const { rng, variation = 1, spacing = 0.011 } = options;
  if (text === "") throw new RangeError("Expected a text but found an empty one");
  const hand: Hand = {
    slant: variation * rng.uniform(-0.08, 0.08),
    widen: 1 + variation * rng.uniform(-0.12, 0.12),
    heighten: 1 + variation * rng.uniform(-0.06, 0.06),
    gap: gapBetweenUnjoined * (1 + variation * rng.uniform(-0.3, 0.3)),
    drift: variation * rng.uniform(-0.03, 0.03),
    wave: { height: variation * 0.005, frequency: rng.uniform(3, 7), phase: rng.uniform(0, 2 * Math.PI) },
  };
  const strokes = layOut(text, hand, { rng, variation });
  const points: Point[] = [];
  for (const stroke of strokes) {
    const line = evenlySpaced(rounded(stroke), spacing);
    for (const [x, up] of line) {
      const wave = hand.wave.height * portableSin(hand.wave.frequency * x + hand.wave.phase);
      points.push([x, -(up + hand.drift * x + wave), 1]);
    }
    const [x, y] = points.at(-1)!;
    points.push([x, y, 0]);
  }
  const left = points[0]![0];
  return { text, author: hersheyAuthor, points: points.map(([x, y, pen]): Point => [x - left, y, pen]) };
}

/** A letter as it comes out this time: as its glyph, but in canvas heights, y up, its own left at x = 0. */
interface Letter extends Omit<Glyph, "width"> {
  /** Where the end of a way out from the letter before belongs. */
  readonly link: GridPoint;
}

/** The strokes of a word as corner points, in canvas heights, y up. */
function layOut(text: string, hand: Hand, { rng, variation }: { rng: Rng; variation: number }): GridPoint[][] {
  const glyphs = Array.from(text, (character) => {
    const glyph = hersheyGlyphs.get(character);
    if (!glyph) throw new RangeError(`Expected characters of the built-in cursive but found "${character}"`);
    return glyph;
  });
  const strokes: GridPoint[][] = [];
  let open: GridPoint[] | null = null; // the stroke that leads out of the last letter and into this one
  let right = -hand.gap; // edge of the ink so far

  for (const [i, glyph] of glyphs.entries()) {
    const letter = vary(glyph, hand, { rng, variation });
    let pen: GridPoint[];
    let origin: number;
    if (open) {
      origin = open.at(-1)![0] - letter.link[0];
      pen = open;
      const startsLow = glyph.entry[0]![1] < 5; // as e does: its way in leaves the way out before that one has risen
      if (startsLow) pen.pop();
      pen.push(...moved(startsLow ? letter.entry : letter.entry.slice(1), origin));
    } else {
      const start = letter.entry.length > 0 && rng.uniform() < 0.7 ? [leadIn(letter.link), ...letter.entry] : letter.entry;
      origin = right + hand.gap - leftmost([start, ...letter.body]);
      pen = moved(start, origin);
    }
    const [first, ...others] = letter.body.map((stroke) => moved(stroke, origin));
    pen.push(...first!);
    for (const stroke of others) {
      strokes.push(pen);
      pen = stroke;
    }

    const exit = moved(letter.exit, origin);
    const marks = letter.marks.map((stroke) => moved(stroke, origin));
    const goesOn = exit.length > 0 && (glyphs[i + 1]?.entry.length ?? 0) > 0;
    if (goesOn && marks.length > 0) {
      strokes.push(pen, ...marks);
      open = [pen.at(-1)!, ...exit];
    } else {
      pen.push(...exit);
      open = goesOn ? pen : null;
      if (!goesOn) strokes.push(pen, ...marks);
    }
    right = rightmost([pen, ...others, ...marks]);
  }
  return strokes;
}

/** A letter's shape this time: its corners a little off, its size, turn and place its own, in the word's slant and proportions. */
function vary(glyph: Glyph & { kind: GlyphKind }, hand: Hand, { rng, variation }: { rng: Rng; variation: number }): Letter {
  const size = gridSize[glyph.kind];
  const scaleX = size.x * hand.widen * (1 + variation * rng.uniform(-0.08, 0.08));
  const scaleY = size.y * hand.heighten * (1 + variation * rng.uniform(-0.06, 0.06));
  const turn = variation * rng.uniform(-0.045, 0.045);
  const lift = variation * rng.uniform(-0.006, 0.006);
  const lean = size.lean + hand.slant;
  const place = ([gridX, gridY]: GridPoint): GridPoint => {
    const x = gridX * scaleX;
    const y = (glyph.kind === "small" && gridY > smallHeight ? smallHeight + shortened * (gridY - smallHeight) : gridY) * scaleY;
    return [x + (lean - turn) * y, y + turn * x + lift];
  };
  const wobble = 0.16 * variation; // grid units
  const stroke = (points: readonly GridPoint[]): GridPoint[] => {
    const placed: GridPoint[] = [];
    for (const [i, [x, y]] of points.entries()) {
      const isCorner = i > 0 && points[i - 1]![0] === x && points[i - 1]![1] === y;
      placed.push(isCorner ? placed.at(-1)! : place([x + wobble * rng.normal(), y + wobble * rng.normal()]));
    }
    return placed;
  };
  return {
    link: place([1, 5]),
    entry: stroke(glyph.entry),
    body: glyph.body.map(stroke),
    exit: stroke(glyph.exit),
    marks: glyph.marks.map(stroke),
  };
}

/** Where a word that starts with a joined letter sets the pen down: to the left of the way in, near the baseline. */
function leadIn([x, y]: GridPoint): GridPoint {
  return [x - 0.45 * y, 0.08 * y];
}

function moved(points: readonly GridPoint[], dx: number): GridPoint[] {
  return points.map(([x, y]): GridPoint => [x + dx, y]);
}

function leftmost(strokes: readonly (readonly GridPoint[])[]): number {
  return strokes.flat().reduce((least, [x]) => Math.min(least, x), Number.POSITIVE_INFINITY);
}

function rightmost(strokes: readonly (readonly GridPoint[])[]): number {
  return strokes.flat().reduce((most, [x]) => Math.max(most, x), Number.NEGATIVE_INFINITY);
}

/** Cuts the corners of a line three times over, which makes a smooth curve of it (G. Chaikin 1974). Both ends stay. */
function rounded(corners: readonly GridPoint[]): GridPoint[] {
  let line = [...corners];
  for (let pass = 0; pass < 3; pass++) {
    const next: GridPoint[] = [line[0]!];
    for (let i = 1; i < line.length; i++) {
      const [ax, ay] = line[i - 1]!;
      const [bx, by] = line[i]!;
      if (i > 1) next.push([0.75 * ax + 0.25 * bx, 0.75 * ay + 0.25 * by]);
      if (i < line.length - 1) next.push([0.25 * ax + 0.75 * bx, 0.25 * ay + 0.75 * by]);
    }
    next.push(line.at(-1)!);
    line = next;
  }
  return line;
}

/** Points along a line, as near to `spacing` apart as fits evenly, both ends among them. */
function evenlySpaced(line: readonly GridPoint[], spacing: number): GridPoint[] {
  const reached = [0]; // length of the line up to each of its points
  for (let i = 1; i < line.length; i++) {
    const [dx, dy] = [line[i]![0] - line[i - 1]![0], line[i]![1] - line[i - 1]![1]];
    reached.push(reached[i - 1]! + Math.sqrt(dx * dx + dy * dy)); // not hypot, which differs between engines
  }
  const total = reached.at(-1)!;
  const steps = Math.max(1, Math.round(total / spacing));
  const points: GridPoint[] = [];
  let i = 1;
  for (let step = 0; step < steps; step++) {
    const at = (total * step) / steps;
    while (reached[i]! < at) i++;
    const share = reached[i]! > reached[i - 1]! ? (at - reached[i - 1]!) / (reached[i]! - reached[i - 1]!) : 0;
    const [ax, ay] = line[i - 1]!;
    const [bx, by] = line[i]!;
    points.push([ax + share * (bx - ax), ay + share * (by - ay)]);
  }
  points.push(line.at(-1)!);
  return points;
}
