import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { capture } from "../capture/capture.ts";
import { tensor } from "../create.ts";
import { withMutation } from "../device/kernel.ts";
import { openDevice } from "../device/open.ts";
import type { DType } from "../dtype.ts";
import { DTypeError, ShapeError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
import {
  applyView,
  expectAdjoint,
  expectClose,
  type Nd,
  nd,
  oracle,
  roundingBound,
  runs,
  seed,
  seededIndices,
  seededValues,
  shape,
  type View,
  view,
  viewed,
} from "../testing/mod.ts";
import { countOf, replaced } from "../testing/nd.ts";

beforeAll(async () => {
  await openDevice();
});

const upload = (x: Nd, dtype: DType = "f32", requiresGrad = false): Tensor =>
  tensor(dtype === "f32" ? Float32Array.from(x.data) : Int32Array.from(x.data), { shape: x.shape, dtype, requiresGrad });

/** A leaf that is a view. */
function viewLeaf(base: Nd, layout: View): Tensor {
  const leaf = applyView(upload(base), layout).detach();
  leaf.requiresGrad = true;
  return leaf;
}

/** A tensor, an axis, and an index that fits: at most as large along the other axes, of any size along this one. */
const fits = (along: { max: number }) =>
  shape({ minRank: 1, maxRank: 4, maxCount: 1500 }).chain((xShape) =>
    fc
      .record({
        axis: fc.nat(xShape.length - 1),
        along: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: along.max })),
        parts: fc.array(fc.double({ min: 0.3, max: 1, noNaN: true }), { minLength: xShape.length, maxLength: xShape.length }),
        fromEnd: fc.boolean(),
      })
      .map(({ axis, along, parts, fromEnd }) => {
        const smaller = xShape.map((n, i) => Math.max(1, Math.round(n * parts[i]!)));
        return { xShape, indexShape: replaced(smaller, axis, along), axis: fromEnd ? axis - xShape.length : axis };
      })
      .filter(({ indexShape }) => countOf(indexShape) <= 3000),
  );

const laidOut = (along: { max: number }) =>
  fits(along).chain(({ xShape, indexShape, axis }) =>
    fc.record({ axis: fc.constant(axis), x: view(xShape), index: view(indexShape), source: view(indexShape), seed: seed() }),
  );

interface Case {
  readonly axis: number;
  readonly x: View;
  readonly index: View;
  readonly source: View;
  readonly seed: number;
}

const dense = (shape: number[]): View => ({ shape, base: shape, steps: [] });

/** How many elements are added up at each place, and the sum of their sizes. */
function scatterBound(x: Nd, index: Nd, { source, axis }: { source: Nd; axis: number }): Nd {
  const ones = nd(index.shape, new Float64Array(index.data.length).fill(1));
  const counts = oracle.scatterAdd(nd(x.shape), index, ones, { axis });
  const sizes = oracle.scatterAdd(oracle.abs(x), index, oracle.abs(source), { axis });
  return nd(
    x.shape,
    sizes.data.map((size, i) => (counts.data[i] === 0 ? 0 : roundingBound(counts.data[i]!, nd([], [size])).data[0]!)),
  );
}

async function gatherAgrees({ axis, x, index, source, seed }: Case): Promise<void> {
  const xBase = seededValues(seed, x.base);
  const indexBase = seededIndices(seed, index.base, x.shape.at(axis)!);
  const leaf = viewLeaf(xBase, x);
  const places = applyView(upload(indexBase, "i32"), index);
  const out = leaf.gather(places, { axis });
  expect(out.shape).toEqual(index.shape);
  const at = viewed(indexBase, index);
  expectClose(await out.data(), oracle.gather(viewed(xBase, x), at, { axis }), 0);

  const cotangentBase = seededValues(seed + 1, source.base);
  out.backward({ gradient: applyView(upload(cotangentBase), source) });
  const cotangent = viewed(cotangentBase, source);
  const zeros = nd(x.shape);
  const expected = oracle.scatterAdd(zeros, at, cotangent, { axis });
  expectClose(await leaf.grad!.data(), expected, scatterBound(zeros, at, { source: cotangent, axis }));
}

async function scatterAddAgrees({ axis, x, index, source, seed }: Case): Promise<void> {
  const xBase = seededValues(seed, x.base);
  const indexBase = seededIndices(seed, index.base, x.shape.at(axis)!);
  const sourceBase = seededValues(seed + 1, source.base);
  const [target, added] = [viewLeaf(xBase, x), viewLeaf(sourceBase, source)];
  const out = target.scatterAdd(applyView(upload(indexBase, "i32"), index), added, { axis });
  const [x0, at, source0] = [viewed(xBase, x), viewed(indexBase, index), viewed(sourceBase, source)];
  const bound = scatterBound(x0, at, { source: source0, axis });
  expectClose(await out.data(), oracle.scatterAdd(x0, at, source0, { axis }), bound);

  const cotangent = seededValues(seed + 2, x.shape);
  out.backward({ gradient: upload(cotangent) });
  expectClose(await target.grad!.data(), cotangent, 0);
  expectClose(await added.grad!.data(), oracle.gather(cotangent, at, { axis }), 0);
}

