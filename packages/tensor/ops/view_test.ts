import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { tensor, zeros } from "../create.ts";
import { openDevice } from "../device/open.ts";
import { ShapeError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
import {
  applyView,
  countOf,
  expectClose,
  innerProduct,
  type Nd,
  nd,
  oracle,
  permutation,
  runs,
  seed,
  seededValues,
  shape,
  view,
  viewed,
} from "../testing/mod.ts";
import type { Slice } from "../testing/oracle/shape.ts";
import { sumTo } from "./view.ts";

beforeAll(async () => {
  await openDevice();
});

const upload = (x: Nd, requiresGrad = false): Tensor => tensor(Float32Array.from(x.data), { shape: x.shape, requiresGrad });

/** One step of a chain of views, for the engine and for the oracle. */
interface Step {
  readonly name: string;
  readonly engine: (x: Tensor) => Tensor;
  readonly exact: (x: Nd) => Nd;
}

/** A slice of an axis as people write it, negative places and all. */
const sliceOf = (n: number): fc.Arbitrary<Slice> =>
  fc.oneof(
    fc.constant<Slice>([]),
    fc
      .record({
        start: fc.integer({ min: -n, max: n }),
        end: fc.oneof(fc.constant(null), fc.integer({ min: -n, max: n + 2 })),
        step: fc.integer({ min: 1, max: 3 }),
      })
      .map(({ start, end, step }): Slice => [start, end, step]),
  );

/** Ways to group neighbouring axes, or to split one: shapes with as many elements. */
const reshapes = (shape: readonly number[]): fc.Arbitrary<number[]> => {
  const halves = shape.flatMap((n, i) => (n % 2 === 0 && n > 0 ? [shape.toSpliced(i, 1, 2, n / 2), shape.toSpliced(i, 1, n / 2, 2)] : []));
  const merged = shape.slice(1).map((n, i) => shape.toSpliced(i, 2, shape[i]! * n));
  return fc.constantFrom([countOf(shape)], [1, ...shape], [...shape, 1], ...halves, ...merged);
};

/** Any step that a shape allows. */
function step(shape: readonly number[]): fc.Arbitrary<Step> {
  const rank = shape.length;
  const axis = fc.nat(Math.max(rank - 1, 0));
  const always: fc.Arbitrary<Step>[] = [
    reshapes(shape).map((target) => ({
      name: `reshape ${target}`,
      engine: (x) => x.reshape(target),
      exact: (x) => oracle.reshape(x, target),
    })),
    fc.nat(rank).map((at) => ({
      name: `unsqueeze ${at}`,
      engine: (x) => x.unsqueeze(at),
      exact: (x) => oracle.reshape(x, x.shape.toSpliced(at, 0, 1)),
    })),
    fc.constant<Step>({
      name: "squeeze",
      engine: (x) => x.squeeze(),
      exact: (x) =>
        oracle.reshape(
          x,
          x.shape.filter((n) => n !== 1),
        ),
    }),
    fc.constant<Step>({
      name: "expand",
      engine: (x) => x.expand([2, ...x.shape.map(() => -1)]),
      exact: (x) => oracle.expand(x, [2, ...x.shape]),
    }),
  ];
  const inside: fc.Arbitrary<Step>[] = [
    permutation(rank).map((axes) => ({ name: `permute ${axes}`, engine: (x) => x.permute(axes), exact: (x) => oracle.permute(x, axes) })),
    fc.tuple(axis, axis).map(([a, b]) => ({
      name: `transpose ${a} ${b}`,
      engine: (x) => x.transpose(a - rank, b),
      exact: (x) => oracle.transpose(x, a, b),
    })),
    fc.tuple(...shape.map(sliceOf)).map((slices) => ({
      name: `slice ${JSON.stringify(slices)}`,
      engine: (x) => x.slice(slices),
      exact: (x) => oracle.slice(x, slices),
    })),
    fc
      .tuple(axis, axis)
      .map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const)
      .map(([a, b]) => ({
        name: `flatten ${a} ${b}`,
        engine: (x) => x.flatten(a, b),
        exact: (x) => oracle.reshape(x, [...x.shape.slice(0, a), countOf(x.shape.slice(a, b + 1)), ...x.shape.slice(b + 1)]),
      })),
  ];
  const selectable = shape.flatMap((n, i) => (n > 0 ? [i] : []));
  const picks: fc.Arbitrary<Step>[] = selectable.length
    ? [
        fc.constantFrom(...selectable).chain((a) =>
          fc.integer({ min: -shape[a]!, max: shape[a]! - 1 }).map((index) => ({
            name: `select ${a} ${index}`,
            engine: (x) => x.select(a, index),
            exact: (x) => {
              const at = index < 0 ? index + x.shape[a]! : index;
              const row = oracle.slice(
                x,
                x.shape.map((_, i): Slice => (i === a ? [at, at + 1] : [])),
              );
              return oracle.reshape(row, x.shape.toSpliced(a, 1));
            },
          })),
        ),
      ]
    : [];
  return fc.oneof(...always, ...(rank > 0 ? inside : []), ...picks);
}

