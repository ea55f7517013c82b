import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createRng } from "./philox.ts";
import { portableAtan2, portableCos, portableExp, portableLog, portableSin } from "./portable_math.ts";

/** The distance of two numbers in units of the second one's last place. */
function ulps(found: number, wanted: number): number {
  if (Object.is(found, wanted)) return 0;
  return Math.abs(found - wanted) / 2 ** Math.max(-1074, Math.floor(Math.log2(Math.abs(wanted))) - 52);
}

/** Two places of our own and one of the engine's. */
const tolerance = 3;

const seeds = fc.nat();

/** The largest distance over 500 arguments that a seed draws. */
function worst(seed: number, compare: (uniform: (low: number, high: number) => number) => number): number {
  const rng = createRng(seed);
  return Math.max(...Array.from({ length: 500 }, () => compare((low, high) => rng.uniform(low, high))));
}

describe("the portable functions", () => {
  it("agree with the engine's own to its last places", () => {
    fc.assert(
      fc.property(seeds, fc.constantFrom(1e-6, 0.1, 10, 1000, 2 ** 20), (seed, size) => {
        const angle = (uniform: (low: number, high: number) => number): number => uniform(-size, size);
        expect(worst(seed, (u) => ulpsAt(angle(u), [portableSin, Math.sin]))).toBeLessThanOrEqual(tolerance);
        expect(worst(seed, (u) => ulpsAt(angle(u), [portableCos, Math.cos]))).toBeLessThanOrEqual(tolerance);
        expect(worst(seed, (u) => ulpsAt(u(-size, size) % 700, [portableExp, Math.exp]))).toBeLessThanOrEqual(tolerance);
        expect(worst(seed, (u) => ulpsAt(u(0, size), [portableLog, Math.log]))).toBeLessThanOrEqual(tolerance);
        expect(
          worst(seed, (u) => {
            const [y, x] = [u(-size, size), u(-1, 1)];
            return ulps(portableAtan2(y, x), Math.atan2(y, x));
          }),
        ).toBeLessThanOrEqual(tolerance);
      }),
    );
  });

  it("are exact where the value is", () => {
    expect([portableSin(0), portableCos(0), portableExp(0), portableLog(1)]).toEqual([0, 1, 1, 0]);
    expect([portableAtan2(1, 1), portableAtan2(2, 0), portableAtan2(0, -1)]).toEqual([Math.PI / 4, Math.PI / 2, Math.PI]);
  });

  it("tell the quadrant by signed zeros as Math.atan2 does", () => {
    for (const y of [0, -0, 1, -1]) for (const x of [0, -0, 1, -1]) expect(portableAtan2(y, x)).toBe(Math.atan2(y, x));
  });

  it("go over at the ends of float64's range", () => {
    expect([portableExp(709.8), portableExp(-746), portableExp(Number.NEGATIVE_INFINITY)]).toEqual([Number.POSITIVE_INFINITY, 0, 0]);
    expect(ulps(portableExp(709.7), Math.exp(709.7))).toBeLessThanOrEqual(tolerance);
    expect(ulps(portableLog(5e-324), Math.log(5e-324))).toBeLessThanOrEqual(tolerance);
    expect([portableLog(0), portableLog(-1), portableLog(Number.POSITIVE_INFINITY)]).toEqual([
      Number.NEGATIVE_INFINITY,
      Number.NaN,
      Number.POSITIVE_INFINITY,
    ]);
    for (const f of [portableExp, portableLog, (x: number) => portableAtan2(x, 1)]) expect(f(Number.NaN)).toBeNaN();
    for (const f of [portableSin, portableCos]) expect(() => f(2 ** 21)).toThrow("Expected an angle within ±2^20 but found 2097152");
  });

  it("have the very bits that every runtime must have", () => {
    const bits = new DataView(new ArrayBuffer(8));
    const hex = (value: number): string => {
      bits.setFloat64(0, value);
      return bits.getBigUint64(0).toString(16);
    };
    const x = 0.7390851332151607;
    expect([portableSin, portableCos, portableExp, portableLog, (y: number) => portableAtan2(y, 2)].map((f) => hex(f(x)))).toEqual([
      "3fe58e3ad0711764",
      "3fe7a695dd83ce2e",
      "4000c08cf9bf4e6f",
      "bfd35992f2c2b681",
      "3fd6a79146d7124d",
    ]);
  });
});

function ulpsAt(x: number, [found, wanted]: readonly [(x: number) => number, (x: number) => number]): number {
  return ulps(found(x), wanted(x));
}
