import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { capture } from "../../capture/capture.ts";
import { ones, tensor, zeros } from "../../create.ts";
import type { Device, KernelFamily } from "../../device/device.ts";
import { withMutation } from "../../device/kernel.ts";
import { openDevice } from "../../device/open.ts";
import type { Tensor } from "../../tensor.ts";
import {
  attentionBound,
  dimension,
  dotBound,
  elementBound,
  expectClose,
  layerNormBound,
  map,
  type Nd,
  oracle,
  roundingBound,
  runs,
  seed,
  seededIndices,
  seededValues,
  zip,
} from "../../testing/mod.ts";
import { KeyValueCache } from "../attention/key_value_cache.ts";
import { RowProgram, type RowVector } from "./row_program.ts";

let device: Device;
let adapterFamily: KernelFamily;
beforeAll(async () => {
  device = await openDevice();
  adapterFamily = device.family;
});
afterAll(() => device.destroy());

const family = (): fc.Arbitrary<KernelFamily> => fc.constantFrom<KernelFamily>("portable", "panel", "tile");
const upload = (x: Nd): Tensor => tensor(Float32Array.from(x.data), { shape: x.shape });
const maybe = <T>(isThere: boolean, make: () => T): T | undefined => (isThere ? make() : undefined);
const mustFail = (property: () => Promise<void>): Promise<void> => expect(property()).rejects.toThrow();

/** Runs on a family's kernels. */
async function on<T>(wanted: KernelFamily, body: () => Promise<T>): Promise<T> {
  device.family = wanted;
  try {
    return await body();
  } finally {
    device.family = adapterFamily;
  }
}

/** A program that starts from given vectors `[rows, size]`, as row `row` of a table each, and goes on with a step or some. */
function programOn(x: Nd, build: (program: RowProgram, x: RowVector) => void): () => Tensor {
  const rows = x.shape[0]!;
  const program = new RowProgram({ rows, device });
  build(program, program.pick(upload(x), { id: 0 }));
  program.load();
  const ids = tensor(
    Int32Array.from({ length: rows }, (_, row) => row),
    { shape: [rows, 1] },
  );
  return () => program.run(ids);
}

interface Case {
  readonly family: KernelFamily;
  readonly rows: number;
  readonly size: number;
  readonly out: number;
  /** Weight or bias of a normalisation, bias and residual of a product, and its GELU. */
  readonly has: readonly [boolean, boolean, boolean];
  readonly seed: number;
}

const cases = (): fc.Arbitrary<Case> =>
  fc.record({
    family: family(),
    rows: fc.integer({ min: 1, max: 5 }),
    size: dimension({ max: 257 }),
    out: dimension({ max: 257 }),
    has: fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()),
    seed: seed(),
  });
const example: Case = { family: "tile", rows: 2, size: 13, out: 37, has: [true, true, true], seed: 1 };

async function picks(c: Case): Promise<void> {
  const [first, second] = [seededValues(c.seed, [c.out, c.size]), seededValues(c.seed + 1, [7, c.size])];
  const ids = [seededIndices(c.seed + 2, [c.rows], c.out), seededIndices(c.seed + 3, [c.rows], 7)] as const;
  await on(c.family, async () => {
    const program = new RowProgram({ rows: c.rows, device });
    const plus = program.pick(upload(first), { id: 0 });
    program.pick(upload(second), { id: 1, plus });
    program.load();
    const both = tensor(
      Int32Array.from({ length: 2 * c.rows }, (_, i) => ids[(i % 2) as 0 | 1].data[i >> 1]!),
      { shape: [c.rows, 2] },
    );
    const rowsOf = (table: Nd, at: Nd): Nd => ({
      shape: [c.rows, c.size],
      data: Float64Array.from([...at.data].flatMap((row) => [...table.data.subarray(row * c.size, (row + 1) * c.size)])),
    });
    const expected = zip(rowsOf(first, ids[0]), rowsOf(second, ids[1]), (a, b) => a + b);
    expectClose(await program.run(both).data(), expected, roundingBound(1, oracle.abs(expected)));
  });
}

