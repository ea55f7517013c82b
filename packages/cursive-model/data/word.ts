/**
 * A pen position `[x, y, pen]`. Lengths are fractions of the canvas height, y grows downwards, the baseline lies near y = 0.
 * `pen` is 1 while the pen is down; a point with 0 ends its stroke, and the way to the point after it is not drawn.
 */
export type Point = [x: number, y: number, pen: number];

/** A handwritten word: what was written, by whom, and where the pen went. */
export interface Word {
  readonly text: string;
  readonly author: string;
  readonly points: readonly Point[];
}

/**
 * The lines that are drawn: runs of pen-down positions. A pen-up point closes its run without being drawn, as it only repeats where
 * the stroke ended (or, between words, marks a gap).
 *
 * @example
 * ```ts
 * visibleStrokes([[0, 0, 1], [1, 0, 1], [1, 0, 0], [2, 0, 1]]); // [[[0, 0], [1, 0]], [[2, 0]]]
 * ```
 */
export function visibleStrokes(points: readonly Point[]): [x: number, y: number][][] {
  const strokes: [number, number][][] = [];
  let open: [number, number][] | null = null;
  for (const [x, y, pen] of points) {
    if (pen === 0) {
      open = null;
    } else if (open) {
      open.push([x, y]);
    } else {
      open = [[x, y]];
      strokes.push(open);
    }
  }
  return strokes;
}
