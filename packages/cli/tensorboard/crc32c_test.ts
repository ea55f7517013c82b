import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { crc32c, maskedCrc32c } from "./crc32c.ts";
import { crcByBits } from "./testing/read_events.ts";

describe("crc32c()", () => {
  it("gives the checksums of RFC 3720, appendix B.4", () => {
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
    expect(crc32c(new TextEncoder().encode("123456789"))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(0))).toBe(0);
  });

  it("agrees with division bit by bit", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        expect(crc32c(bytes)).toBe(crcByBits(bytes));
      }),
    );
  });
});

describe("maskedCrc32c()", () => {
  it("can be unmasked as TensorFlow does", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const rotated = (maskedCrc32c(bytes) - 0xa282ead8) >>> 0;
        expect(((rotated >>> 17) | (rotated << 15)) >>> 0).toBe(crc32c(bytes));
      }),
    );
  });
});
