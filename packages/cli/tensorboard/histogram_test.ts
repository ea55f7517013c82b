import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { histogramOf } from "./histogram.ts";

const values = fc.float32Array({ minLength: 1, maxLength: 300, noNaN: true, noDefaultInfinity: true });

describe("histogramOf()", () => {
  it("tells least, greatest, sum and sum of squares, and counts every value once", () => {
    fc.assert(
      fc.property(values, (all) => {
        const { min, max, count, sum, sumSquares, counts } = histogramOf(all);
        const sorted = [...all].sort((a, b) => a - b);
        expect([min, max, count]).toEqual([sorted[0], sorted.at(-1), all.length].map((value) => (value === 0 ? expect.closeTo(0) : value)));
        expect(counts.reduce((total, each) => total + each, 0)).toBe(all.length);
        const bound = (terms: number[]): number => 2 * terms.length * 2 ** -53 * terms.reduce((total, term) => total + Math.abs(term), 0);
        const squares = sorted.map((value) => value * value);
        expect(Math.abs(sum - sorted.reduce((a, b) => a + b, 0))).toBeLessThanOrEqual(bound(sorted));
        expect(Math.abs(sumSquares - squares.reduce((a, b) => a + b, 0))).toBeLessThanOrEqual(bound(squares));
      }),
    );
  });

  it("puts values into the bucket below whose limit they lie, give or take rounding", () => {
    fc.assert(
      fc.property(values, (all) => {
        const { min, max, limits, counts } = histogramOf(all);
        const room = (max - min) * 1e-9;
        limits.forEach((limit, i) => {
          const below = counts.slice(0, i + 1).reduce((total, each) => total + each, 0);
          expect(below).toBeGreaterThanOrEqual(all.filter((value) => value < limit - room).length);
          expect(below).toBeLessThanOrEqual(all.filter((value) => value <= limit + room).length);
        });
        expect(limits.at(-1)).toBe(max);
        expect(limits).toEqual([...limits].sort((a, b) => a - b));
      }),
    );
  });

  it("leaves out what is not finite", () => {
    expect(histogramOf(Float32Array.of(1, Number.NaN, Number.POSITIVE_INFINITY, 3))).toMatchObject({
      min: 1,
      max: 3,
      count: 2,
      sum: 4,
      sumSquares: 10,
    });
    expect(histogramOf(Float32Array.of(Number.NaN))).toEqual({ min: 0, max: 0, count: 0, sum: 0, sumSquares: 0, limits: [], counts: [] });
  });

  it("has one bucket for equal values", () => {
    expect(histogramOf(Float32Array.of(2, 2, 2))).toMatchObject({ limits: [2], counts: [3] });
  });
});
