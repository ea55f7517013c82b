import type { Point, Word } from "./word.ts";

/** The gap between joined words, in canvas heights. */
export const wordGap = 0.17;

/**
 * Writes words one after another, as one word whose text has single spaces. Each word is moved to start where the ink before it
 * ended, with a pen-up point {@linkcode wordGap} further on in between.
 *
 * @throws {RangeError} if there is no word.
 * @example
 * ```ts
 * joinWords([hello, world]).text; // "hello world"
 * ```
 */
export function joinWords(words: readonly Word[]): Word {
  if (words.length === 0) throw new RangeError("Expected at least one word but found none");
  const points: Point[] = [];
  let offset = 0;
  for (const [i, word] of words.entries()) {
    if (i > 0) {
      offset += wordGap;
      points.push([offset, points.at(-1)![1], 0]);
    }
    const left = leftmost(word.points);
    let first = Number.POSITIVE_INFINITY;
    let last = Number.NEGATIVE_INFINITY;
    for (const point of word.points) {
      const x = point[0] - left + offset;
      first = Math.min(first, x);
      last = Math.max(last, x);
      points.push([x, point[1], point[2]]);
    }
    offset += last - first;
  }
  return { text: words.map((word) => word.text).join(" "), author: [...new Set(words.map((word) => word.author))].join(", "), points };
}

function leftmost(points: readonly Point[]): number {
  let left = Number.POSITIVE_INFINITY;
  for (const point of points) left = Math.min(left, point[0]);
  return left;
}
