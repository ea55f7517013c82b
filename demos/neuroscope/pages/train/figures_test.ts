import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { clock, figure, smoothed, speed } from "./figures.ts";

describe("figures", () => {
  it("are short, and exact enough", () => {
    expect([figure(1.23456), figure(0.000123), figure(0), figure(Number.NaN), figure(12345.6)]).toEqual(["1.235", "1.2e−4", "0", "–", "12350"]); // biome-ignore format: one line
    expect([clock(7), clock(760), clock(3720), clock(59.7)]).toEqual(["0:07", "12:40", "1:02:00", "1:00"]);
    expect([speed(940), speed(12_400), speed(1_200_000)]).toEqual(["940", "12.4 k", "1.20 M"]);
  });
});

describe("smoothed", () => {
  it("stays between the least and the greatest so far, leaves a constant alone, and gaps gaps", () => {
    const drawn = fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 1 });
    fc.assert(
      fc.property(drawn, fc.constantFrom(0, 0.5, 0.98), (values, keep) => {
        for (const [i, mean] of smoothed(values, keep).entries()) {
          const before = values.slice(0, i + 1);
          expect(mean).toBeGreaterThanOrEqual(Math.min(...before) - 1e-9);
          expect(mean).toBeLessThanOrEqual(Math.max(...before) + 1e-9);
        }
      }),
    );
    expect(smoothed([3, Number.NaN, 3], 0.9)).toEqual([3, null, 3]);
    expect(smoothed([1, 2, 5], 0)).toEqual([1, 2, 5]);
  });
});
