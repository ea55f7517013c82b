import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { logLabels, logSplits } from "./log_axis.ts";

const range = fc.record({ min: fc.double({ min: 1e-9, max: 1e6, noNaN: true }), factor: fc.double({ min: 1.01, max: 1e6, noNaN: true }) });

describe("logSplits()", () => {
  it("divides any axis inside its ends, in order, and labels some of it", () => {
    fc.assert(
      fc.property(range, ({ min, factor }) => {
        const max = min * factor;
        const splits = logSplits(min, max);
        expect(splits.length).toBeGreaterThan(1);
        for (const [i, split] of splits.entries()) {
          expect(split).toBeGreaterThanOrEqual(min * (1 - 1e-9));
          expect(split).toBeLessThanOrEqual(max * (1 + 1e-9));
          if (i > 0) expect(split).toBeGreaterThan(splits[i - 1]!);
        }
        const place = (value: number): number => (500 * Math.log(value / min)) / Math.log(factor);
        const labels = logLabels(splits, { room: 40, place });
        const places = labels.flatMap((label) => (label === null ? [] : [place(label)]));
        expect(places.length).toBeGreaterThan(0);
        for (const [i, each] of places.entries()) if (i > 0) expect(each - places[i - 1]!).toBeGreaterThanOrEqual(40);
        expect(labels.every((label, i) => label === null || label === splits[i])).toBe(true);
      }),
    );
  });

  it("has one digit a split, or round numbers where there are too few, and labels powers of ten first", () => {
    expect(logSplits(1.5, 12)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(logSplits(1, 1.1)).toEqual([1, 1.05, 1.1]);
    const place = (value: number): number => 100 * Math.log10(value);
    expect(logLabels([2, 3, 4, 5, 6, 7, 8, 9, 10], { room: 25, place })).toEqual([2, null, null, 5, null, null, null, null, 10]);
    expect(logLabels(logSplits(0.1, 100), { room: 90, place }).filter((label) => label !== null)).toEqual([0.1, 1, 10, 100]);
  });
});