async function normalizes(c: Case): Promise<void> {
  const drawn = seededValues(c.seed, [c.rows, c.size], c.seed % 3 ? "normal" : "integers");
  const x = c.seed % 2 ? drawn : map(drawn, (v) => Math.fround(v + 300)); // far from 0, where E[x²] − E[x]² would cancel
  const weight = maybe(c.has[0], () => seededValues(c.seed + 1, [c.size]));
  const bias = maybe(c.has[1], () => seededValues(c.seed + 2, [c.size]));
  const options = { eps: c.has[2] ? 0.1 : 1e-5 };
  await on(c.family, async () => {
    const parameters = { weight: weight ? upload(weight) : null, bias: bias ? upload(bias) : null, ...options };
    const y = programOn(x, (program, vector) => program.layerNorm(vector, parameters))();
    expectClose(await y.data(), oracle.layerNorm(x, weight, bias, options), layerNormBound(x, weight, bias, options));
  });
}

/** What a lane keeps beyond a vector's end comes into the second one's sums. */
async function normalizesTwice(c: Case): Promise<void> {
  const x = seededValues(c.seed, [c.rows, c.size]);
  const plain = { weight: null, bias: null, eps: 1e-5 };
  const once = oracle.layerNorm(x, undefined, undefined, plain);
  await on(c.family, async () => {
    const y = programOn(x, (program, vector) => program.layerNorm(program.layerNorm(vector, plain), plain))();
    const bound = oracle.add(layerNormBound(x, undefined, undefined, plain), layerNormBound(once, undefined, undefined, plain));
    expectClose(await y.data(), oracle.layerNorm(once, undefined, undefined, plain), oracle.add(bound, bound));
  });
}

/** activation(x·Wᵀ + b) + r, where r is x's own beginning: a vector of the product's size. */
async function multiplies(c: Case): Promise<void> {
  const [hasBias, hasResidual, isGelu] = c.has;
  const x = seededValues(c.seed, [c.rows, c.size], "uniform");
  const [weight, first] = [seededValues(c.seed + 1, [c.out, c.size], "uniform"), seededValues(c.seed + 2, [c.out, c.size], "uniform")];
  const bias = maybe(hasBias, () => seededValues(c.seed + 3, [c.out]));
  const products = (w: Nd, b?: Nd): { exact: Nd; bound: Nd } => ({
    exact: oracle.linear(x, w, b),
    bound: dotBound(c.size + 1, oracle.linear(oracle.abs(x), oracle.abs(w), b && oracle.abs(b))),
  });
  const [sum, residual] = [products(weight, bias), products(first)];
  const activated = isGelu ? oracle.gelu(sum.exact, { approximate: "tanh" }) : sum.exact;
  // GELU is nowhere steeper than 1.13.
  const error = isGelu ? zip(elementBound("gelu", sum.exact, activated), sum.bound, (own, before) => own + 1.13 * before) : sum.bound;
  const expected = hasResidual ? oracle.add(activated, residual.exact) : activated;
  const bound = hasResidual
    ? oracle.add(oracle.add(error, residual.bound), roundingBound(2, oracle.add(oracle.abs(activated), oracle.abs(residual.exact))))
    : error;
  await on(c.family, async () => {
    const y = programOn(x, (program, vector) => {
      const other = maybe(hasResidual, () => program.linear(vector, { weight: upload(first), bias: null }));
      const options = { ...(isGelu && { activation: "gelu" as const }), ...(other && { residual: other }) };
      program.linear(vector, { weight: upload(weight), bias: bias ? upload(bias) : null }, options);
    })();
    expect(y.shape).toEqual([c.rows, c.out]);
    expectClose(await y.data(), expected, bound);
  });
}

/** Sequences of `filled` places at once and `appended` ones after that, in the second of two caches that lie together. */
interface Sequence {
  readonly family: KernelFamily;
  readonly batch: number;
  readonly heads: number;
  readonly headSize: number;
  readonly filled: number;
  readonly appended: number;
  readonly seed: number;
}

const sequences = (): fc.Arbitrary<Sequence> =>
  fc.record({
    family: family(),
    batch: fc.integer({ min: 1, max: 3 }),
    heads: fc.integer({ min: 1, max: 9 }),
    headSize: fc.constantFrom(16, 8, 5, 1),
    filled: dimension({ max: 130 }),
    appended: fc.integer({ min: 1, max: 4 }),
    seed: seed(),
  });
