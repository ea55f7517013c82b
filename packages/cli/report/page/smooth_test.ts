import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { smooth } from "./smooth.ts";

const weight = fc.double({ min: 0, max: 0.99, noNaN: true });

describe("smooth()", () => {
  it("is the mean of the values so far with weights that shrink by a factor", () => {
    const values = fc.array(fc.double({ min: -5, max: 5, noNaN: true }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(values, weight, (all, factor) => {
        smooth(all, factor).forEach((average, last) => {
          const weights = all.slice(0, last + 1).map((_, i) => factor ** (last - i));
          const sum = weights.reduce((total, each) => total + each, 0);
          expect(average).toBeCloseTo(weights.reduce((total, each, i) => total + each * all[i]!, 0) / sum, 9);
        });
      }),
    );
  });

  it("leaves a constant as it is, from the first value on", () => {
    fc.assert(
      fc.property(weight, (factor) => {
        for (const value of smooth([3, 3, 3, 3], factor)) expect(value).toBeCloseTo(3, 12);
      }),
    );
  });

  it("passes over gaps", () => {
    expect(smooth([null, 1, null, 3], 0.5)).toEqual([null, 1, null, (0.5 * 1 + 3) / 1.5]);
  });
});
