import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { capture } from "../capture/capture.ts";
import { tensor } from "../create.ts";
import type { Device } from "../device/device.ts";
import { withMutation } from "../device/kernel.ts";
import { openDevice } from "../device/open.ts";
import { CaptureError, DTypeError, ShapeError } from "../errors.ts";
import { createRng, philox4x32, philoxKey, philoxNormals, philoxUniforms } from "../random/philox.ts";
import { runs } from "../testing/mod.ts";
import { bernoulli, Generator, manualSeed, multinomial, rand, randint, randn, randperm, uniform } from "./random.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});

const path = fc.array(fc.oneof(fc.string({ maxLength: 5 }), fc.nat(9)), { maxLength: 2 });
const draws = fc.record({ seed: fc.nat(), path, before: fc.nat(9), count: fc.nat(1000) });

/** The generator of a stream, a few elements on, and the counter of the block where it stands. */
function ahead({ seed, path, before }: { seed: number; path: (string | number)[]; before: number }): {
  generator: Generator;
  offset: number;
} {
  const generator = new Generator(seed, ...path);
  rand([before], { generator });
  return { generator, offset: Math.ceil(before / 4) };
}

type Draws = typeof draws extends fc.Arbitrary<infer T> ? T : never;

async function uniformsAgree({ count, ...stream }: Draws): Promise<void> {
  const { generator, offset } = ahead(stream);
  const actual = await rand([count], { generator }).data();
  expect(actual).toEqual(Float32Array.from(philoxUniforms(philoxKey(stream.seed, ...stream.path), count, { offset })));
  expect(generator.state().position).toBe(4 * (offset + Math.ceil(count / 4)));
}

async function normalsAgree({ count, ...stream }: Draws): Promise<void> {
  const { generator, offset } = ahead(stream);
  const actual = await randn([count], { generator }).data();
  const expected = philoxNormals(philoxKey(stream.seed, ...stream.path), count, { offset });
  // The radius is at most 5.77 and within a few units in the last place, cosine and sine within 2⁻²³ of theirs.
  actual.forEach((v, i) => {
    expect(Math.abs(v - expected[i]!)).toBeLessThanOrEqual(2 ** -21 + 8 * 2 ** -24 * Math.abs(expected[i]!));
  });
}

describe("rand()", () => {
  it("gives the host's numbers to the last bit, wherever the stream stands", async () => {
    await fc.assert(fc.asyncProperty(draws, uniformsAgree), runs(25));
  });

  it("is noticed when a round is missing or a lane is amiss", async () => {
    const example: Draws = { seed: 1, path: [], before: 5, count: 9 };
    await withMutation("random", ["round < 10u", "round < 9u"], () => expect(uniformsAgree(example)).rejects.toThrow());
    await withMutation("random", ["p1.y ^ c.y", "p1.y ^ c.w"], () => expect(uniformsAgree(example)).rejects.toThrow());
  });

  it("goes beyond 2^34 numbers without repeating any", async () => {
    const generator = new Generator(3);
    generator.restore({ ...generator.state(), position: 4 * (2 ** 32 - 1) });
    const actual = await rand([8], { generator }).data();
    const key = philoxKey(3);
    const words = [...philox4x32([2 ** 32 - 1, 0, 0, 0], key), ...philox4x32([0, 1, 0, 0], key)];
    expect([...actual]).toEqual(words.map((w) => (w >>> 8) * 2 ** -24));
    expect(generator.state().position).toBe(4 * (2 ** 32 + 1));
  });

  it("takes any shape, and can be a leaf that wants a gradient", () => {
    expect(rand([2, 3]).shape).toEqual([2, 3]);
    expect(rand([]).shape).toEqual([]);
    expect(rand([2], { requiresGrad: true }).requiresGrad).toBe(true);
  });

  it("fills more than 65,535 workgroups", async () => {
    const size = 65_536 * 256 + 4;
    const actual = await rand([size], { generator: new Generator(1) }).data();
    const last = philoxUniforms(philoxKey(1), 4, { offset: size / 4 - 1 });
    expect([...actual.slice(-4)]).toEqual([...last]);
  });
});