const sequence: Sequence = { family: "tile", batch: 2, heads: 3, headSize: 8, filled: 20, appended: 2, seed: 1 };

/** `[B, T, 3 · H · D]` as query, key and value, `[B, H, T, D]` each. */
function headsOf(packed: Nd, { batch, heads, headSize }: Sequence): [Nd, Nd, Nd] {
  const split = oracle.reshape(packed, [batch, packed.shape[1]!, 3, heads, headSize]);
  const all = oracle.permute(split, [2, 0, 3, 1, 4]);
  return [0, 1, 2].map((i) => oracle.reshape(oracle.slice(all, [[i, i + 1]]), all.shape.slice(1))) as [Nd, Nd, Nd];
}

const identityMatrix = (n: number): Tensor =>
  tensor(
    Float32Array.from({ length: n * n }, (_, i) => Number(i % (n + 1) === 0)),
    { shape: [n, n] },
  );

/** What is attended to goes through a product that changes nothing, so that it is a vector first and then a result. */
async function attends(s: Sequence): Promise<void> {
  const { batch, heads, headSize, filled, appended } = s;
  const packed = seededValues(s.seed, [batch, filled + appended, 3 * heads * headSize]);
  const [q, k, v] = headsOf(packed, s);
  const places = (x: Nd, from: number, to: number): Nd => oracle.slice(x, [[], [], [from, to]]);
  const asRows = (x: Nd): Nd => oracle.reshape(oracle.permute(x, [0, 2, 1, 3]), [batch, heads * headSize]); // of one place
  await on(s.family, async () => {
    const sizes = { batch, heads, headSize, device };
    const [text, cache] = KeyValueCache.together([
      { ...sizes, capacity: filled },
      { ...sizes, capacity: filled + appended },
    ]) as [KeyValueCache, KeyValueCache];
    const given = { key: upload(places(k, 0, filled)), value: upload(places(v, 0, filled)) };
    for (const each of [text, cache]) each.fill(given);
    for (let t = filled; t < filled + appended; t++) {
      const row = oracle.reshape(oracle.slice(packed, [[], [t, t + 1]]), [batch, 3 * heads * headSize]);
      const [query, seen] = [places(q, t, t + 1), [places(k, 0, t + 1), places(v, 0, t + 1)] as const];
      const grown = programOn(row, (program, x) => program.append(x, cache))();
      expectClose(await grown.data(), asRows(oracle.scaledDotProductAttention(query, ...seen)), asRows(attentionBound(query, ...seen)));
      expect(cache.length).toBe(t + 1);
      const kept = [places(k, 0, filled), places(v, 0, filled)] as const;
      const identity = { weight: identityMatrix(heads * headSize), bias: null };
      const read = programOn(asRows(query), (program, x) => program.linear(program.attend(x, text), identity))();
      expectClose(await read.data(), asRows(oracle.scaledDotProductAttention(query, ...kept)), asRows(attentionBound(query, ...kept)));
    }
  });
}

