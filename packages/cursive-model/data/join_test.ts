import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { arbitraryWord, inkOf } from "../testing/ink.ts";
import { joinWords, wordGap } from "./join.ts";
import type { Point, Word } from "./word.ts";

const xs = (points: readonly Point[]) => points.map(([x]) => x);
const apart = (some: number[], others: number[]) => Math.max(...some.map((value, i) => Math.abs(value - others[i]!)));

describe("joinWords", () => {
  it("puts a pen-up point a gap after each word and the next word there, computed by hand", () => {
    const one: Word = { text: "ab", author: "A", points: inkOf("0,0 -0.5,0.25 1,0.5 1,0.5/") };
    const two: Word = { text: "c", author: "B", points: inkOf("0,-0.25 0.5,0/") };
    const { text, author, points } = joinWords([one, two]);
    expect([text, author]).toEqual(["ab c", "A, B"]);
    expect(points).toEqual([
      ...inkOf("0.5,0 0,0.25 1.5,0.5 1.5,0.5/"),
      [1.5 + wordGap, 0.5, 0],
      [1.5 + wordGap, -0.25, 1],
      [1.5 + wordGap + 0.5, 0, 0],
    ]);
  });

  it("moves a single word to start at 0", () => {
    expect(joinWords([{ text: "a", author: "A", points: inkOf("2,1 3,0/") }]).points).toEqual(inkOf("0,1 1,0/"));
  });

  it("does not care where its words stood, and keeps their shapes, order and heights", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(arbitraryWord, fc.integer({ min: -8, max: 8 })), { minLength: 1, maxLength: 4 }), (shifts) => {
        const words = shifts.map(([word]) => word);
        const joined = joinWords(words);
        const shifted = joinWords(
          shifts.map(([word, by]) => ({ ...word, points: word.points.map(([x, y, pen]): Point => [x + by, y, pen]) })),
        );
        expect(joined.points).toHaveLength(words.reduce((sum, word) => sum + word.points.length, words.length - 1));
        expect(shifted.points.map(([, y, pen]) => [y, pen])).toEqual(joined.points.map(([, y, pen]) => [y, pen]));
        expect(apart(xs(shifted.points), xs(joined.points))).toBeLessThan(1e-12);
        let at = 0;
        let edge = 0; // right edge so far
        for (const { points } of words) {
          const piece = joined.points.slice(at, at + points.length);
          const left = Math.min(...xs(points));
          expect(piece.map(([, y, pen]) => [y, pen])).toEqual(points.map(([, y, pen]) => [y, pen]));
          expect(
            apart(
              xs(piece),
              xs(points).map((x) => edge + x - left),
            ),
          ).toBeLessThan(1e-12);
          edge = Math.max(...xs(piece)) + wordGap;
          at += points.length + 1;
        }
        expect(joined.text).toBe(words.map((word) => word.text).join(" "));
      }),
    );
  });

  it("refuses to join nothing", () => {
    expect(() => joinWords([])).toThrow("Expected at least one word but found none");
  });
});