describe("randn()", () => {
  it("gives the host's normal numbers up to rounding", async () => {
    await fc.assert(fc.asyncProperty(draws, normalsAgree), runs(25));
  });

  it("is noticed when its logarithm or its angle is off", async () => {
    const example: Draws = { seed: 1, path: [], before: 0, count: 400 };
    await withMutation("random", ["0.66666662693", "0.66766662693"], () => expect(normalsAgree(example)).rejects.toThrow());
    await withMutation("random", ["vec2f(-s, c)", "vec2f(s, c)"], () => expect(normalsAgree(example)).rejects.toThrow());
  });

  it("has the moments of a standard normal and is never infinite", async () => {
    const n = 1 << 18;
    const values = Array.from(await randn([n], { generator: new Generator(5) }).data());
    const moment = (k: number): number => values.reduce((sum, v) => sum + v ** k, 0) / n;
    // Five standard errors of each moment's mean.
    expect(Math.abs(moment(1))).toBeLessThan(5 / Math.sqrt(n));
    expect(Math.abs(moment(2) - 1)).toBeLessThan(5 * Math.sqrt(2 / n));
    expect(Math.abs(moment(4) - 3)).toBeLessThan(5 * Math.sqrt(96 / n));
    expect(values.every(Number.isFinite)).toBe(true);
  });
});

describe("uniform(), randint() and bernoulli()", () => {
  it("stay within their range, ends included or not as documented", async () => {
    const generator = new Generator(9);
    const inside = await uniform([5000], { low: -2, high: 3, generator }).data();
    expect(Math.min(...inside)).toBeGreaterThanOrEqual(-2);
    expect(Math.max(...inside)).toBeLessThan(3);
    // So narrow that most sums round to either end.
    const [low, high] = [1, 1 + 2 ** -23];
    expect(new Set(await uniform([100], { low, high, generator }).data())).toEqual(new Set([low]));
    const integers = await randint([5000], { low: -2, high: 5, generator }).data();
    expect(new Set(integers)).toEqual(new Set([-2, -1, 0, 1, 2, 3, 4]));
    expect((await randint([3], { high: 1, generator }).data()).every((v) => v === 0)).toBe(true);
    expect(randint([1], { high: 2 ** 32 - 1, dtype: "u32" }).dtype).toBe("u32");
  });

  it("give integers the host can tell: the upper half of word times count", async () => {
    const words = philox4x32([0, 0, 0, 0], philoxKey(4, "dice"));
    const dice = await randint([4], { low: 1, high: 7, generator: new Generator(4, "dice") }).data();
    expect([...dice]).toEqual([...words].map((w) => 1 + Number((BigInt(w) * 6n) >> 32n)));
  });

  it("hit each integer and each truth value as often as they should", async () => {
    const n = 70_000;
    const counts = new Array<number>(7).fill(0);
    for (const v of await randint([n], { high: 7, generator: new Generator(2) }).data()) counts[v]!++;
    const chiSquared = counts.reduce((sum, c) => sum + (c - n / 7) ** 2 / (n / 7), 0);
    expect(chiSquared).toBeLessThan(22.5); // 6 degrees of freedom: exceeded once in 1000 seeds
    const truths = Array.from(await bernoulli([n], { probability: 0.3, generator: new Generator(2) }).data());
    const hits = truths.reduce((a, b) => a + b, 0);
    expect(Math.abs(hits - 0.3 * n)).toBeLessThan(5 * Math.sqrt(n * 0.21));
  });

  it("know certainty and impossibility", async () => {
    expect(new Set(await bernoulli([1000], { probability: 1 }).data())).toEqual(new Set([1]));
    expect(new Set(await bernoulli([1000], { probability: 0 }).data())).toEqual(new Set([0]));
  });

  it("refuse empty ranges and broken probabilities", () => {
    expect(() => uniform([1], { low: 1, high: 0 })).toThrow("Expected low ≤ high but found 1 and 0");
    expect(() => randint([1], { low: 3, high: 3 })).toThrow(RangeError);
    expect(() => randint([1], { high: 0.5 })).toThrow(RangeError);
    expect(() => bernoulli([1], { probability: 1.5 })).toThrow(RangeError);
  });
});

