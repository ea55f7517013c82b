import { describe, expect, it } from "vitest";
import { expectClose } from "./expect_close.ts";
import { nd } from "./nd.ts";

describe("expectClose()", () => {
  it("accepts errors up to the bound, of one number or of each element", () => {
    expectClose([1, 2.5], [1.5, 2], 0.5);
    expectClose([1, 2.5], nd([2], [1, 2]), [0, 0.5]);
    expectClose([-0], [0], 0);
    expectClose([], [], 0);
  });

  it("reports how many are outside and the worst of them", () => {
    expect(() => expectClose([0, 1, 3, 4.25], nd([2, 2], [0, 1, 2, 4]), nd([2, 2], [0, 0, 0.5, 0.0625]))).toThrow(
      "Expected 4 elements within their bounds but found 2 outside; the worst at [1,1]: expected 4, actual 4.25, error 0.25, bound 0.0625",
    );
    expect(() => expectClose([1, 5], [1, 2], 1)).toThrow("the worst at 1: expected 2, actual 5, error 3, bound 1");
  });

  it("lets NaN meet NaN only", () => {
    expectClose([Number.NaN], [Number.NaN], 0);
    expect(() => expectClose([Number.NaN, 1], [1, 9], 1)).toThrow("2 outside; the worst at 0: expected 1, actual NaN");
    expect(() => expectClose([1, 9, Number.NaN], [1, 1, 1], 1)).toThrow("2 outside; the worst at 2: expected 1, actual NaN");
    expect(() => expectClose([1], [Number.NaN], Number.POSITIVE_INFINITY)).toThrow("expected NaN, actual 1");
  });

  it("lets infinity meet infinity of the same sign and what f32 cannot hold", () => {
    const { MAX_VALUE, POSITIVE_INFINITY: inf } = Number;
    expectClose([inf, -inf, inf, -inf], [inf, -inf, 1e39, -MAX_VALUE], 0);
    expectClose([inf], [3.4e38], 1e37);
    for (const [actual, expected] of [
      [inf, -inf],
      [inf, 3.4e38],
      [-inf, 1e39],
      [3.4e38, inf],
    ] as const) {
      expect(() => expectClose([actual], [expected], 1e30)).toThrow("1 outside");
    }
  });

  it("refuses to compare other lengths or without a bound", () => {
    expect(() => expectClose([1], [1, 2], 0)).toThrow("Expected 2 elements but found 1");
    expect(() => expectClose([1, 2], [1, 2], [0])).toThrow("Expected 2 bounds but found 1");
    expect(() => expectClose([1], [1], Number.NaN)).toThrow("Expected a bound but found NaN");
  });
});
