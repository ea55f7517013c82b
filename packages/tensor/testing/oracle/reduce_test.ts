import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seed, seededValues, shape } from "../arbitrary.ts";
import { expectClose } from "../expect_close.ts";
import { map, type Nd, nd, scalar } from "../nd.ts";
import { add, exp, log } from "./elementwise.ts";
import * as oracle from "./reduce.ts";
import { reshape, slice } from "./shape.ts";

const x = nd([2, 3], [1, -2, 3, 4, 5, -6]);

describe("the reductions", () => {
  it("reduce over the axes given, all without, and keep them if asked", () => {
    expect(oracle.sum(x)).toEqual(scalar(5));
    expect(oracle.sum(x, { axis: 0 })).toEqual(nd([3], [5, 3, -3]));
    expect(oracle.sum(x, { axis: -1, keepDims: true })).toEqual(nd([2, 1], [2, 3]));
    expect(oracle.sum(x, { axis: [1, 0], keepDims: true })).toEqual(nd([1, 1], [5]));
    expect(oracle.mean(x, { axis: 1 })).toEqual(nd([2], [2 / 3, 1]));
    expect(oracle.prod(x, { axis: 1 })).toEqual(nd([2], [-6, -120]));
    expect(oracle.max(x, { axis: 1 })).toEqual(nd([2], [3, 5]));
    expect(oracle.min(x, { axis: 0 })).toEqual(nd([3], [1, -2, -6]));
    expect(oracle.sum(nd([2, 0]), { axis: 1 })).toEqual(nd([2]));
  });

  it("give variances with and without Bessel's correction", () => {
    const row = nd([4], [2, 4, 4, 6]);
    expect(oracle.variance(row, { correction: 0 })).toEqual(scalar(2));
    expect(oracle.variance(row)).toEqual(scalar(8 / 3));
    expect(oracle.std(row, { correction: 0 })).toEqual(scalar(Math.SQRT2));
    expect(oracle.variance(nd([1], [3])).data[0]).toBeNaN();
  });

  it("give norms", () => {
    const row = nd([2], [3, -4]);
    expect(oracle.norm(row)).toEqual(scalar(5));
    expect(oracle.norm(row, { p: 1 })).toEqual(scalar(7));
    expect(oracle.norm(row, { p: Number.POSITIVE_INFINITY })).toEqual(scalar(4));
  });

  it("find the first of equal extremes, NaN before all", () => {
    const tied = nd([2, 4], [1, 7, 7, 0, 5, Number.NaN, 9, Number.NaN]);
    expect(oracle.argmax(tied, { axis: 1 })).toEqual(nd([2], [1, 1]));
    expect(oracle.argmin(tied, { axis: 1 })).toEqual(nd([2], [3, 1]));
    expect(oracle.argmax(x)).toEqual(scalar(4));
    expect(oracle.max(tied, { axis: 1 }).data).toEqual(Float64Array.of(7, Number.NaN));
  });

  it("take logsumexp without overflow, equal to its formula where that does not overflow", () => {
    expectClose(oracle.logsumexp(x, { axis: 1 }).data, log(oracle.sum(exp(x), { axis: 1 })), 1e-14);
    expectClose(oracle.logsumexp(nd([2], [1000, 1000])).data, [1000 + Math.LN2], 1e-12);
    expect(oracle.logsumexp(nd([2], [-Infinity, -Infinity])).data[0]).toBe(-Infinity);
  });

  it("reduce axes in turn as at once", () => {
    fc.assert(
      fc.property(shape({ minRank: 2, maxRank: 4, maxCount: 500 }), seed(), (shape, seed) => {
        const x = seededValues(seed, shape, "integers");
        for (const f of [oracle.sum, oracle.max, oracle.min]) {
          const once = f(x, { axis: [0, -1] });
          expect(f(f(x, { axis: -1 }), { axis: 0 })).toEqual(once);
          expect(f(x, { axis: [0, -1], keepDims: true }).data).toEqual(once.data);
        }
      }),
    );
  });

  it("do not see a shift of the variance and see a shift of logsumexp as it is", () => {
    fc.assert(
      fc.property(shape({ minRank: 1, maxRank: 3, maxCount: 500 }), seed(), (shape, seed) => {
        const x = seededValues(seed, shape);
        const shifted = map(x, (v) => v + 3);
        expectClose(oracle.variance(shifted, { axis: 0, correction: 0 }).data, oracle.variance(x, { axis: 0, correction: 0 }), 1e-12);
        expectClose(oracle.logsumexp(shifted, { axis: 0 }).data, add(oracle.logsumexp(x, { axis: 0 }), scalar(3)), 1e-12);
      }),
    );
  });
});

describe("cumsum()", () => {
  it("adds up along the axis", () => {
    expect(oracle.cumsum(x)).toEqual(nd([2, 3], [1, -1, 2, 4, 9, 3]));
    expect(oracle.cumsum(x, { axis: 0 })).toEqual(nd([2, 3], [1, -2, 3, 5, 3, -3]));
  });

  it("ends with the sum", () => {
    const values = seededValues(4, [3, 17, 5], "integers");
    const last: Nd = slice(oracle.cumsum(values, { axis: 1 }), [[], [-1]]);
    expect(reshape(last, [3, 5])).toEqual(oracle.sum(values, { axis: 1 }));
  });
});
