import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createRng, type PhiloxCounter, type PhiloxKey, philox4x32, philoxKey, philoxNormals, philoxUniforms } from "./philox.ts";

const uint32 = fc.nat(2 ** 32 - 1);
const seed = fc.maxSafeInteger();

/** The paper's round function in BigInt, where no product can overflow. */
function philoxByBigInt(counter: PhiloxCounter, key: PhiloxKey): number[] {
  const mask = 0xffffffffn;
  let [a, b, c, d] = counter.map(BigInt) as [bigint, bigint, bigint, bigint];
  let [k0, k1] = key.map(BigInt) as [bigint, bigint];
  for (let round = 0; round < 10; round++) {
    const product0 = a * 0xd2511f53n;
    const product1 = c * 0xcd9e8d57n;
    [a, b, c, d] = [(product1 >> 32n) ^ b ^ k0, product1 & mask, (product0 >> 32n) ^ d ^ k1, product0 & mask];
    [k0, k1] = [(k0 + 0x9e3779b9n) & mask, (k1 + 0xbb67ae85n) & mask];
  }
  return [a, b, c, d].map(Number);
}

/** Mean and variance of a sample. */
function moments(sample: ArrayLike<number>): { mean: number; variance: number } {
  const values = Array.from(sample);
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  return { mean, variance: values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length };
}

