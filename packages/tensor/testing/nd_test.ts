import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seed, seededValues, shape } from "./arbitrary.ts";
import { at, broadcastShape, broadcastTo, build, countOf, flatten, mapRows, nd } from "./nd.ts";

describe("nd()", () => {
  it("refuses data that does not fill the shape", () => {
    expect(() => nd([2, 3], [1, 2])).toThrow("Expected 6 elements for [2,3] but found 2");
  });
});

describe("build()", () => {
  it("visits every index once, in row-major order", () => {
    const visited: number[][] = [];
    build([2, 1, 3], (index) => visited.push([...index]));
    expect(visited).toEqual([
      [0, 0, 0],
      [0, 0, 1],
      [0, 0, 2],
      [1, 0, 0],
      [1, 0, 1],
      [1, 0, 2],
    ]);
  });

  it("undoes at() and flatten() for any shape", () => {
    fc.assert(
      fc.property(shape({ maxCount: 200 }), seed(), (shape, seed) => {
        const x = seededValues(seed, shape);
        expect(build(shape, (index) => at(x, index))).toEqual(x);
        expect(build(shape, (index) => flatten(index, shape)).data).toEqual(Float64Array.from({ length: countOf(shape) }, (_, i) => i));
      }),
    );
  });
});

describe("broadcastShape() and broadcastTo()", () => {
  it("align shapes at the right and stretch sizes of 1", () => {
    expect(broadcastShape([4, 1, 7], [3, 1])).toEqual([4, 3, 7]);
    expect(broadcastShape([], [2, 0], [1])).toEqual([2, 0]);
    expect(broadcastTo(nd([2, 1], [1, 2]), [2, 2, 3]).data).toEqual(Float64Array.of(1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2));
  });

  it("refuse sizes that differ", () => {
    expect(() => broadcastShape([2, 3], [2])).toThrow("Expected shapes that broadcast but found [2,3] and [2]");
  });
});

describe("mapRows()", () => {
  it("takes rows along any axis and may change their length", () => {
    const x = nd([2, 3], [1, 2, 3, 4, 5, 6]);
    const ends = (row: Float64Array) => [row.at(-1)!, row[0]!];
    expect(mapRows(x, 1, ends)).toEqual(nd([2, 2], [3, 1, 6, 4]));
    expect(mapRows(x, -2, ends)).toEqual(nd([2, 3], [4, 5, 6, 1, 2, 3]));
    expect(() => mapRows(x, 2, ends)).toThrow("Expected an axis of 2 dimensions but found 2");
  });
});
