import { describe, expect, it } from "vitest";
import { decodeFloat16, widenBfloat16 } from "./half_precision.ts";

describe("decodeFloat16()", () => {
  it("decodes the landmarks of the format", () => {
    const landmarks: [bits: number, value: number][] = [
      [0x0000, 0],
      [0x8000, -0],
      [0x0001, 2 ** -24], // least subnormal
      [0x03ff, 2 ** -14 - 2 ** -24], // greatest subnormal
      [0x0400, 2 ** -14], // least normal
      [0x3555, 0.333251953125],
      [0x3c00, 1],
      [0x3c01, 1 + 2 ** -10],
      [0xc000, -2],
      [0x7bff, 65504], // greatest finite
      [0x7c00, Number.POSITIVE_INFINITY],
      [0xfc00, Number.NEGATIVE_INFINITY],
      [0x7e00, Number.NaN],
      [0xfc01, Number.NaN],
    ];
    for (const [bits, value] of landmarks) expect(decodeFloat16(bits)).toBe(value);
  });

  it("rises with the bits over all positive numbers, each step the spacing of its binade", () => {
    for (let bits = 0; bits < 0x7bff; bits++) {
      const spacing = 2 ** (Math.max(1, bits >> 10) - 25);
      if (decodeFloat16(bits + 1) - decodeFloat16(bits) !== spacing) expect.fail(`after ${bits}`);
    }
  });
});

describe("widenBfloat16()", () => {
  it("gives the f32 whose upper half the bits are", () => {
    const decode = (bits: number) => new Float32Array(Uint32Array.of(widenBfloat16(bits)).buffer)[0];
    expect([0x3f80, 0xbf80, 0x4049, 0xff80].map(decode)).toEqual([1, -1, 3.140625, Number.NEGATIVE_INFINITY]);
    expect(decode(0x7fc0)).toBeNaN();
  });
});