describe("philox4x32()", () => {
  it("gives the known answers of Random123", () => {
    const ones = 0xffffffff;
    expect([...philox4x32([0, 0, 0, 0], [0, 0])]).toEqual([0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
    expect([...philox4x32([ones, ones, ones, ones], [ones, ones])]).toEqual([0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
    expect([...philox4x32([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0])]).toEqual([
      0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1,
    ]);
  });

  it("agrees with exact integers on every counter and key", () => {
    fc.assert(
      fc.property(fc.tuple(uint32, uint32, uint32, uint32), fc.tuple(uint32, uint32), (counter, key) => {
        expect([...philox4x32(counter, key)]).toEqual(philoxByBigInt(counter, key));
      }),
    );
  });
});

describe("philoxKey()", () => {
  it("tells apart paths that read alike", () => {
    const paths: [number, ...(string | number)[]][] = [
      [1],
      [1, ""],
      [1, "a", "b"],
      [1, "a,b"],
      [1, "ab"],
      [1, 2],
      [1, "2"],
      [12],
      [-1],
      [0.5],
    ];
    expect(new Set(paths.map((path) => philoxKey(...path).join())).size).toBe(paths.length);
  });

  it("gives neighbouring seeds and streams keys that differ in about half their bits", () => {
    let flipped = 0;
    for (let i = 0; i < 1000; i++) {
      const [a, b] = [philoxKey(7, "stream", i), philoxKey(7, "stream", i + 1)];
      for (const word of [a[0] ^ b[0], a[1] ^ b[1]]) flipped += (word >>> 0).toString(2).replaceAll("0", "").length;
    }
    expect(flipped / 1000).toBeGreaterThan(31); // 32 expected, standard error 0.13
    expect(flipped / 1000).toBeLessThan(33);
  });

  it("refuses numbers that are not finite", () => {
    expect(() => philoxKey(Number.NaN)).toThrow("Expected a finite seed and stream but found NaN");
    expect(() => createRng(1, Number.POSITIVE_INFINITY)).toThrow("Expected a finite seed and stream but found Infinity");
  });
});

describe("philoxUniforms() and philoxNormals()", () => {
  it("compute an element from its index alone", () => {
    fc.assert(
      fc.property(seed, fc.integer({ min: 1, max: 40 }), fc.nat(5), (seed, count, blocks) => {
        const key = philoxKey(seed);
        for (const draw of [philoxUniforms, philoxNormals]) {
          expect(draw(key, count, { offset: blocks })).toEqual(draw(key, 4 * blocks + count).slice(4 * blocks));
        }
      }),
    );
  });

  it("wrap the counter at 32 bits, as u32 arithmetic does", () => {
    const key = philoxKey(3);
    expect(philoxUniforms(key, 8, { offset: 2 ** 32 - 1 }).slice(4)).toEqual(philoxUniforms(key, 4));
  });

  it("give uniforms that f32 holds exactly and that fill [0, 1)", () => {
    const values = philoxUniforms(philoxKey(11), 100_000);
    for (const value of values) if (Math.fround(value) !== value || value < 0 || value >= 1) expect.fail(`${value}`);
    const { mean, variance } = moments(values);
    expect(Math.abs(mean - 1 / 2)).toBeLessThan(0.005); // five standard errors
    expect(Math.abs(variance - 1 / 12)).toBeLessThan(0.002);
  });

  it("give normals of mean 0, variance 1 and the right tails, uncorrelated within a pair", () => {
    const values = philoxNormals(philoxKey(12), 100_000);
    const { mean, variance } = moments(values);
    expect(Math.abs(mean)).toBeLessThan(0.016);
    expect(Math.abs(variance - 1)).toBeLessThan(0.023);
    const beyond = values.filter((x) => Math.abs(x) > 1.959964).length / values.length;
    expect(Math.abs(beyond - 0.05)).toBeLessThan(0.0035);
    const products = Array.from({ length: values.length / 2 }, (_, i) => values[2 * i]! * values[2 * i + 1]!);
    expect(Math.abs(moments(products).mean)).toBeLessThan(0.023);
  });
});

describe("createRng()", () => {
  it("draws the elements of its stream in order", () => {
    fc.assert(
      fc.property(seed, fc.string(), (seed, name) => {
        const rng = createRng(seed, name);
        expect(Float64Array.from({ length: 9 }, () => rng.uniform())).toEqual(philoxUniforms(philoxKey(seed, name), 9));
      }),
    );
  });

  it("goes on from a restored state as if never interrupted, also through JSON", () => {
    fc.assert(
      fc.property(seed, fc.nat(20), fc.nat(2 ** 40), (seed, before, jump) => {
        const rng = createRng(seed, "a");
        rng.restore({ ...rng.state(), position: jump });
        for (let i = 0; i < before; i++) rng.nextUint32();
        const other = createRng(0, "something else");
        other.restore(JSON.parse(JSON.stringify(rng.state())));
        const draw = (from: typeof rng) => [from.normal(), from.uniform(-1, 1), from.integer(7), ...from.permutation(5), from.nextUint32()];
        expect(draw(other)).toEqual(draw(rng));
      }),
    );
  });

  it("does not repeat where the counter's first word wraps", () => {
    const rng = createRng(1);
    const start = rng.nextUint32();
    rng.restore({ ...rng.state(), position: 4 * 2 ** 32 });
    expect(rng.nextUint32()).not.toBe(start);
  });

  it("refuses a state that is none", () => {
    const rng = createRng(1);
    expect(() => rng.restore({ key: [1, -1], position: 0 })).toThrow("Expected a key of two 32-bit words but found [1,-1]");
    expect(() => rng.restore({ key: [1, 1], position: 0.5 })).toThrow("Expected a position that is a whole number but found 0.5");
  });

  it("keeps uniform(low, high) below high even where the sum rounds up", () => {
    const rng = createRng(5);
    const high = 1 + Number.EPSILON;
    for (let i = 0; i < 100; i++) expect(rng.uniform(1, high)).toBe(1);
  });

  it("makes every integer below n equally likely", () => {
    const rng = createRng(9, "integers");
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < 100_000; i++) counts[rng.integer(10)]!++;
    const chiSquare = counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0);
    expect(chiSquare).toBeLessThan(27.9); // 9 degrees of freedom: one sample in a thousand lies beyond
    // 3 · 2³⁰ keeps three words in four; a modulo without rejection would give the lowest quarter twice its share
    const low = Array.from({ length: 10_000 }, () => rng.integer(3 * 2 ** 30)).filter((x) => x < 2 ** 30).length;
    expect(Math.abs(low / 10_000 - 1 / 3)).toBeLessThan(0.024);
  });

  it("takes every whole n up to 2^32 and no other", () => {
    const rng = createRng(2);
    expect(rng.integer(1)).toBe(0);
    expect(createRng(4).integer(2 ** 32)).toBe(createRng(4).nextUint32());
    for (const n of [0, -1, 1.5, 2 ** 32 + 1, Number.NaN]) {
      expect(() => rng.integer(n)).toThrow(`Expected an integer from 1 to 2^32 but found ${n}`);
    }
  });

  it("gives permutations, each order equally likely", () => {
    const rng = createRng(21);
    expect(Array.from(rng.permutation(1000)).sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    const counts = new Map<string, number>();
    for (let i = 0; i < 24_000; i++) {
      const order = rng.permutation(4).join("");
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    expect(chiSquare).toBeLessThan(49.7); // 23 degrees of freedom: one sample in a thousand lies beyond
  });
});
