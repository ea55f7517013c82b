import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seed, seededValues, shape, valueKind } from "../arbitrary.ts";
import { build, nd } from "../nd.ts";
import { gather } from "./indexing.ts";
import { slice } from "./shape.ts";
import { sort, topk } from "./sort.ts";

const tied = nd([1, 6], [2, 1, 2, 3, 1, Number.NaN]);

describe("sort()", () => {
  it("keeps equal values as they stood, in both directions, and takes NaN for the greatest", () => {
    expect(sort(tied).indices).toEqual(nd([1, 6], [1, 4, 0, 2, 3, 5]));
    expect(sort(tied, { descending: true }).indices).toEqual(nd([1, 6], [5, 3, 0, 2, 1, 4]));
  });

  it("gives every value of a row once, in order, along any axis", () => {
    fc.assert(
      fc.property(
        shape({ minRank: 1, maxRank: 3, maxCount: 300 }),
        seed(),
        valueKind("normal", "integers", "adversarial"),
        (shape, seed, kind) => {
          const x = seededValues(seed, shape, kind);
          for (const axis of shape.keys()) {
            const { values, indices } = sort(x, { axis });
            expect(gather(x, indices, { axis })).toEqual(values);
            expect(sort(indices, { axis }).values).toEqual(build(shape, (index) => index[axis]!)); // each place once
            const [lower, upper] = [[0, -1] as const, [1] as const].map((range) =>
              slice(
                values,
                shape.map((_, i) => (i === axis ? range : [])),
              ),
            );
            expect(lower!.data.every((value, i) => value <= upper!.data[i]!)).toBe(true);
          }
        },
      ),
    );
  });
});

describe("topk()", () => {
  it("gives the ends of the sorted row", () => {
    const row = nd([5], [3, 1, 4, 1, 5]);
    expect(topk(row, 2)).toEqual({ values: nd([2], [5, 4]), indices: nd([2], [4, 2]) });
    expect(topk(row, 3, { largest: false })).toEqual({ values: nd([3], [1, 1, 3]), indices: nd([3], [1, 3, 0]) });
    expect(topk(nd([3, 1], [1, 3, 2]), 1, { axis: 0 }).values).toEqual(nd([1, 1], [3]));
  });
});