describe("multinomial()", () => {
  /** The first place where the running sum, in float64, exceeds the row's uniform number times the sum; and how near that was a tie. */
  function chosen(row: ArrayLike<number>, u: number): { place: number; margin: number } {
    const total = Array.from(row).reduce((a, b) => a + b, 0);
    let sum = 0;
    let margin = Infinity;
    let place = -1;
    for (let i = 0; i < row.length; i++) {
      sum += row[i]!;
      margin = Math.min(margin, Math.abs(sum - u * total) / total);
      if (place < 0 && sum > u * total) place = i;
    }
    return { place, margin };
  }

  interface Table {
    readonly rows: number;
    readonly columns: number;
    readonly seed: number;
  }

  async function agrees({ rows, columns, seed }: Table): Promise<void> {
    const rng = createRng(seed, "probabilities");
    const p = Float32Array.from({ length: rows * columns }, () => (rng.uniform() < 0.3 ? 0 : rng.uniform()));
    for (let r = 0; r < rows; r++) p[r * columns + rng.integer(columns)] = 0.5;
    const generator = new Generator(seed);
    const places = await multinomial(tensor(p, { shape: [rows, columns] }), { generator }).data();
    const us = philoxUniforms(philoxKey(seed), rows);
    for (let r = 0; r < rows; r++) {
      const row = p.subarray(r * columns, (r + 1) * columns);
      const { place, margin } = chosen(row, us[r]!);
      expect(row[places[r]!]).toBeGreaterThan(0);
      if (margin > columns * 2 ** -22) expect(places[r]).toBe(place);
    }
  }

  it("takes the place where the running sum passes the row's uniform number", async () => {
    const tables = fc.record({
      rows: fc.integer({ min: 1, max: 40 }),
      columns: fc.constantFrom(1, 2, 7, 63, 64, 65, 128, 200, 481),
      seed: fc.nat(),
    });
    await fc.assert(fc.asyncProperty(tables, agrees), runs(20));
  });

  it("is noticed when it looks in the wrong place", async () => {
    await withMutation("random", ["chosen = c", "chosen = c + 1u"], () =>
      expect(agrees({ rows: 9, columns: 65, seed: 1 })).rejects.toThrow(),
    );
    await withMutation("random", ["row % 4u", "(row + 1u) % 4u"], () =>
      expect(agrees({ rows: 9, columns: 65, seed: 1 })).rejects.toThrow(),
    );
  });

  it("never draws what is impossible, whatever the scale", async () => {
    const rows = 4000;
    const p = tensor(Float32Array.of(0, 1e-30, 0, 3e-30, 0), { shape: [1, 5] }).expand([rows, 5]);
    const counts = [0, 0, 0, 0, 0];
    for (const place of await multinomial(p, { generator: new Generator(8) }).data()) counts[place]!++;
    expect([counts[0], counts[2], counts[4]]).toEqual([0, 0, 0]);
    expect(Math.abs(counts[1]! - rows / 4)).toBeLessThan(5 * Math.sqrt((rows * 3) / 16));
  });

  it("keeps the leading axes, gives V - 1 for rows without anything, and takes more than 65,535 rows", async () => {
    expect(multinomial(tensor([[[1, 1]], [[1, 1]]])).shape).toEqual([2, 1]);
    expect(multinomial(tensor([0.5, 0.5])).shape).toEqual([]);
    expect(await multinomial(tensor([0, 0, 0])).item()).toBe(2);
    const many = await multinomial(tensor(new Float32Array(2 * 65_540).fill(1), { shape: [65_540, 2] }), {
      generator: new Generator(6),
    }).data();
    const us = philoxUniforms(philoxKey(6), 65_540);
    expect(many.findIndex((v, i) => v !== (us[i]! < 0.5 ? 0 : 1))).toBe(-1);
  });

  it("refuses other dtypes and nothing to choose from", () => {
    expect(() => multinomial(tensor(Int32Array.of(1)))).toThrow(DTypeError);
    expect(() => multinomial(tensor([], { shape: [2, 0] }))).toThrow(ShapeError);
    expect(() => multinomial(tensor(1))).toThrow("multinomial: expected shape [..., V] with V ≥ 1 but found []");
  });
});

