import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { arbitraryInk, inkOf } from "../testing/ink.ts";
import { visibleStrokes } from "./word.ts";

describe("visibleStrokes", () => {
  it("ends a line at each pen-up point, which it leaves out", () => {
    const [first, second, ...more] = visibleStrokes(inkOf("0,0 1,0 1,0/ 1.5,0/ 2,0"));
    expect(first).toEqual([
      [0, 0],
      [1, 0],
    ]);
    expect(second).toEqual([[2, 0]]);
    expect(more).toEqual([]);
  });

  it("keeps every pen-down point once, in order", () => {
    fc.assert(
      fc.property(arbitraryInk, (ink) => {
        const strokes = visibleStrokes(ink);
        expect(strokes.flat()).toEqual(ink.filter(([, , pen]) => pen === 1).map(([x, y]) => [x, y]));
        expect(strokes).toHaveLength(ink.filter(([, , pen]) => pen === 0).length); // each stroke here has its pen-up point
      }),
    );
  });
});
