import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareLosses } from "./losses.mjs";

const loss = fc.float({ min: Math.fround(0.1), max: 10, noNaN: true });
const ulp = (x: number): number => 2 ** (Math.floor(Math.log2(x)) - 23);

describe("compareLosses", () => {
  it("takes rounding for equal, and says whether the bits are", () => {
    const losses = fc.array(fc.tuple(loss, fc.integer({ min: -7, max: 7 })), { minLength: 1 });
    fc.assert(
      fc.property(losses, (drawn) => {
        const expected = drawn.map(([value]) => value);
        const found = drawn.map(([value, ulps]) => Math.fround(value + ulps * ulp(value)));
        expect(compareLosses(found, expected)).toEqual({ problem: undefined, equal: found.every((value, i) => value === expected[i]) });
      }),
    );
  });

  it("names the first step that is off by more", () => {
    fc.assert(
      fc.property(fc.array(loss, { minLength: 1 }), fc.nat(), fc.constantFrom(1.00001, 0.9999, -1, Number.NaN), (expected, at, factor) => {
        const found = expected.map((value, i) => (i >= at % expected.length ? value * factor : value));
        expect(compareLosses(found, expected).problem).toMatch(`at step ${(at % expected.length) + 1} but found`);
      }),
    );
  });

  it("wants every step", () => {
    expect(compareLosses([1], [1, 2])).toEqual({ problem: "Expected 2 losses but found 1", equal: false });
  });
});
