import type { InkSegment } from "@cursive/cursive-model";

/** A word as it is laid out. */
export interface LayoutWord {
  readonly text: string;
  /** What has been written of it, from its own origin. */
  readonly segments: readonly InkSegment[];
  /** True if it goes on from the word before without a gap, as the piece of a long one does. */
  readonly isJoined?: boolean;
  /** True once nothing comes any more: it then takes what its ink takes, not what it may be expected to. */
  readonly isDone?: boolean;
}

/** Where a word lies on the paper, in canvas heights; its baseline is at `y`. */
export interface PlacedWord {
  /** The word's own ink, slanted and in its place. */
  readonly segments: readonly InkSegment[];
  /** Where the word's own origin lies. */
  readonly origin: InkSegment["to"];
  readonly left: number;
  readonly right: number;
  readonly y: number;
  readonly line: number;
}

/** Words on lines. */
export interface Layout {
  readonly words: readonly PlacedWord[];
  readonly lines: number;
}

/** Options of {@link layOut}. */
export interface LayoutOptions {
  /** Of the paper, in canvas heights. */
  readonly width: number;
  /** How far the top of a letter of height 1 leans to the right. Default 0. */
  readonly slant?: number;
}

/**
 * In canvas heights: between words, between baselines, from the top to the first baseline, from the last one to the bottom, and at both sides.
 */
export const SPACING: {
  readonly word: number;
  readonly line: number;
  readonly above: number;
  readonly below: number;
  readonly side: number;
} = {
  word: 0.14,
  line: 0.48,
  above: 0.3,
  below: 0.22,
  side: 0.03,
};

/** About what a letter takes, and what a word takes beside its letters, before it is written: rather too much, so that few lines are too long. */
const LETTER_WIDTH = 0.17;
const WORD_WIDTH = 0.06;

/** Where a word's own ink lies, and how much room it takes of a line. */
interface MeasuredWord {
  readonly word: LayoutWord;
  /** From the leftmost to the rightmost ink. */
  readonly ink: number;
  readonly least: number;
  /** What the line is broken by. */
  readonly room: number;
}

/**
 * Puts words on lines, from left to right, the longest line in the middle of the paper. A word that is not written yet takes what its letters
 * may be expected to, so that lines are not broken anew with every movement of the pen.
 */
export function layOut(words: readonly LayoutWord[], { width, slant = 0 }: LayoutOptions): Layout {
  const lines: MeasuredWord[][] = [[]];
  let taken = 0;
  for (const word of words) {
    const [least, most] = extent(word.segments, slant);
    const ink = most - least;
    const measured = { word, ink, least, room: word.isDone ? ink : Math.max(ink, expectedWidth(word.text)) };
    const line = lines.at(-1)!;
    const gap = line.length === 0 || word.isJoined ? 0 : SPACING.word;
    // Where each line starts is only known with all of them, so they are broken by what they hold: ink that is there, room that is expected.
    if (line.length > 0 && taken + gap + measured.room > width - 2 * SPACING.side + 1e-9 && !word.isJoined) {
      lines.push([measured]);
      taken = widthNow(measured);
    } else {
      line.push(measured);
      taken += gap + widthNow(measured);
    }
  }
  const widest = Math.max(0, ...lines.map(roomOf));
  const start = Number.isFinite(width) ? Math.max(SPACING.side, (width - widest) / 2) : SPACING.side;
  const placed = lines.flatMap((line, number) => {
    let x = start;
    return line.map((measured, i): PlacedWord => {
      const { word, least } = measured;
      if (i > 0 && !word.isJoined) x += SPACING.word;
      const left = x;
      x += widthNow(measured);
      const y = SPACING.above + number * SPACING.line;
      const origin: InkSegment["to"] = [left - least, y];
      return { segments: placeInk(word.segments, { origin, slant }), origin, left, right: x, y, line: number };
    });
  });
  return { words: placed, lines: lines.length };
}

/** What a word takes of its line now: its ink, or what is expected of it before there is any. */
function widthNow({ word, ink }: MeasuredWord): number {
  return word.segments.length > 0 ? ink : expectedWidth(word.text);
}

/** What a line will take, from its first ink to its last. */
function roomOf(line: readonly MeasuredWord[]): number {
  return line.reduce((sum, { room, word }, i) => sum + room + (i > 0 && !word.isJoined ? SPACING.word : 0), 0);
}

/** About how wide a text's ink will be, in canvas heights. */
export function expectedWidth(text: string): number {
  return LETTER_WIDTH * text.length + WORD_WIDTH;
}

/** The height of so many lines, in canvas heights. */
export function paperHeight(lines: number): number {
  return SPACING.above + (lines - 1) * SPACING.line + SPACING.below;
}

/** One line is worth having, though letters are smaller then: by so much. */
const ONE_LINE_WORTH = 0.7;

/**
 * Pixels a canvas height with which a text fills a paper of some pixels: as large as its height allows, within what is good to read. Words that
 * are done are as wide as they are, others as they may be expected to be.
 */
export function fittingScale(
  words: readonly LayoutWord[],
  paper: { readonly width: number; readonly height: number; readonly most: number; readonly slant?: number },
): number {
  const { slant } = paper;
  const unwritten = words.map((word) => (word.isDone ? word : { ...word, segments: [] }));
  const [onOneLine] = layOut(unwritten, { width: Number.POSITIVE_INFINITY, slant }).words.slice(-1);
  const least = Math.min(paper.most, 150);
  let best = paper.most;
  for (; best > least; best *= 0.94) {
    const { lines, words: placed } = layOut(unwritten, { width: paper.width / best, slant });
    const widest = Math.max(0, ...placed.map(({ right }) => right)) + SPACING.side;
    if (paperHeight(lines) * best <= paper.height && widest * best <= paper.width) break;
  }
  const oneLine = onOneLine ? Math.min(paper.most, paper.width / (onOneLine.right + SPACING.side)) : 0;
  return Math.max(least, oneLine >= ONE_LINE_WORTH * best ? oneLine : best);
}

/** Ink of a word in its place: slanted, then moved from the word's own origin to where that lies. */
export function placeInk(
  segments: readonly InkSegment[],
  place: { readonly origin: InkSegment["to"]; readonly slant: number },
): InkSegment[] {
  const { origin, slant } = place;
  const placed = ([x, y]: InkSegment["to"]): InkSegment["to"] => [x - slant * y + origin[0], y + origin[1]];
  return segments.map((segment) => ({ ...segment, from: placed(segment.from), to: placed(segment.to) }));
}

/** From the leftmost to the rightmost ink, slanted. */
function extent(segments: readonly InkSegment[], slant: number): [least: number, most: number] {
  const xs = segments.filter(({ drawn }) => drawn).flatMap(({ from, to }) => [from[0] - slant * from[1], to[0] - slant * to[1]]);
  if (xs.length === 0) return [0, 0];
  return [Math.min(...xs), Math.max(...xs)];
}
