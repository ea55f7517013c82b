import type { InkSegment } from "@cursive/cursive-model";

/** A word as it is laid out. */
export interface LayoutWord {
  readonly text: string;
  /** What has been written of it, from its own origin. */
  readonly segments: readonly InkSegment[];
  /** True if it goes on from the word before without a gap, as the piece of a long one does. */
  readonly isJoined?: boolean;
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

/**
 * Puts words on lines, from left to right. A word that is not written yet takes what its letters may be expected to, so that the line is not
 * broken anew with every movement of the pen.
 */
export function layOut(words: readonly LayoutWord[], { width, slant = 0 }: LayoutOptions): Layout {
  const placed: PlacedWord[] = [];
  let x = SPACING.side;
  let line = 0;
  for (const [i, { text, segments, isJoined }] of words.entries()) {
    const [least, most] = extent(segments, slant);
    const expected = expectedWidth(text);
    const gap = placed.length === 0 || isJoined ? 0 : SPACING.word;
    if (x > SPACING.side && x + gap + Math.max(most - least, expected) > width - SPACING.side && !isJoined) {
      line++;
      x = SPACING.side;
    } else if (i > 0) x += gap;
    const y = SPACING.above + line * SPACING.line;
    const origin: InkSegment["to"] = [x - least, y];
    const right = x + (segments.length > 0 ? most - least : expected);
    placed.push({ segments: placeInk(segments, { origin, slant }), origin, left: x, right, y, line });
    x = right;
  }
  return { words: placed, lines: line + 1 };
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

/** Pixels a canvas height with which a text fills a paper of some pixels: as large as its height allows, within what is good to read. */
export function fittingScale(
  words: readonly LayoutWord[],
  paper: { readonly width: number; readonly height: number; readonly most: number },
): number {
  const unwritten = words.map((word) => ({ ...word, segments: [] }));
  const [onOneLine] = layOut(unwritten, { width: Number.POSITIVE_INFINITY }).words.slice(-1);
  const least = Math.min(paper.most, 150);
  let best = paper.most;
  for (; best > least; best *= 0.94) {
    const { lines, words: placed } = layOut(unwritten, { width: paper.width / best });
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
