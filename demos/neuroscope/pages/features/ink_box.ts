import type { InkSegment } from "@cursive/cursive-model";

/** A part of the paper, in canvas heights, y down. */
export interface PaperBox {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** Height of a small letter. */
export const X_HEIGHT = 0.127;

/** Room for a word's ascenders and descenders, whatever it has, so that words do not jump in size. */
const LEAST: PaperBox = { left: 0, top: -0.27, right: 0.5, bottom: 0.1 };
const MARGIN = 0.045;

/** The paper around some ink. */
export function boxAround(segments: readonly InkSegment[]): PaperBox {
  const points = segments.flatMap(({ from, to, drawn, malformed }) => (drawn ? [from, to] : malformed ? [] : [to]));
  const box = points.reduce(
    (sum, [x, y]) => ({
      left: Math.min(sum.left, x),
      top: Math.min(sum.top, y),
      right: Math.max(sum.right, x),
      bottom: Math.max(sum.bottom, y),
    }),
    LEAST,
  );
  return { left: box.left - MARGIN, top: box.top - MARGIN, right: box.right + MARGIN, bottom: box.bottom + MARGIN };
}

/** The paper that holds both. */
export function unionOf(a: PaperBox, b: PaperBox): PaperBox {
  return {
    left: Math.min(a.left, b.left),
    top: Math.min(a.top, b.top),
    right: Math.max(a.right, b.right),
    bottom: Math.max(a.bottom, b.bottom),
  };
}

/** The number of the segment that is nearest to a place, within `reach` canvas heights; null where none is. */
export function nearestSegment(segments: readonly InkSegment[], [x, y]: readonly [number, number], reach: number): number | null {
  let nearest: number | null = null;
  let least = reach;
  for (const [i, segment] of segments.entries()) {
    // What leaves no ink is harder to mean.
    const distance = distanceTo(segment, [x, y]) + (segment.drawn ? 0 : reach / 3);
    if (distance < least) [nearest, least] = [i, distance];
  }
  return nearest;
}

function distanceTo({ from, to }: Pick<InkSegment, "from" | "to">, [x, y]: readonly [number, number]): number {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  const squared = dx * dx + dy * dy;
  const along = squared > 0 ? Math.min(1, Math.max(0, ((x - from[0]) * dx + (y - from[1]) * dy) / squared)) : 0;
  return Math.hypot(x - from[0] - along * dx, y - from[1] - along * dy);
}