/** A base shape and a chain of steps from it. */
interface Chain {
  readonly base: number[];
  readonly steps: readonly Step[];
  readonly seed: number;
}

const chains: fc.Arbitrary<Chain> = fc
  .record({ base: shape({ maxRank: 3, maxCount: 120 }), length: fc.integer({ min: 1, max: 4 }), seed: seed() })
  .chain(({ base, length, seed }) => {
    const grow = (steps: Step[], at: Nd): fc.Arbitrary<Chain> =>
      steps.length === length || at.shape.length > 5 || at.data.length > 2000
        ? fc.constant({ base, steps, seed })
        : step(at.shape).chain((next) => grow([...steps, next], next.exact(at)));
    return grow([], nd(base));
  });

describe("views", () => {
  it("show what the oracle shows after any chain of them, and give every element its gradient", async () => {
    await fc.assert(
      fc.asyncProperty(chains, async ({ base, steps, seed }) => {
        const x = seededValues(seed, base, "integers");
        const leaf = upload(x, true);
        let [actual, expected]: [Tensor, Nd] = [leaf, x];
        for (const { engine, exact, name } of steps) {
          [actual, expected] = [engine(actual), exact(expected)];
          expect(actual.shape, name).toEqual(expected.shape);
        }
        expectClose(await actual.data(), expected, 0);
        if (actual === leaf) return;
        const cotangent = seededValues(seed + 1, actual.shape, "integers");
        actual.backward({ gradient: upload(cotangent) });
        // Views are linear, so ⟨A x, u⟩ = ⟨x, Aᵀ u⟩; of small integers, so exactly.
        expect(innerProduct({ data: await leaf.grad!.data() }, x)).toBe(innerProduct(expected, cotangent));
      }),
      runs(150),
    );
  });

  it("move no data where strides can tell the story", () => {
    const x = zeros([4, 6, 2]);
    const views = [
      x.permute([2, 0, 1]),
      x.slice([
        [1, 3],
        [0, null, 2],
      ]),
      x.expand([3, 4, 6, 2]),
      x.select(1, -1),
      x.reshape([2, 2, 3, 4]),
      x.transpose(0, 1).reshape([6, 2, 2, 2]),
      x.slice([[], [0, 4]]).reshape([4, 8]),
      x.unsqueeze(0).squeeze(0),
      ...x.split(3, 1),
    ];
    for (const v of views) expect(v.storage).toBe(x.storage);
    expect(x.transpose(0, 1).reshape([-1]).storage).not.toBe(x.storage);
    expect(x.reshape([4, 6, 2])).toBe(x);
    expect(x.permute([0, 1, 2])).toBe(x);
    expect(x.slice([])).toBe(x);
    expect(x.expand([4, -1, 2])).toBe(x);
  });

  it("see what is written into the tensor they show, and write into it", async () => {
    const x = zeros([2, 2]);
    const column = x.select(1, 1);
    column.fill(5);
    expect([...(await x.data())]).toEqual([0, 5, 0, 5]);
    x.fill(2);
    expect([...(await column.data())]).toEqual([2, 2]);
  });
});