describe("RowProgram", () => {
  it("adds rows of tables", () => fc.assert(fc.asyncProperty(cases(), picks), runs(40)));

  it("normalises as float64 does, in every family", () => fc.assert(fc.asyncProperty(cases(), normalizes), runs(60)));

  it("multiplies as float64 does, with and without bias, GELU and residual, in every family", () =>
    fc.assert(fc.asyncProperty(cases(), multiplies), runs(60)));

  it("attends to what caches keep and to what it adds to them as float64 does, in every family", () =>
    fc.assert(fc.asyncProperty(sequences(), attends), runs(60)));

  it("would be caught taking the wrong row, leaving out a part, or keeping a key in the wrong place", async () => {
    const broken = async (edit: readonly [string, string], property: () => Promise<void>): Promise<void> =>
      withMutation("row_program", edit, () => mustFail(property));
    await broken(["min(id, about.y - 1u) *", "0u *"], () => picks(example));
    await broken([") * scale *", ") *"], () => normalizes(example));
    await broken(["d * d, 4u * k +", "d * d, 8u * k +"], () => normalizes(example));
    await broken(["value = gelu(value);", ""], () => multiplies(example));
    await broken(["(size - first + LANES - 1u) / LANES", "(size - first) / LANES"], () => multiplies(example));
    await broken(["four, 4u * chunk + vec4u(0u, 1u, 2u, 3u) < vec4u(size)", "four, vec4<bool>(true)"], () =>
      attends({ ...sequence, headSize: 5 }),
    );
    await broken(["length = params.grown + 1u;", "length = params.grown;"], () => attends(sequence));
    await broken(["keys[place] =", "keys[place + D4] ="], () => attends(sequence));
    await broken(["sums[lane][i] += sums[lane + half][i];", ""], () => attends(sequence));
  });

  it("would be caught at that where lanes are a subgroup, too", async ({ skip }) => {
    skip(!device.hasFamily("panel"), "no subgroups of a fixed size");
    const [c, s] = [{ ...example, family: "panel" } as const, { ...sequence, family: "panel" } as const];
    const broken = async (edit: readonly [string, string], property: () => Promise<void>): Promise<void> =>
      withMutation("row_program_panel", edit, () => mustFail(property));
    await broken(["min(id, about.y - 1u) *", "0u *"], () => picks(c));
    await broken([") * scale *", ") *"], () => normalizes(c));
    await broken(["d * d, k * SG + lane < step.z", "d * d, true"], () => normalizes(c));
    await broken(["value = gelu(value);", ""], () => multiplies(c));
    await broken(["(size - first + SG - 1u) / SG", "(size - first) / SG"], () => multiplies(c));
    await normalizesTwice(c);
    await broken(["select(0.0, value, i < step.z)", "value"], () => normalizesTwice(c));
    await broken(["four, vec4u(0u, 1u, 2u, 3u) < vec4u(count)", "four, vec4<bool>(true)"], () => attends({ ...s, headSize: 5 }));
    await broken(["keys[place + i] = key;", "keys[place + D4 + i] = key;"], () => attends(s));
    await broken(["score += dot(q[i], key);", ""], () => attends(s));
    await broken(["if (e % SG == lane)", "if (d % SG == lane)"], () => attends({ ...s, headSize: 5 }));
    await broken(["subgroupAdd(sum[i] * shrink)", "sum[i]"], () => attends(s));
  });

  it("gives NaN for a row that a table does not have, and makes NaN of what a NaN comes into", async () => {
    for (const id of [3, -1]) {
      const program = new RowProgram({ rows: 1, device });
      program.linear(program.pick(ones([3, 8]), { id: 0 }), { weight: ones([2, 8]), bias: null });
      program.load();
      expect(await program.run(tensor(Int32Array.of(id), { shape: [1, 1] })).data()).toEqual(Float32Array.of(NaN, NaN));
    }
    const cache = new KeyValueCache({ batch: 1, heads: 2, headSize: 4, capacity: 9, device });
    const poisoned = seededValues(1, [1, 2, 8, 4]);
    poisoned.data[4] = NaN; // of the first head's second key
    cache.fill({ key: upload(poisoned), value: ones([1, 2, 8, 4]) });
    const y = await programOn(seededValues(2, [1, 8]), (program, x) => program.attend(x, cache))().data();
    expect([...y].map(Number.isNaN)).toEqual([true, true, true, true, false, false, false, false]);
  });

  it("goes on by itself in a captured step, with the parameters of its last loading", async () => {
    const program = new RowProgram({ rows: 2, device });
    const cache = new KeyValueCache({ batch: 2, heads: 1, headSize: 2, capacity: 3, device });
    const weight = ones([6, 4]);
    const seen = program.append(program.linear(program.pick(ones([5, 4]), { id: 0 }), { weight, bias: null }), cache);
    program.linear(seen, { weight: ones([3, 2]), bias: null });
    program.load();
    const step = capture((ids: Tensor) => program.run(ids));
    const ids = { shape: [2, 1], dtype: "i32" as const, data: Int32Array.of(0, 4) };
    expect(await (await step(ids)).data()).toEqual(new Float32Array(6).fill(8)); // values of 4, kept in both heads' places
    weight.fill(2);
    expect(await (await step(ids)).data()).toEqual(new Float32Array(6).fill(8));
    program.load();
    await step(ids);
    expect(cache.length).toBe(3);
    await expect(step(ids)).rejects.toThrow("Expected a place left in the cache but found all 3 taken");
    step.destroy();
    program.release();
  });

  it("is one launch, and gives its memory back", async () => {
    const before = device.stats();
    const run = programOn(seededValues(1, [3, 8]), (program, x) => {
      let y = x;
      for (let i = 0; i < 20; i++) y = program.linear(y, { weight: ones([8, 8]), bias: ones([8]) }, { residual: x });
    });
    const loaded = device.stats();
    await run().data();
    expect(device.stats().dispatches - loaded.dispatches).toBe(1);
    expect(loaded.bytesInUse).toBeGreaterThan(before.bytesInUse);
    const program = new RowProgram({ rows: 1, device });
    program.pick(ones([100, 100]), { id: 0 });
    const { bytesInUse } = device.stats();
    program.load();
    expect(device.stats().bytesInUse).toBeGreaterThanOrEqual(bytesInUse + 40_000);
    program.release();
    expect(device.stats().bytesInUse).toBeLessThanOrEqual(bytesInUse);
  });

  it("says what keeps a program from being run as one launch", async () => {
    const ids = zeros([1, 1], { dtype: "i32" });
    const wide = new RowProgram({ rows: 1, device });
    wide.layerNorm(wide.pick(ones([1, 5000]), { id: 0 }), { weight: null, bias: null, eps: 1e-5 });
    expect(wide.obstacle).toMatch(/^vectors of 16384 bytes in all but found \d+$/);
    expect(() => wide.run(ids)).toThrow("RowProgram: expected vectors of 16384 bytes in all but found");
    const cacheOf = (headSize: number): KeyValueCache => new KeyValueCache({ batch: 1, heads: 1, headSize, capacity: 2, device });
    const headed = new RowProgram({ rows: 1, device });
    headed.attend(headed.pick(ones([1, 33]), { id: 0 }), cacheOf(33));
    expect(headed.obstacle).toBe("heads of at most 32 elements but found 33");
    const apart = new RowProgram({ rows: 1, device });
    apart.attend(apart.attend(apart.pick(ones([1, 4]), { id: 0 }), cacheOf(4)), cacheOf(4));
    expect(apart.obstacle).toBe("caches of one head size that lie together");
  });

  it("refuses sizes that do not fit, and programs that are not ready", async () => {
    const program = new RowProgram({ rows: 2, device });
    const ids = zeros([2, 1], { dtype: "i32" });
    expect(() => program.run(ids)).toThrow("RowProgram: expected a step at least");
    const x = program.pick(ones([3, 8]), { id: 0 });
    expect(() => program.run(ids)).toThrow("RowProgram: expected parameters but found none: load() copies them");
    program.load();
    expect(() => program.run(zeros([2, 2], { dtype: "i32" }))).toThrow("RowProgram: expected ids [2, 1] but found [2, 2]");
    expect(() => program.run(zeros([2, 1]))).toThrow("RowProgram: expected an index of i32 or u32 but found f32");
    expect(() => program.linear(x, { weight: ones([4, 7]), bias: null })).toThrow(
      "RowProgram.linear: expected a vector of 7 elements but found one of 8",
    );
    expect(() => program.linear(x, { weight: ones([4, 8]), bias: ones([3]) })).toThrow(
      "RowProgram.linear: expected a parameter [4] but found [3]",
    );
    expect(() => program.pick(ones([8]), { id: 0 })).toThrow("RowProgram.pick: expected two axes but found [8]");
    const cache = new KeyValueCache({ batch: 1, heads: 2, headSize: 4, capacity: 2, device });
    expect(() => program.append(x, cache)).toThrow("RowProgram.append: expected a vector of 24 elements but found one of 8");
    expect(() => program.attend(x, cache)).toThrow("RowProgram.attend: expected a cache of 2 rows but found 1");
    await expect(capture(() => program.load())()).rejects.toThrow("Expected RowProgram.load() outside of a captured step");
  });
});