async function indexSelectAgrees({ axis, x, seed, count }: Pick<Case, "axis" | "x" | "seed"> & { count: number }): Promise<void> {
  const xBase = seededValues(seed, x.base);
  const index = seededIndices(seed, [count], x.shape.at(axis)!);
  const leaf = viewLeaf(xBase, x);
  const out = leaf.indexSelect(upload(index, "i32"), { axis });
  const select = (v: Nd): Nd => oracle.indexSelect(v, index, { axis });
  expectClose(await out.data(), select(viewed(xBase, x)), 0);
  const cotangent = seededValues(seed + 1, out.shape);
  out.backward({ gradient: upload(cotangent) });
  const direction = seededValues(seed + 2, x.shape);
  const gradients = [{ data: await leaf.grad!.data() }];
  expectAdjoint({ derivative: select(direction), cotangent, gradients, directions: [direction] });
}

describe("gather", () => {
  it("reads along any axis of any layout, and gives each element's gradient back to where it was read", async () => {
    await fc.assert(fc.asyncProperty(laidOut({ max: 60 }), gatherAgrees), runs(60));
  });

  it("moves integers and booleans as they are", async () => {
    const x = tensor(new Int32Array([5, -6, 7, 8, 9, 10]), { shape: [2, 3] });
    expect(await x.gather(tensor(new Uint32Array([2, 1]), { shape: [2, 1] }), { axis: 1 }).array()).toEqual([[7], [9]]);
    const flags = tensor([true, false, true]);
    expect(await flags.gather(tensor(new Int32Array([1, 2])), { axis: 0 }).array()).toEqual([0, 1]);
  });

  it("gives NaN for an index outside of the axis, whose gradient goes nowhere", async () => {
    const x = tensor([1, 2, 3], { requiresGrad: true });
    const out = x.gather(tensor(new Int32Array([-1, 0, 3])), { axis: 0 });
    expect(await out.array()).toEqual([Number.NaN, 1, Number.NaN]);
    out.backward({ gradient: tensor([10, 20, 30]) });
    expect(await x.grad!.array()).toEqual([20, 0, 0]);
  });

  it("refuses indices that do not fit", () => {
    const x = tensor([
      [1, 2],
      [3, 4],
    ]);
    expect(() => x.gather(tensor([[0, 1]]), { axis: 0 })).toThrow(DTypeError);
    expect(() => x.gather(tensor(new Int32Array(2)), { axis: 0 })).toThrow(/as many axes as \[2, 2\].*\[2\]/);
    expect(() => x.gather(tensor(new Int32Array(6), { shape: [3, 2] }), { axis: 1 })).toThrow(ShapeError);
  });
});