describe("split() and chunk()", () => {
  /** One piece of an array. */
  const piece = (x: Nd, axis: number, [start, end]: readonly [number, number]): Nd =>
    oracle.slice(
      x,
      x.shape.map((_, a): Slice => (a === axis ? [start, end] : [])),
    );

  it("cut an axis into pieces whose gradients come together again, where there are any", async () => {
    const cuts = shape({ minRank: 1, maxRank: 3, maxCount: 200 }).chain((shape) =>
      fc.record({
        layout: view(shape),
        axis: fc.nat(shape.length - 1),
        size: fc.integer({ min: 1, max: 7 }),
        unused: fc.nat(3),
        seed: seed(),
      }),
    );
    await fc.assert(
      fc.asyncProperty(cuts, async ({ layout, axis, size, unused, seed }) => {
        const base = seededValues(seed, layout.base, "integers");
        const x = viewed(base, layout);
        const leaf = upload(base, true);
        const parts = applyView(leaf, layout).split(size, axis);
        expect(parts.length).toBe(Math.ceil(layout.shape[axis]! / size));
        let total = 0;
        let sum = tensor(0);
        for (const [i, part] of parts.entries()) {
          const expected = piece(x, axis, [i * size, (i + 1) * size]);
          expectClose(await part.data(), expected, 0);
          if (i === unused) continue; // this piece gets no gradient
          const cotangent = seededValues(seed + i, part.shape, "integers");
          sum = sum.add(part.mul(upload(cotangent)).sum());
          total += innerProduct(expected, cotangent);
        }
        if (!sum.requiresGrad) return;
        sum.backward();
        // ⟨A x, u⟩ = ⟨x, Aᵀ u⟩ of small integers, so exactly.
        expect(innerProduct({ data: await leaf.grad!.data() }, base)).toBe(total);
      }),
      runs(20),
    );
  });

  it("take one size, a list of sizes, or a count", () => {
    const x = zeros([7, 2]);
    expect(x.split(3).map((p) => p.shape[0])).toEqual([3, 3, 1]);
    expect(x.split([2, 0, 5]).map((p) => p.shape[0])).toEqual([2, 0, 5]);
    expect(x.chunk(3).map((p) => p.shape[0])).toEqual([3, 3, 1]);
    expect(() => x.split([2, 2])).toThrow("split: expected sizes that add up to 7 on axis 0 of [7, 2] but found [2, 2]");
  });
});

describe("sumTo()", () => {
  it("sums over what was broadcast, and gives the tensor itself where nothing was", async () => {
    const x = tensor([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    expect(await sumTo(x, [3]).array()).toEqual([5, 7, 9]);
    expect(await sumTo(x, [2, 1]).array()).toEqual([[6], [15]]);
    expect(await sumTo(x, []).item()).toBe(21);
    expect(sumTo(x, [2, 3])).toBe(x);
  });
});

describe("view errors", () => {
  it("name the op, the shapes and the rule", () => {
    const x = zeros([2, 3]);
    expect(() => x.reshape([4])).toThrow("reshape: cannot view [2, 3] as [4]");
    expect(() => x.reshape([-1, -1])).toThrow(ShapeError);
    expect(() => x.reshape([-1, 4])).toThrow(ShapeError);
    expect(() => x.permute([0])).toThrow("permute: expected each axis of [2, 3] once but found [0]");
    expect(() => x.permute([0, 0])).toThrow(ShapeError);
    expect(() => x.expand([3, 3])).toThrow("expand: cannot broadcast [2, 3] to [3, 3]");
    expect(() => x.expand([3])).toThrow(ShapeError);
    expect(() => x.slice([[], [], []])).toThrow("slice: expected at most 2 slices for [2, 3] but found 3");
    expect(() => x.slice([[0, 2, -1]])).toThrow("slice: expected a step of at least 1 but found -1; use flip() to go backwards");
    expect(() => x.narrow(1, { start: 2, length: 2 })).toThrow("narrow: 2 + 2 is beyond axis 1 of [2, 3]");
    expect(() => x.select(0, 2)).toThrow(ShapeError);
    expect(() => x.transpose(0, 2)).toThrow("Expected axis in -2…1 but found 2");
  });
});
