import fc from "fast-check";
import { describe, it } from "vitest";
import { dimension, seed, seededValues } from "../arbitrary.ts";
import { expectClose } from "../expect_close.ts";
import { nd } from "../nd.ts";
import { scaledDotProductAttention } from "./attention.ts";
import { indexSelect } from "./indexing.ts";
import { mean } from "./reduce.ts";
import { flip, slice } from "./shape.ts";

const cases = fc.record({ t: dimension({ max: 17 }), s: dimension({ max: 17 }), seed: seed() });
const draw = (seed: number, t: number, s: number) => {
  const [q, k, v] = [seededValues(seed, [2, t, 4]), seededValues(seed + 1, [2, s, 4]), seededValues(seed + 2, [2, s, 3])];
  return { q, k, v };
};

describe("scaledDotProductAttention()", () => {
  it("is the mean of the values where the queries are 0", () => {
    const { k, v } = draw(1, 1, 5);
    expectClose(scaledDotProductAttention(nd([2, 1, 4]), k, v).data, mean(v, { axis: 1 }), 1e-15);
  });

  it("weighs values by exp(q · k / sqrt(D)), or by another scale", () => {
    const [q, k, v] = [nd([1, 4], [2, 0, 0, 0]), nd([2, 4], [Math.log(3), 0, 0, 0, 0, 1, 1, 1]), nd([2, 1], [4, 8])];
    expectClose(scaledDotProductAttention(q, k, v).data, [(3 * 4 + 8) / 4], 1e-14);
    expectClose(scaledDotProductAttention(q, k, v, { scale: 1 }).data, [(9 * 4 + 8) / 10], 1e-14);
  });

  it("does not see the order of keys and values", () => {
    fc.assert(
      fc.property(cases, ({ t, s, seed }) => {
        const { q, k, v } = draw(seed, t, s);
        expectClose(scaledDotProductAttention(q, flip(k, 1), flip(v, 1)).data, scaledDotProductAttention(q, k, v), 1e-12);
      }),
    );
  });

  it("sees, if causal, at each place what attention to the places so far alone sees", () => {
    fc.assert(
      fc.property(cases, fc.nat(16), ({ t, seed }, last) => {
        const { q, k, v } = draw(seed, t, t);
        const place = Math.min(last, t - 1);
        const whole = scaledDotProductAttention(q, k, v, { causal: true });
        const soFar = scaledDotProductAttention(
          slice(q, [[], [place, place + 1]]),
          slice(k, [[], [0, place + 1]]),
          slice(v, [[], [0, place + 1]]),
        );
        expectClose(slice(whole, [[], [place, place + 1]]).data, soFar, 1e-12);
      }),
    );
  });

  it("gives the first value at the first place, if causal", () => {
    const { q, k, v } = draw(5, 6, 6);
    const first = slice(scaledDotProductAttention(q, k, v, { causal: true }), [[], [0, 1]]);
    expectClose(first.data, indexSelect(v, nd([1], [0]), { axis: 1 }), 0);
  });
});