describe("randperm()", () => {
  it("holds every integer once and depends on the generator alone", async () => {
    const first = await randperm(100, { generator: new Generator(1, "order") }).data();
    expect([...first].toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(await randperm(100, { generator: new Generator(1, "order") }).data()).toEqual(first);
    expect(await randperm(100, { generator: new Generator(2, "order") }).data()).not.toEqual(first);
  });

  it("moves the stream on", async () => {
    const generator = new Generator(1);
    const first = await randperm(20, { generator }).data();
    expect(await randperm(20, { generator }).data()).not.toEqual(first);
  });
});

describe("Generator", () => {
  it("goes on from a saved state as if nothing had happened", async () => {
    const generator = new Generator(12, "a", 3);
    await randn([7], { generator }).data();
    const saved = JSON.parse(JSON.stringify(generator.state()));
    const expected = await randn([9], { generator }).data();
    const other = new Generator(0);
    other.restore(saved);
    expect(await randn([9], { generator: other }).data()).toEqual(expected);
  });

  it("takes a host generator's state, from the next whole block", () => {
    const rng = createRng(5, "x");
    rng.nextUint32();
    const generator = new Generator(0);
    generator.restore(rng.state());
    expect(generator.state()).toEqual({ key: rng.state().key, position: 4 });
    expect(() => generator.restore({ key: [1, -1], position: 0 })).toThrow(RangeError);
  });

  it("is what manualSeed() starts anew for everybody who passes none", async () => {
    manualSeed(77);
    const first = await rand([5]).data();
    const second = await rand([5]).data();
    manualSeed(77);
    expect(await rand([5]).data()).toEqual(first);
    expect(second).not.toEqual(first);
    expect(first).toEqual(Float32Array.from(philoxUniforms(philoxKey(77), 5)));
  });

  it("gives every replay of a captured step the numbers that an eager run would draw", async () => {
    const step = (generator: Generator) => () => {
      const noise = randn([6], { generator });
      const place = multinomial(rand([3, 5], { generator }), { generator });
      return { noise, place, kept: bernoulli([9], { probability: 0.5, generator }) };
    };
    const [eager, captured] = [new Generator(21), new Generator(21)];
    const run = capture(step(captured), { device });
    const seen: number[][] = [];
    for (let i = 0; i < 4; i++) {
      const expected = step(eager)();
      const actual = await run();
      for (const name of ["noise", "place", "kept"] as const) expect(await actual[name].data()).toEqual(await expected[name].data());
      seen.push([...(await actual.noise.data())]);
      expect(captured.state()).toEqual(eager.state());
    }
    expect(new Set(seen.map(String)).size).toBe(4);
    captured.restore(new Generator(21).state());
    expect([...(await (await run()).noise.data())]).toEqual(seen[0]);
    run.destroy();
  });

  it("refuses a host's draw inside a captured step", async () => {
    const run = capture(() => randperm(5), { device });
    await expect(run()).rejects.toThrow(CaptureError);
  });
});
