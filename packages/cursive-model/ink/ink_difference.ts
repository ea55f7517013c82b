import type { InkSegment } from "../data/tokenizer.ts";

/** One piece of writing, as tokens and as what they spell. */
export interface WrittenInk {
  readonly tokens: ArrayLike<number>;
  readonly segments: readonly InkSegment[];
}

/** How far ink differs from other ink. */
export interface InkDifference {
  /** Tokens before the first that differs, or all where none does. */
  readonly sameTokens: number;
  /**
   * Mean distance from a point of either ink to the nearest of the other, in canvas heights; both begin at x = 0. Null where one has no ink.
   */
  readonly distance: number | null;
  /** The ratio of their lengths, as the pen goes on paper: above 1 for more ink. Null where the other has none. */
  readonly length: number | null;
}

/** Compares ink with a baseline's. */
export function inkDifference(ink: WrittenInk, baseline: WrittenInk): InkDifference {
  const [own, other] = [penPath(ink), penPath(baseline)];
  return {
    sameTokens: sameTokens(ink.tokens, baseline.tokens),
    distance: own.points.length > 0 && other.points.length > 0 ? (meanNearest(own, other) + meanNearest(other, own)) / 2 : null,
    length: other.length > 0 ? own.length / other.length : null,
  };
}

/** Halves of pairs, and other tokens that are no movement. */
export function malformedPairs(segments: readonly InkSegment[]): number {
  return segments.filter(({ malformed }) => malformed).length;
}

/** Segments that come from tokens after those that two writings share. */
export function segmentsAfter(segments: readonly InkSegment[], sameTokens: number): InkSegment[] {
  return segments.filter(({ thetaIndex, radiusIndex }) => Math.max(thetaIndex ?? -1, radiusIndex ?? -1) >= sameTokens);
}

interface PenPath {
  readonly points: readonly (readonly [x: number, y: number])[];
  readonly length: number;
}

/** Distance between points along a line, in canvas heights: finer than what the eye tells apart. */
const STEP = 0.01;

function penPath(ink: WrittenInk): PenPath {
  const drawn = ink.segments.filter((segment) => segment.drawn && !segment.malformed);
  const points = drawn.flatMap(({ from, to }) => {
    const pieces = Math.max(1, Math.ceil(lengthOf({ from, to }) / STEP));
    return Array.from({ length: pieces }, (_, i) => {
      const share = (i + 1) / pieces;
      return [from[0] + share * (to[0] - from[0]), from[1] + share * (to[1] - from[1])] as const;
    });
  });
  return { points, length: drawn.reduce((sum, segment) => sum + lengthOf(segment), 0) };
}

function lengthOf({ from, to }: Pick<InkSegment, "from" | "to">): number {
  return Math.hypot(to[0] - from[0], to[1] - from[1]);
}

function meanNearest({ points }: PenPath, other: PenPath): number {
  const nearest = points.map(([x, y]) => other.points.reduce((least, [u, v]) => Math.min(least, Math.hypot(u - x, v - y)), Infinity));
  return nearest.reduce((a, b) => a + b, 0) / nearest.length;
}

function sameTokens(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) if (a[i] !== b[i]) return i;
  return shorter;
}
