import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runs } from "../testing/mod.ts";
import { decodeFloat16, encodeFloat16, widenBfloat16 } from "./half_precision.ts";

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

describe("encodeFloat16()", () => {
  it("gives every half its own bits back, of either sign", () => {
    for (let bits = 0; bits <= 0x7c00; bits++) {
      if (encodeFloat16(decodeFloat16(bits)) !== bits) expect.fail(`${bits} gives ${encodeFloat16(decodeFloat16(bits))}`);
      if (encodeFloat16(-decodeFloat16(bits)) !== (bits | 0x8000)) expect.fail(`-${bits}`);
    }
    expect(encodeFloat16(Number.NaN)).toBe(0x7e00);
  });

  it("takes the nearer of two halves, and between them the even one", () => {
    const between = fc.record({ bits: fc.integer({ min: 0, max: 0x7bfe }), share: fc.double({ min: 0, max: 1, noNaN: true }) });
    fc.assert(
      fc.property(between, ({ bits, share }) => {
        const [low, high] = [decodeFloat16(bits), decodeFloat16(bits + 1)];
        const value = low + share * (high - low);
        const [down, up] = [value - low, high - value];
        const wanted = down < up || (down === up && bits % 2 === 0) ? bits : bits + 1;
        expect(encodeFloat16(value)).toBe(wanted);
        expect(encodeFloat16((low + high) / 2)).toBe(bits + (bits % 2));
      }),
      runs(2000),
    );
  });

  it("has no number from 65,520 on", () => {
    expect([65_519.999, 65_520, 1e300, Number.POSITIVE_INFINITY].map(encodeFloat16)).toEqual([0x7bff, 0x7c00, 0x7c00, 0x7c00]);
  });
});

describe("widenBfloat16()", () => {
  it("gives the f32 whose upper half the bits are", () => {
    const decode = (bits: number) => new Float32Array(Uint32Array.of(widenBfloat16(bits)).buffer)[0];
    expect([0x3f80, 0xbf80, 0x4049, 0xff80].map(decode)).toEqual([1, -1, 3.140625, Number.NEGATIVE_INFINITY]);
    expect(decode(0x7fc0)).toBeNaN();
  });
});
