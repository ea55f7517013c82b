import fc from "fast-check";
import type { Point, Word } from "../data/word.ts";

/**
 * Ink in short: `x,y` for each point with the pen down, `x,y/` for one with the pen up.
 *
 * @example
 * ```ts
 * inkOf("0,0 1,0 1,0/"); // [[0, 0, 1], [1, 0, 1], [1, 0, 0]]
 * ```
 */
export function inkOf(points: string): Point[] {
  return points.split(" ").map((point): Point => {
    const [x, y] = point.replace("/", "").split(",").map(Number) as [number, number];
    return [x, y, point.endsWith("/") ? 0 : 1];
  });
}

/** A line of ink: strokes of 1 to 12 pen-down points on a fine grid, each closed by a pen-up point where it ended, as captured ink is. */
export const arbitraryInk: fc.Arbitrary<Point[]> = fc
  .array(fc.array(fc.tuple(fc.integer({ min: -3000, max: 3000 }), fc.integer({ min: -600, max: 600 })), { minLength: 1, maxLength: 12 }), {
    minLength: 1,
    maxLength: 5,
  })
  .map((strokes) =>
    strokes.flatMap((stroke) => {
      const points = stroke.map(([x, y]): Point => [x / 1000, y / 1000, 1]);
      const [x, y] = points.at(-1)!;
      return [...points, [x, y, 0] as Point];
    }),
  );

/** A word of letters a to e, which need not look like them. */
export const arbitraryWord: fc.Arbitrary<Word> = fc.record({
  text: fc.string({ unit: fc.constantFrom("a", "b", "c", "d", "e"), minLength: 1, maxLength: 6 }),
  author: fc.constantFrom("one", "two"),
  points: arbitraryInk.map((points) => points.map(([x, y, pen]): Point => [x - points[0]![0], y, pen])),
});
