import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { counted, degrees, directionName, percent, signed, spelled } from "./format.ts";

describe("spelled", () => {
  it("reads back as the number, to two digits at least, with a sign where asked for", () => {
    fc.assert(
      fc.property(fc.integer({ min: -9999, max: 9999 }), fc.integer({ min: -12, max: 6 }), (mantissa, exponent) => {
        const value = mantissa * 10 ** exponent;
        for (const text of [spelled(value), signed(value)])
          expect(Math.abs(Number(text.replace("−", "-")) - value)).toBeLessThanOrEqual(0.051 * Math.abs(value));
        expect(signed(value).startsWith("+")).toBe(value > 0);
      }),
    );
    expect([0.000063, -0.0312, 1234.5, 2e-7].map(spelled)).toEqual(["0.000063", "−0.0312", "1230", "2.0e-7"]);
  });
});

describe("percent", () => {
  it("has no share that is not 0 as 0", () => {
    expect([0, 1, 0.0345, 0.9999, 1e-9].map(percent)).toEqual(["0%", "100%", "3.5%", "100%", "<0.0001%"]);
  });
});

describe("directions", () => {
  it("are named as the pen moves, y down, and given from 0 to 359 degrees", () => {
    expect([0, Math.PI / 2, -Math.PI / 2, Math.PI, (142 * Math.PI) / 180].map(directionName)).toEqual([
      "right",
      "down",
      "up",
      "left",
      "down left",
    ]);
    expect([-Math.PI, -0.001, 2 * Math.PI].map(degrees)).toEqual([180, 0, 0]);
  });
});

describe("counted", () => {
  it("parts thousands and nothing else", () => {
    expect([7, 1234, 1234567].map(counted)).toEqual(["7", "1\u2009234", "1\u2009234\u2009567"]);
  });
});
