import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { tensor } from "../create.ts";
import type { Device, KernelFamily } from "../device/device.ts";
import { withMutation } from "../device/kernel.ts";
import { openDevice } from "../device/open.ts";
import { DTypeError, ShapeError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
import {
  attentionBound,
  dimension,
  directionalDerivative,
  expectAdjoint,
  expectClose,
  map,
  type Nd,
  oracle,
  runs,
  seed,
  seededValues,
} from "../testing/mod.ts";
import { scaledDotProductAttention } from "./attention.ts";

let device: Device;
let adapterFamily: KernelFamily;
beforeAll(async () => {
  device = await openDevice();
  adapterFamily = device.family;
});

/** Head sizes that between them take every way through a family's kernels, and few pipelines. */
const headSizes: Readonly<Record<KernelFamily, readonly number[]>> = {
  portable: [8, 7, 40, 37], // aligned or not, unrolled or not
  panel: [16, 12, 20], // loads that fill their subgroups or not; one or two rows a lane
  tile: [8, 20],
};
const families: KernelFamily[] = ["portable", "panel", "tile"];

interface Case {
  readonly family: KernelFamily;
  readonly leading: readonly number[];
  readonly queries: number;
  readonly keys: number;
  readonly headSize: number;
  readonly causal: boolean;
  readonly scale?: number;
  /** Standard deviation of the scores, about. */
  readonly spread: number;
  readonly seed: number;
}

const cases = (options: Partial<Record<keyof Case, fc.Arbitrary<unknown>>> = {}): fc.Arbitrary<Case> =>
  fc.constantFrom(...families).chain(
    (family) =>
      fc.record({
        family: fc.constant(family),
        leading: fc.constantFrom([], [1], [3], [2, 2], [2, 1, 2]),
        queries: dimension({ max: 37 }),
        keys: dimension({ max: 37 }),
        headSize: fc.constantFrom(...headSizes[family]),
        causal: fc.boolean(),
        spread: fc.constantFrom(1, 0.1, 3),
        seed: seed(),
        ...options,
      }) as fc.Arbitrary<Case>,
  );

interface Inputs {
  readonly q: Nd;
  readonly k: Nd;
  readonly v: Nd;
}

function draw({ leading, queries, keys, headSize, spread, seed }: Case): Inputs {
  const q = seededValues(seed, [...leading, queries, headSize]);
  return {
    q: map(q, (x) => Math.fround(x * spread)),
    k: seededValues(seed + 1, [...leading, keys, headSize]),
    v: seededValues(seed + 2, [...leading, keys, headSize]),
  };
}

const upload = (x: Nd, requiresGrad = false): Tensor => tensor(Float32Array.from(x.data), { shape: x.shape, requiresGrad });

const options = ({ causal, scale }: Case): { causal: boolean; scale?: number } => ({ causal, ...(scale !== undefined && { scale }) });

/** Runs on a family's kernels. */
async function on<T>(family: KernelFamily, body: () => Promise<T>): Promise<T> {
  device.family = family;
  try {
    return await body();
  } finally {
    device.family = adapterFamily;
  }
}

const mustFail = (property: () => Promise<void>): Promise<void> => expect(property()).rejects.toThrow();

async function attend(c: Case, { q, k, v }: Inputs): Promise<Float32Array> {
  return on(c.family, async () => {
    const out = scaledDotProductAttention(upload(q), upload(k), upload(v), options(c));
    expect(out.shape).toEqual(q.shape);
    return (await out.data()) as Float32Array;
  });
}

async function gradients(c: Case, { q, k, v }: Inputs, cotangent: Nd): Promise<{ data: Float32Array }[]> {
  return on(c.family, async () => {
    const inputs = [q, k, v].map((x) => upload(x, true)) as [Tensor, Tensor, Tensor];
    scaledDotProductAttention(...inputs, options(c)).backward({ gradient: upload(cotangent) });
    return Promise.all(inputs.map(async (x) => ({ data: (await x.grad!.data()) as Float32Array })));
  });
}

async function agreesWithTheOracle(c: Case): Promise<void> {
  const { q, k, v } = draw(c);
  const expected = oracle.scaledDotProductAttention(q, k, v, options(c));
  expectClose(await attend(c, { q, k, v }), expected, attentionBound(q, k, v, options(c)));
}

async function hasTheAdjointAsGradient(c: Case): Promise<void> {
  const { q, k, v } = draw(c);
  const directions = [q, k, v].map((x, i) => seededValues(c.seed + 3 + i, x.shape));
  const cotangent = seededValues(c.seed + 6, q.shape);
  const derivative = directionalDerivative(
    (...x) => oracle.scaledDotProductAttention(x[0]!, x[1]!, x[2]!, options(c)),
    [q, k, v],
    directions,
  );
  expectAdjoint({ derivative, cotangent, gradients: await gradients(c, { q, k, v }, cotangent), directions });
}

/** What comes at a place and before does not change by a bit when keys and values after it do. */
async function isCausal(c: Case): Promise<void> {
  const before = draw(c);
  const place = c.seed % c.queries;
  const changed = (x: Nd, seed: number): Nd => {
    const other = seededValues(seed, x.shape);
    const [rows, columns] = x.shape.slice(-2) as [number, number];
    return { shape: x.shape, data: x.data.map((value, i) => (Math.floor(i / columns) % rows > place ? other.data[i]! : value)) };
  };
  const after = { q: before.q, k: changed(before.k, c.seed + 8), v: changed(before.v, c.seed + 9) };
  const [first, second] = [await attend(c, before), await attend(c, after)];
  const seen = (_: number, i: number): boolean => Math.floor(i / c.headSize) % c.queries <= place;
  expect(second.filter(seen)).toEqual(first.filter(seen));
}

/** Without a mask the order of the keys, with their values, does not matter. */
async function ignoresOrder(c: Case): Promise<void> {
  const { q, k, v } = draw(c);
  const flip = (x: Nd): Nd => oracle.flip(x, -2);
  const bound = map(attentionBound(q, k, v), (b) => 2 * b);
  expectClose(await attend(c, { q, k: flip(k), v: flip(v) }), await attend(c, { q, k, v }), bound);
}

/** Scores far from 0 neither overflow nor lose the row. */
async function survivesSharpScores(c: Case): Promise<void> {
  const { q, k, v } = draw(c);
  const results = [await attend(c, { q, k, v }), ...(await gradients(c, { q, k, v }, v)).map((g) => g.data)];
  for (const result of results) expect(result.every(Number.isFinite)).toBe(true);
  expectClose(results[0]!, oracle.scaledDotProductAttention(q, k, v, options(c)), attentionBound(q, k, v, options(c)));
}

/** A NaN in a query is a NaN in its row, one in a key in all rows that see it, and in no others. */
async function spreadsNan(c: Case): Promise<void> {
  const poisoned = (x: Nd, row: number): Nd => ({ shape: x.shape, data: x.data.map((value, i) => (i === row * c.headSize ? NaN : value)) });
  const clean = draw(c);
  const place = c.seed % Math.min(c.queries, c.keys);
  const nanRows = (out: Float32Array): boolean[] =>
    Array.from({ length: c.queries }, (_, i) => {
      const row = out.subarray(i * c.headSize, (i + 1) * c.headSize);
      expect([0, c.headSize]).toContain(row.filter(Number.isNaN).length);
      return Number.isNaN(row[0]!);
    });
  const expected = (holds: (i: number) => boolean): boolean[] => Array.from({ length: c.queries }, (_, i) => holds(i));
  expect(nanRows(await attend(c, { ...clean, q: poisoned(clean.q, place) }))).toEqual(expected((i) => i === place));
  expect(nanRows(await attend(c, { ...clean, k: poisoned(clean.k, place) }))).toEqual(expected((i) => !c.causal || i >= place));
}

interface ManyRows {
  readonly rows: number;
  readonly headSize: number;
  /** Shifts the values, so that memory used before does not hold the right ones. */
  readonly phase: number;
}

/** More rows than the GPU takes workgroups in one dimension, each with a softmax over one key, which is exactly 1 if q = k. */
async function takesManyRows(family: KernelFamily, { rows, headSize, phase }: ManyRows): Promise<void> {
  const shape = [rows, 1, headSize];
  const pattern = (period: number): Float32Array => Float32Array.from({ length: rows * headSize }, (_, i) => ((i + phase) % period) / 16);
  const [x, v, cotangent] = [pattern(13), pattern(1009), pattern(997)];
  const same = (a: ArrayLike<number>, b: Float32Array): boolean => b.every((value, i) => value === a[i]);
  await on(family, async () => {
    const q = tensor(x, { shape });
    const value = tensor(v, { shape, requiresGrad: true });
    const out = scaledDotProductAttention(q, q, value);
    expect(same(await out.data(), v)).toBe(true);
    out.backward({ gradient: tensor(cotangent, { shape }) });
    expect(same(await value.grad!.data(), cotangent)).toBe(true);
  });
}

async function bits(c: Case): Promise<Uint32Array[]> {
  const inputs = draw(c);
  const results = [await attend(c, inputs), ...(await gradients(c, inputs, inputs.q)).map((g) => g.data)];
  return results.map((x) => new Uint32Array(x.buffer, x.byteOffset, x.length));
}

const example: Case = { family: "portable", leading: [2], queries: 20, keys: 20, headSize: 8, causal: true, spread: 1, seed: 1 };
const unmasked: Case = { ...example, causal: false };
const panel: Case = { ...example, family: "panel", headSize: 16 };
const tile: Case = { ...example, family: "tile" };

describe("scaledDotProductAttention", () => {
  it("agrees with the float64 oracle in every family, for any head size, lengths, mask and scale", async () => {
    const property = fc.asyncProperty(cases({ scale: fc.constantFrom(undefined, 0.3, -1, 0) }), agreesWithTheOracle);
    await fc.assert(property, runs(90));
  });

  it("fails that if the running sum is not rescaled", async () => {
    await withMutation("attention_portable", ["total * shrink + p", "total + p"], () => mustFail(() => agreesWithTheOracle(example)));
    if (device.hasFamily("panel"))
      await withMutation("attention_panel", ["total_0 *= shrink_0;", ""], () => mustFail(() => agreesWithTheOracle(panel)));
  });

  it("fails that if a part of a row is left out of the sum", async () => {
    await withMutation("attention_tile", ["part < PARTS", "part + 1u < PARTS"], () => mustFail(() => agreesWithTheOracle(tile)));
  });

  it("has gradients that are the adjoint of the derivative in every family", async () => {
    const property = fc.asyncProperty(cases({ scale: fc.constantFrom(undefined, 0.3) }), hasTheAdjointAsGradient);
    await fc.assert(property, runs(60));
  });

  it("fails that without the softmax's own gradient, or with the mask of a neighbour", async () => {
    await withMutation("attention_portable", ["(dp - own_delta)", "dp"], () => mustFail(() => hasTheAdjointAsGradient(example)));
    if (device.hasFamily("panel"))
      await withMutation("attention_panel", ["begin_0 <= i + 0u", "begin_0 < i + 0u"], () =>
        mustFail(() => hasTheAdjointAsGradient(panel)),
      );
  });

  it("does not let a place see keys and values after it, by a single bit", async () => {
    await fc.assert(fc.asyncProperty(cases({ causal: fc.constant(true) }), isCausal), runs(40));
  });

  it("fails that if the mask is off by one", async () => {
    await withMutation("attention_portable", ["min(i + 1u, params.keys)", "min(i + 2u, params.keys)"], () =>
      mustFail(() => isCausal(example)),
    );
  });

  it("does not see the order of keys without a mask", async () => {
    await fc.assert(fc.asyncProperty(cases({ causal: fc.constant(false) }), ignoresOrder), runs(30));
  });

  it("fails that if the last key is forgotten", async () => {
    await withMutation("attention_portable", ["j < end; j++", "j + 1u < end; j++"], () => mustFail(() => ignoresOrder(unmasked)));
  });

  it("stays finite and right for scores of hundreds, forward and backward", async () => {
    const sharp = { spread: fc.constantFrom(50, 100), scale: fc.constant(1) };
    await fc.assert(
      fc.asyncProperty(
        cases(sharp).map((c) => ({ ...c, keys: c.queries })),
        survivesSharpScores,
      ),
      runs(30),
    );
  });

  it("fails that if the maximum is not taken off", async () => {
    await withMutation("attention_portable", ["let higher = max(top, score);", "let higher = 0.0;"], () =>
      mustFail(() => survivesSharpScores({ ...example, spread: 100, scale: 1 })),
    );
  });

  it("lets NaN through to where it is seen, and nowhere else", async () => {
    await fc.assert(fc.asyncProperty(cases({ leading: fc.constant([]) }), spreadsNan), runs(20));
  });

  it("fails that if a NaN score is taken for a low one", async () => {
    await withMutation("attention_portable", ["exp2(score - higher)", "exp2(max(score, -1e30) - higher)"], () =>
      mustFail(() => spreadsNan({ ...example, leading: [] })),
    );
  });

  it("gives the same bits again", async () => {
    const property = fc.asyncProperty(cases(), async (c) => {
      expect(await bits(c)).toEqual(await bits(c));
    });
    await fc.assert(property, runs(15));
  });

  it("fails that if a rounding changes", async () => {
    const before = await bits(example);
    await withMutation("attention_portable", ["LOG2_E = 1.4426950408889634", "LOG2_E = 1.4427"], async () => {
      expect(await bits(example)).not.toEqual(before);
    });
  });

  it.for([
    ["portable", { rows: 64 * 65_536 + 1, headSize: 1, phase: 1 }],
    ["panel", { rows: 65_537, headSize: 4, phase: 2 }],
    ["tile", { rows: 65_537, headSize: 4, phase: 3 }],
  ] as const)("takes more rows in %s kernels than a dispatch may have workgroups in one dimension", async ([family, about], { skip }) => {
    skip(family === "tile" && /swiftshader/i.test(device.name), "too slow on SwiftShader");
    await takesManyRows(family, about);
  });

  it("fails that if the second row of workgroups is forgotten", async () => {
    await withMutation("attention_portable", ["id.x + id.y * groups.x * 64u", "id.x"], () =>
      mustFail(() => takesManyRows("portable", { rows: 64 * 65_536 + 1, headSize: 1, phase: 4 })),
    );
  });

  it("is zero without keys, and empty without queries", async () => {
    for (const family of families) {
      const c: Case = { ...example, family };
      const none = { ...c, keys: 0 };
      expect(await attend(none, draw(none))).toEqual(new Float32Array(2 * 20 * 8));
      const nobody = { ...c, queries: 0 };
      const { q, k, v } = draw(nobody);
      expect(await attend(nobody, { q, k, v })).toEqual(new Float32Array(0));
      for (const { data } of (await gradients(nobody, { q, k, v }, q)).slice(1)) expect(data).toEqual(new Float32Array(2 * 20 * 8));
    }
  });

  it("refuses shapes that do not match, heads that are too wide, and integers", () => {
    const of = (...shape: number[]): Tensor => tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)), { shape });
    const attention = (q: Tensor, k: Tensor, v: Tensor) => () => scaledDotProductAttention(q, k, v);
    expect(attention(of(2, 3, 4), of(2, 3, 4), of(3, 3, 4))).toThrow(
      new ShapeError("scaledDotProductAttention: expected equal leading axes but found q, k, v of shapes [2, 3, 4], [2, 3, 4], [3, 3, 4]"),
    );
    expect(attention(of(3, 4), of(5, 4), of(6, 4))).toThrow("as many keys as values");
    expect(attention(of(3, 4), of(5, 4), of(5, 8))).toThrow("one head size");
    expect(attention(of(3, 129), of(3, 129), of(3, 129))).toThrow("a head size (last axis) of 1 to 128");
    expect(attention(of(4), of(4), of(4))).toThrow("two axes or more");
    expect(attention(tensor([[1, 2]], { dtype: "i32" }), of(3, 4), of(3, 4))).toThrow(DTypeError);
  });
});
