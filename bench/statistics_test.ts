import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { agree, median, movement, pairedRatio } from "./statistics.ts";

const times = fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 20 });

describe("median", () => {
  it("has as many values below it as above", () => {
    fc.assert(
      fc.property(times, (values) => {
        const middle = median(values);
        const below = values.filter((value) => value < middle).length;
        const above = values.filter((value) => value > middle).length;
        expect(Math.max(below, above)).toBeLessThanOrEqual(values.length / 2);
      }),
    );
  });

  it("is the mean of the two in the middle of an even number", () => {
    expect([median([4, 1, 3, 2]), median([5]), median([9, 1, 5])]).toEqual([2.5, 5, 5]);
  });

  it("wants values", () => {
    expect(() => median([])).toThrow("Expected values to take a median of but found none");
  });
});

describe("pairedRatio", () => {
  it("is untouched by a machine that slows down, if it slows down for all", () => {
    fc.assert(
      fc.property(times, fc.integer({ min: 1, max: 9 }), (slowness, factor) => {
        const ours = slowness.map((slow) => 2 * slow);
        const theirs = slowness.map((slow) => 2 * slow * factor);
        expect(pairedRatio(theirs, ours)).toBe(factor);
      }),
    );
  });

  it("takes the rounds that both have", () => {
    expect(pairedRatio([2, 4, 100], [1, 2])).toBe(2);
    expect(pairedRatio([2], [1, 2])).toBe(2);
    expect(pairedRatio([], [1])).toBeUndefined();
  });
});

describe("movement", () => {
  it("is how far the largest lies above the smallest", () => {
    expect(movement([10, 12, 11])).toBeCloseTo(0.2);
    expect(movement([7])).toBeUndefined();
    expect(movement([])).toBeUndefined();
  });
});

describe("agree", () => {
  it("allows for single precision, and for no more", () => {
    expect([agree(6.2875, 6.2876), agree(-2, -2.001), agree(0, 0)]).toEqual([true, true, true]);
    expect([agree(6.28, 6.3), agree(1, -1), agree(1, Number.NaN)]).toEqual([false, false, false]);
  });
});
