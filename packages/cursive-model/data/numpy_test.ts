import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { binOf, geomspace, linspace } from "./numpy.ts";

describe("linspace", () => {
  it("multiplies before it adds, as NumPy does, so that the middle of -π to π lies just below 0", () => {
    expect(linspace(-Math.PI, Math.PI, 151)[75]).toBe(-4.440892098500626e-16);
  });

  it("ends on its end and may have one value", () => {
    expect([...linspace(0, 0.3, 4)]).toEqual([0, 0.09999999999999999, 0.19999999999999998, 0.3]);
    expect([...linspace(2, 5, 1)]).toEqual([2]);
  });
});

describe("geomspace", () => {
  it("keeps its ends and its ratios", () => {
    expect([...geomspace(1, 1000, 4)].map((value) => Number(value.toFixed(9)))).toEqual([1, 10, 100, 1000]);
    const values = geomspace(0.051, 2.25, 101);
    expect([values[0], values[100]]).toEqual([0.051, 2.25]);
    const ratio = (2.25 / 0.051) ** 0.01;
    for (let i = 1; i < values.length; i++) expect(values[i]! / values[i - 1]!).toBeCloseTo(ratio, 12);
  });
});

describe("binOf", () => {
  it("finds what a search from the left finds", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: -20, max: 20 }), { maxLength: 20 }),
        fc.integer({ min: -25, max: 25 }),
        (unsorted, twice) => {
          const edges = Float64Array.from(unsorted).sort();
          const value = twice / 2; // on edges and between them
          expect(binOf(value, edges)).toBe(edges.findLastIndex((edge) => edge <= value));
        },
      ),
    );
  });
});
