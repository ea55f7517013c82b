import { linspace } from "./numpy.ts";
import type { Point } from "./word.ts";

/**
 * Drops about `fraction` of the pen-down points, evenly over each stroke: of a run of n, `max(2, floor(n·(1 - fraction)))` stay, among
 * them the first and the last (of a run of one, that one twice, as in the original). Pen-up points all stay.
 *
 * @throws {RangeError} unless `fraction` is in [0, 1].
 * @example
 * ```ts
 * downsample(word.points, 0.65).length; // about 0.35 times as many
 * ```
 */
export function downsample(points: readonly Point[], fraction: number): Point[] {
  if (!(fraction >= 0 && fraction <= 1)) throw new RangeError(`Expected a fraction from 0 to 1 but found ${fraction}`);
  return mapPenDownRuns(points, (start, end) => {
    const length = end - start;
    const kept = linspace(0, length - 1, Math.max(2, Math.floor(length * (1 - fraction))));
    return Array.from(kept, (at) => start + Math.floor(at));
  });
}

/**
 * Draws a line of ink with fewer points: of each stroke those without which it would move by more than `tolerance` canvas heights
 * (U. Ramer 1972; D. Douglas and T. Peucker 1973). Straight parts become single long movements, bends keep theirs. Stroke ends and
 * pen-up points all stay.
 *
 * @throws {RangeError} unless `tolerance` is at least 0.
 * @example
 * ```ts
 * simplify(word.points, 0.006); // a third of the points of captured ink, and looks the same
 * ```
 */
export function simplify(points: readonly Point[], tolerance: number): Point[] {
  if (!(tolerance >= 0)) throw new RangeError(`Expected a tolerance of at least 0 but found ${tolerance}`);
  return mapPenDownRuns(points, (start, end) => {
    const kept = [start];
    // Spans still to be judged, the leftmost on top; an accepted one contributes its right end.
    const spans: [number, number][] = end - start > 1 ? [[start, end - 1]] : [];
    for (let span = spans.pop(); span; span = spans.pop()) {
      const [from, to] = span;
      const { at, distance } = farthest(points, from, to);
      if (distance > tolerance) spans.push([at, to], [from, at]);
      else kept.push(to);
    }
    return kept;
  });
}

/** Rebuilds a line of ink from the indices that `choose` keeps of each run [start, end) of pen-down points, and all pen-up points. */
function mapPenDownRuns(points: readonly Point[], choose: (start: number, end: number) => number[]): Point[] {
  const kept: Point[] = [];
  let start = 0;
  for (let i = 0; i <= points.length; i++) {
    const point = points[i];
    if (point && point[2] !== 0) continue;
    if (i > start) for (const index of choose(start, i)) kept.push(points[index]!);
    if (point) kept.push(point);
    start = i + 1;
  }
  return kept;
}

/** The point strictly between two others that is farthest from the straight line segment from one to the other. */
function farthest(points: readonly Point[], from: number, to: number): { at: number; distance: number } {
  const [ax, ay] = points[from]!;
  const [bx, by] = points[to]!;
  const [dx, dy] = [bx - ax, by - ay];
  const lengthSquared = dx * dx + dy * dy;
  let at = from;
  let most = 0;
  for (let i = from + 1; i < to; i++) {
    const px = points[i]![0] - ax;
    const py = points[i]![1] - ay;
    const along = lengthSquared > 0 ? Math.min(1, Math.max(0, (px * dx + py * dy) / lengthSquared)) : 0;
    const ox = px - along * dx;
    const oy = py - along * dy;
    const squared = ox * ox + oy * oy;
    if (squared > most) {
      most = squared;
      at = i;
    }
  }
  return { at, distance: Math.sqrt(most) };
}
