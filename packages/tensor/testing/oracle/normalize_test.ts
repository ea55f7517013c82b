import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seed, seededValues, shape, valueKind } from "../arbitrary.ts";
import { expectClose } from "../expect_close.ts";
import { map, nd, scalar } from "../nd.ts";
import { add, exp, mul } from "./elementwise.ts";
import { layerNorm, logSoftmax, softmax } from "./normalize.ts";
import { mean, sum, variance } from "./reduce.ts";

const cases = fc.record({
  shape: shape({ minRank: 1, maxRank: 3, maxCount: 500 }),
  seed: seed(),
  kind: valueKind("normal", "adversarial"),
});

describe("softmax()", () => {
  it("gives probabilities in proportion to the exponentials", () => {
    expectClose(softmax(nd([3], [0, Math.LN2, Math.log(5)])).data, [1 / 8, 2 / 8, 5 / 8], 1e-15);
  });

  it("sums to one along any axis, whatever the values", () => {
    fc.assert(
      fc.property(cases, ({ shape, seed, kind }) => {
        for (const axis of shape.keys()) {
          const total = sum(softmax(seededValues(seed, shape, kind), { axis }), { axis });
          expectClose(
            total.data,
            map(total, () => 1),
            1e-13,
          );
        }
      }),
    );
  });

  it("does not see a shift, and is the exponential of logSoftmax", () => {
    fc.assert(
      fc.property(cases, ({ shape, seed, kind }) => {
        const x = seededValues(seed, shape, kind);
        expectClose(softmax(add(x, scalar(4))).data, softmax(x), 1e-12);
        expectClose(exp(logSoftmax(x)).data, softmax(x), 1e-13);
      }),
    );
  });
});

describe("logSoftmax()", () => {
  it("stays exact where the probability underflows", () => {
    expect(logSoftmax(nd([2], [0, -2000]))).toEqual(nd([2], [0, -2000]));
  });
});

describe("layerNorm()", () => {
  it("normalises by mean and population variance, then scales and shifts", () => {
    const normalized = [-1.5, -0.5, 0.5, 1.5].map((v) => v / Math.sqrt(1.25 + 0.75));
    expectClose(layerNorm(nd([4], [1, 2, 3, 4]), undefined, undefined, { eps: 0.75 }).data, normalized, 1e-15);
    const [weight, bias] = [nd([4], [1, 2, 3, 4]), nd([4], [0, 1, 0, 1])];
    const affine = normalized.map((v, i) => v * weight.data[i]! + bias.data[i]!);
    expectClose(layerNorm(nd([1, 4], [1, 2, 3, 4]), weight, bias, { eps: 0.75 }).data, affine, 1e-15);
  });

  it("gives rows of mean 0 and variance 1 and does not see shift or scale", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 65 }), seed(), (channels, seed) => {
        const x = seededValues(seed, [5, channels]);
        const y = layerNorm(x, undefined, undefined, { eps: 0 });
        const zeros = nd([5]);
        expectClose(mean(y, { axis: 1 }).data, zeros, 1e-13);
        expectClose(
          variance(y, { axis: 1, correction: 0 }).data,
          map(zeros, () => 1),
          1e-12,
        );
        expectClose(layerNorm(add(mul(x, scalar(3)), scalar(5)), undefined, undefined, { eps: 0 }).data, y, 1e-9);
      }),
    );
  });

  it("gives the bias for a row of equal values", () => {
    expect(layerNorm(nd([1, 2], [7, 7]), nd([2], [3, 3]), nd([2], [1, 2]))).toEqual(nd([1, 2], [1, 2]));
  });
});
