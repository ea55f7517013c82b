import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seed, seededValues } from "../arbitrary.ts";
import { directionalDerivative } from "../directional_derivative.ts";
import { expectClose } from "../expect_close.ts";
import { map, type Nd, nd, scalar } from "../nd.ts";
import * as oracle from "./elementwise.ts";

const row = (...values: number[]) => nd([values.length], values);
const values = ({ data }: Nd) => Array.from(data);

describe("the unary oracles", () => {
  it("give the known values of erf (Abramowitz and Stegun, table 7.1)", () => {
    const x = row(0, 1e-10, 0.5, 1, 2, 3, -1, 7, Number.NaN);
    const y = [0, 1.1283791670955126e-10, 0.5204998778130465, 0.8427007929497149, 0.9953222650189527, 0.9999779095030014];
    const found = values(oracle.erf(x));
    for (const [i, want] of y.entries()) expect(Math.abs(found[i]! - want)).toBeLessThanOrEqual(4e-16 * want);
    expect(found.slice(6)).toEqual([-found[3]!, 1, Number.NaN]);
  });

  it("give erf the derivative 2 / sqrt(π) exp(−x²)", () => {
    const x = nd(
      [121],
      Array.from({ length: 121 }, (_, i) => (i - 60) / 10.07),
    );
    const slope = map(x, (v) => (2 / Math.sqrt(Math.PI)) * Math.exp(-v * v));
    expectClose(directionalDerivative(oracle.erf, [x], [map(x, () => 1)]).data, slope, 1e-9);
  });

  it("round halves to the even neighbour", () => {
    const x = row(-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.4999, -3.7, 7);
    expect(values(map(oracle.round(x), (v) => v + 0))).toEqual([-2, -2, 0, 0, 2, 2, 2, -4, 7]);
  });

  it("give values worked out by hand", () => {
    expect(values(oracle.gelu(row(1, -1)))).toEqual([0.8413447460685429, -0.15865525393145707].map((v) => expect.closeTo(v, 14)));
    expect(values(oracle.gelu(row(1, -1), { approximate: "tanh" }))).toEqual(
      [0.8411919906082768, -0.15880800939172324].map((v) => expect.closeTo(v, 14)),
    );
    expect(values(oracle.relu(row(-2, 0, 3, Number.NaN)))).toEqual([0, 0, 3, Number.NaN]);
    expect(values(oracle.sign(row(-3, 0, 2)))).toEqual([-1, 0, 1]);
    expect(values(oracle.rsqrt(row(4, 0.25)))).toEqual([0.5, 2]);
    expect(values(oracle.softplus(row(0, 1000, -1000)))).toEqual([Math.LN2, 1000, 0]);
    expect(values(oracle.clamp(row(-2, 0.5, 9, Number.NaN), { min: -1, max: 1 }))).toEqual([-1, 0.5, 1, Number.NaN]);
    expect(values(oracle.clamp(row(-2, 9), { min: 3, max: 1 }))).toEqual([1, 1]);
  });

  it("obey the identities between them", () => {
    fc.assert(
      fc.property(seed(), (seed) => {
        const x = map(seededValues(seed, [64]), (v) => 3 * v);
        const minus = oracle.neg(x);
        for (const f of [oracle.softplus, oracle.silu, oracle.gelu]) expectClose(oracle.sub(f(x), f(minus)).data, x, 1e-14); // x Φ(x), Φ(x) + Φ(−x) = 1
        expectClose(
          oracle.tanh(x).data,
          map(oracle.sigmoid(map(x, (v) => 2 * v)), (s) => 2 * s - 1),
          1e-15,
        );
        expectClose(oracle.log(oracle.exp(x)).data, x, 1e-14);
        expectClose(
          oracle.mul(oracle.rsqrt(oracle.square(x)), oracle.abs(x)).data,
          map(x, () => 1),
          1e-15,
        );
        expectClose(
          oracle.add(oracle.square(oracle.sin(x)), oracle.square(oracle.cos(x))).data,
          map(x, () => 1),
          1e-15,
        );
        expectClose(oracle.gelu(x).data, oracle.gelu(x, { approximate: "tanh" }), 5e-4); // how close the approximation is
        expectClose(oracle.floor(x).data, oracle.neg(oracle.ceil(minus)), 0);
      }),
      { numRuns: 20 },
    );
  });
});

describe("the binary oracles", () => {
  it("broadcast", () => {
    const column = nd([2, 1], [10, 20]);
    expect(oracle.add(column, row(1, 2, 3))).toEqual(nd([2, 3], [11, 12, 13, 21, 22, 23]));
    expect(oracle.sub(scalar(1), row(1, 2))).toEqual(row(0, -1));
    expect(oracle.div(row(1, 2), nd([1, 1], [4]))).toEqual(nd([1, 2], [0.25, 0.5]));
    expect(oracle.pow(row(2, -2), row(3, 2))).toEqual(row(8, 4));
  });

  it("let NaN win in maximum and minimum and lose every comparison but ne", () => {
    const [a, b] = [row(1, 5, Number.NaN), row(3, 2, 1)];
    expect(values(oracle.maximum(a, b))).toEqual([3, 5, Number.NaN]);
    expect(values(oracle.minimum(a, b))).toEqual([1, 2, Number.NaN]);
    const compared = [oracle.eq, oracle.ne, oracle.lt, oracle.le, oracle.gt, oracle.ge].map((f) =>
      values(f(row(1, 2, 3, Number.NaN), row(2, 2, 2, 2))).join(""),
    );
    expect(compared).toEqual(["0100", "1011", "1000", "1100", "0010", "0110"]);
  });
});

describe("where() and maskedFill()", () => {
  it("choose by condition, broadcast", () => {
    expect(oracle.where(nd([2, 1], [1, 0]), row(1, 2), scalar(9))).toEqual(nd([2, 2], [1, 2, 9, 9]));
    expect(oracle.maskedFill(nd([2, 2], [1, 2, 3, 4]), row(0, 1), -7)).toEqual(nd([2, 2], [1, -7, 3, -7]));
  });
});
