import { downsample, type Point, type StrokeTokenizer, simplify, visibleStrokes, writeCursive } from "@cursive/cursive-model";
import { createRng } from "@cursive/tensor";

/** A place on paper, in canvas heights: a small letter is about an eighth high, y grows downwards, the baseline is y = 0. */
export type PaperPoint = readonly [x: number, y: number];

/** How far a line may move when points are left out for a model of coarse bins: the middle of what it was trained on. */
const TOLERANCE = 0.01;
/** Bins whose shortest movement is longer than this are coarse ones, for ink of few long segments. */
const COARSE = 0.004;
/** Distance of captured points, in canvas heights, and the share of them that is dropped for a model of fine bins. */
const SPACING = 0.011;
const DROPPED = 0.65;

/**
 * A text in the built-in hand, as tokens. The seed varies the hand.
 *
 * @throws RangeError for a text with characters that the hand does not have.
 * @example
 * ```ts
 * const tokens = handInk("hello", { tokenizer, seed: 3 });
 * ```
 */
export function handInk(text: string, { tokenizer, seed }: { readonly tokenizer: StrokeTokenizer; readonly seed: number }): number[] {
  return encoded(writeCursive(text, { rng: createRng(seed, "hand", text), spacing: SPACING }).points, tokenizer);
}

/**
 * Strokes that somebody drew, as tokens: each stroke's points in order, reduced as the ink is that the model was trained on.
 *
 * @example
 * ```ts
 * const tokens = drawnInk([[[0, 0], [0.05, -0.1], [0.1, 0]]], { tokenizer });
 * ```
 */
export function drawnInk(strokes: readonly (readonly PaperPoint[])[], { tokenizer }: { readonly tokenizer: StrokeTokenizer }): number[] {
  const kept = strokes.filter((stroke) => stroke.length > 0);
  if (kept.length === 0) return [];
  const [left, first] = [kept[0]![0]![0], kept[0]![0]![1]];
  const points = kept.flatMap((stroke): Point[] => {
    const line = evenly(stroke).map(([x, y]): Point => [x - left, y - first, 1]);
    const [x, y] = line.at(-1)!;
    return [...line, [x, y, 0]];
  });
  return encoded(points, tokenizer);
}

/** The strokes of tokens, as {@link drawnInk} makes them, on paper: the first point at x = 0, the lowest on the baseline. */
export function strokesOf(tokens: readonly number[], { tokenizer }: { readonly tokenizer: StrokeTokenizer }): PaperPoint[][] {
  const strokes = visibleStrokes(tokenizer.decodeStrokes(Int32Array.from(tokens)));
  const lowest = strokes.flat().reduce((found, [, y]) => Math.max(found, y), Number.NEGATIVE_INFINITY);
  return strokes.map((stroke) => stroke.map(([x, y]): PaperPoint => [x, y - lowest]));
}

function encoded(points: readonly Point[], tokenizer: StrokeTokenizer): number[] {
  const isCoarse = tokenizer.bins.radius[1]! > COARSE;
  return Array.from(tokenizer.encodeStrokes(isCoarse ? simplify(points, TOLERANCE) : downsample(points, DROPPED)));
}

/** Points along a line about {@link SPACING} apart, its ends among them: pointers report as often as they like. */
function evenly(line: readonly PaperPoint[]): PaperPoint[] {
  const points: PaperPoint[] = [line[0]!];
  let travelled = 0; // since the last point that was taken
  for (let i = 1; i < line.length; i++) {
    const [from, to] = [line[i - 1]!, line[i]!];
    const length = Math.hypot(to[0] - from[0], to[1] - from[1]);
    for (let at = SPACING - travelled; at <= length && length > 0; at += SPACING) {
      const share = at / length;
      points.push([from[0] + share * (to[0] - from[0]), from[1] + share * (to[1] - from[1])]);
    }
    travelled = (travelled + length) % SPACING;
  }
  const last = line.at(-1)!;
  if (travelled > SPACING / 10) points.push(last);
  return points;
}