describe("scatterAdd", () => {
  it("adds what goes to one place, along any axis of any layout, by scanning or by sorting", async () => {
    await fc.assert(fc.asyncProperty(laidOut({ max: 300 }), scatterAddAgrees), runs(60));
  });

  it("takes a source that is larger than the index", async () => {
    const x = tensor([0, 0, 0]);
    const source = tensor([1, 2, 4, 8, 16], { requiresGrad: true });
    const out = x.scatterAdd(tensor(new Int32Array([2, 0, 2])), source, { axis: 0 });
    expect(await out.array()).toEqual([2, 0, 5]);
    out.backward({ gradient: tensor([10, 20, 30]) });
    expect(await source.grad!.array()).toEqual([30, 10, 30, 0, 0]);
  });

  it("leaves out what an index outside of the axis says, by scanning and by sorting", async () => {
    for (const count of [5, 3000]) {
      const index = new Int32Array(count).fill(1);
      index[0] = -1;
      index[1] = 2;
      const out = tensor([0, 0]).scatterAdd(tensor(index), tensor(new Float32Array(count).fill(1)), { axis: 0 });
      expect(await out.array()).toEqual([0, count - 2]);
    }
  });

  it("adds a million elements at ten places and at a million", async () => {
    const count = 1_000_000;
    for (const places of [10, count]) {
      const index = seededIndices(places, [count], places);
      const source = seededValues(places, [count], "uniform");
      const out = tensor(new Float32Array(places)).scatterAdd(upload(index, "i32"), upload(source), { axis: 0 });
      const [sums, sizes, counts] = [new Float64Array(places), new Float64Array(places), new Float64Array(places)];
      index.data.forEach((place, i) => {
        sums[place]! += source.data[i]!;
        sizes[place]! += Math.abs(source.data[i]!);
        counts[place]!++;
      });
      const longest = counts.reduce((a, b) => Math.max(a, b));
      expectClose(await out.data(), sums, roundingBound(longest, nd([places], sizes)));
    }
  });

  it("gives the same bits again", async () => {
    const index = upload(seededIndices(1, [40, 90], 70), "i32");
    const source = upload(seededValues(2, [40, 90]));
    const bits = async (axis: number): Promise<Uint32Array> => {
      const x = upload(seededValues(3, [70, 90]));
      return new Uint32Array((await x.scatterAdd(index, source, { axis }).data()).buffer);
    };
    expect(await bits(0)).toEqual(await bits(0));
    const long = upload(seededIndices(1, [5000], 7), "i32");
    const sums = async (): Promise<Uint32Array> => {
      const out = tensor(new Float32Array(7)).scatterAdd(long, upload(seededValues(2, [5000])), { axis: 0 });
      return new Uint32Array((await out.data()).buffer);
    };
    expect(await sums()).toEqual(await sums());
  });

  it("can be captured: new indices need no new plan, and no memory is read before it is written", async () => {
    const x = seededValues(1, [300, 5]);
    const target = upload(x);
    const step = capture((index: Tensor, source: Tensor) => target.scatterAdd(index, source, { axis: 0 }), { poison: true });
    for (let run = 0; run < 4; run++) {
      const index = seededIndices(run, [100, 5], 300);
      const source = seededValues(run + 5, [100, 5]);
      const out = await step(upload(index, "i32"), upload(source));
      expectClose(await out.data(), oracle.scatterAdd(x, index, source, { axis: 0 }), scatterBound(x, index, { source, axis: 0 }));
    }
  });

  it("refuses sources that do not fit and integers", () => {
    const index = tensor(new Int32Array(2));
    const x = tensor([1, 2, 3]);
    expect(() => x.scatterAdd(index, tensor([1]), { axis: 0 })).toThrow(/index \[2\] is larger than source \[1\]/);
    expect(() => x.scatterAdd(index, tensor(new Int32Array(2)), { axis: 0 })).toThrow(DTypeError);
  });
});

describe("indexSelect", () => {
  it("picks slices of any axis, and its gradient is the adjoint", async () => {
    const cases = shape({ minRank: 1, maxRank: 4, maxCount: 1500 }).chain((xShape) =>
      fc.record({ axis: fc.nat(xShape.length - 1), x: view(xShape), count: fc.integer({ min: 0, max: 40 }), seed: seed() }),
    );
    await fc.assert(fc.asyncProperty(cases, indexSelectAgrees), runs(50));
  });

  it("goes beyond 65,535 workgroups", async () => {
    const shape = [530_000, 2]; // the gradient takes eight rows a workgroup
    await indexSelectAgrees({ axis: 1, x: { shape, base: shape, steps: [] }, seed: 1, count: 3 });
  });

  it("gives a conspicuous value of each dtype for an index outside of the axis", async () => {
    const index = tensor(new Int32Array([0, 5, -3]));
    expect(await tensor([1]).indexSelect(index, { axis: 0 }).array()).toEqual([1, Number.NaN, Number.NaN]);
    expect(
      await tensor(new Int32Array([1]))
        .indexSelect(index, { axis: 0 })
        .array(),
    ).toEqual([1, -(2 ** 31), -(2 ** 31)]);
    expect(
      await tensor(new Uint32Array([1]))
        .indexSelect(index, { axis: 0 })
        .array(),
    ).toEqual([1, 2 ** 32 - 1, 2 ** 32 - 1]);
    expect(await tensor([true]).indexSelect(index, { axis: 0 }).array()).toEqual([1, 0, 0]);
  });

  it("refuses an index of several axes", () => {
    expect(() => tensor([1, 2]).indexSelect(tensor(new Int32Array(2), { shape: [1, 2] }), { axis: 0 })).toThrow(ShapeError);
  });
});

describe("The properties notice a broken kernel", () => {
  const short: Case = { axis: 1, x: dense([5, 6, 7]), index: dense([4, 9, 6]), source: dense([4, 9, 6]), seed: 1 };
  const long: Case = { axis: 0, x: dense([2000, 3]), index: dense([1500, 3]), source: dense([1500, 3]), seed: 2 };

  it.each([
    ["gather", "params.offset;", "params.offset + 1u;", gatherAgrees, short],
    ["gather", "inside = inside && ", "inside = inside || ", scatterAddAgrees, short],
    ["gather", "j < params.indexCount", "j + 1u < params.indexCount", scatterAddAgrees, short],
    ["gather", "keys[i] = place +", "keys[i] = place + 1u +", scatterAddAgrees, long],
    ["segments", "carry_place(tile, select(1u, 0u, begin < first), column)", "carry_place(tile, 1u, column)", scatterAddAgrees, long],
  ] as const)("%s with '%s' as '%s'", async (shader, find, replace, property, example) => {
    await property(example);
    await withMutation(shader, [find, replace], () => expect(property(example)).rejects.toThrow());
  });
});
