import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { tensor } from "../create.ts";
import { withMutation } from "../device/kernel.ts";
import { openDevice } from "../device/open.ts";
import { DTypeError, ShapeError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
import {
  applyView,
  expectClose,
  type Nd,
  oracle,
  replaced,
  runs,
  seed,
  seededValues,
  shape,
  type View,
  view,
  viewed,
} from "../testing/mod.ts";
import { cat, flip, pad, stack } from "./join.ts";

beforeAll(async () => {
  await openDevice();
});

const upload = (x: Nd, requiresGrad = false): Tensor => tensor(Float32Array.from(x.data), { shape: x.shape, requiresGrad });

/** Tensors of one shape but for an axis, in any layout. */
interface Pieces {
  readonly axis: number;
  readonly layouts: readonly View[];
  readonly seed: number;
}

/** Any layout; a dense one where there are no elements. */
const layoutOf = (shape: number[]): fc.Arbitrary<View> =>
  shape.includes(0) ? fc.constant({ shape, base: shape, steps: [] }) : view(shape);

const pieces: fc.Arbitrary<Pieces> = shape({ minRank: 1, maxRank: 3, maxCount: 150 }).chain((shape) =>
  fc
    .record({
      axis: fc.nat(shape.length - 1),
      sizes: fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 4 }),
      seed: seed(),
    })
    .chain(({ axis, sizes, seed }) =>
      fc.tuple(...sizes.map((n) => layoutOf(replaced(shape, axis, n)))).map((layouts) => ({ axis, layouts, seed })),
    ),
);

/** Joined bit for bit, and every piece gets its part of the gradient. */
async function catAgrees({ axis, layouts, seed }: Pieces): Promise<void> {
  const bases = layouts.map((layout, i) => seededValues(seed + i, layout.base));
  const parts = bases.map((base, i) => viewed(base, layouts[i]!));
  const joined = cat(
    bases.map((base, i) => applyView(upload(base), layouts[i]!)),
    { axis },
  );
  expect(joined.shape).toEqual(oracle.cat(parts, { axis }).shape);
  expectClose(await joined.data(), oracle.cat(parts, { axis }), 0);

  const leaves = parts.map((part) => upload(part, true));
  const gradients = parts.map((part, i) => seededValues(seed + 10 + i, part.shape));
  cat(leaves, { axis: axis - parts[0]!.shape.length }).backward({ gradient: upload(oracle.cat(gradients, { axis })) });
  for (const [i, leaf] of leaves.entries()) expectClose(await leaf.grad!.data(), gradients[i]!, 0);
}

describe("cat()", () => {
  it("joins tensors of any layout bit for bit and splits the gradient, empty pieces included", async () => {
    await fc.assert(fc.asyncProperty(pieces, catAgrees), runs(30));
  });

  it("is noticed when copies go astray", async () => {
    const layout = { shape: [3, 2], base: [2, 3], steps: [{ permute: [1, 0] }] };
    await withMutation("copy", ["source[at.y]", "source[at.y + 1u]"], () =>
      expect(catAgrees({ axis: 1, layouts: [layout, layout], seed: 1 })).rejects.toThrow("Expected"),
    );
  });

  it("keeps the dtype, and refuses other shapes, mixed dtypes, scalars and nothing", async () => {
    const x = tensor(Int32Array.of(1, 2));
    expect([...(await cat([x, x]).data())]).toEqual([1, 2, 1, 2]);
    expect(() => cat([x, tensor([1])])).toThrow(DTypeError);
    expect(() => cat([tensor([[1]]), tensor([[1, 2]])])).toThrow(
      "cat: expected shapes that differ on axis 0 only but found [1, 1] and [1, 2]",
    );
    expect(() => cat([tensor(1), tensor(2)])).toThrow(ShapeError);
    expect(() => cat([])).toThrow("cat: expected at least one tensor but found none");
  });
});

describe("stack()", () => {
  it("puts tensors side by side along a new axis, and so their gradients", async () => {
    await fc.assert(
      fc.asyncProperty(
        shape({ maxRank: 3, maxCount: 100 }).chain((shape) =>
          fc.record({ shape: fc.constant(shape), axis: fc.nat(shape.length), count: fc.integer({ min: 1, max: 3 }), seed: seed() }),
        ),
        async ({ shape, axis, count, seed }) => {
          const parts = Array.from({ length: count }, (_, i) => seededValues(seed + i, shape));
          const leaves = parts.map((part) => upload(part, true));
          const stacked = stack(leaves, { axis });
          expectClose(await stacked.data(), oracle.stack(parts, { axis }), 0);
          stacked.backward({ gradient: upload(oracle.stack(parts, { axis })) });
          for (const [i, leaf] of leaves.entries()) expectClose(await leaf.grad!.data(), parts[i]!, 0);
        },
      ),
      runs(15),
    );
  });

  it("refuses tensors of different shapes, and none", () => {
    expect(() => stack([tensor([1]), tensor([1, 2])])).toThrow("stack: expected tensors of one shape but found [1] and [2]");
    expect(() => stack([])).toThrow(ShapeError);
  });
});

describe("pad()", () => {
  it("agrees with the oracle for any layout, and cuts the gradient", async () => {
    await fc.assert(
      fc.asyncProperty(
        shape({ maxRank: 3, maxCount: 150 }).chain((shape) =>
          fc.record({
            layout: view(shape),
            padding: fc.tuple(...shape.map(() => fc.tuple(fc.nat(3), fc.nat(3)))),
            value: fc.constantFrom(0, -1.5),
            seed: seed(),
          }),
        ),
        async ({ layout, padding, value, seed }) => {
          const base = seededValues(seed, layout.base);
          const x = viewed(base, layout);
          expectClose(await pad(applyView(upload(base), layout), { padding, value }).data(), oracle.pad(x, padding, { value }), 0);
          const leaf = upload(x, true);
          const gradient = seededValues(seed + 1, x.shape);
          pad(leaf, { padding, value }).backward({ gradient: upload(oracle.pad(gradient, padding, { value: NaN })) });
          expectClose(await leaf.grad!.data(), gradient, 0);
        },
      ),
      runs(20),
    );
  });

  it("takes pairs alone, and leaves axes without a pair as they are", async () => {
    expect(
      await tensor([[1, 2]])
        .pad([[1, 0]])
        .array(),
    ).toEqual([
      [0, 0],
      [1, 2],
    ]);
    expect(tensor([[1, 2]]).pad([]).shape).toEqual([1, 2]);
  });

  it("refuses negative padding and more pairs than axes", () => {
    expect(() => tensor([1]).pad([[-1, 0]])).toThrow("pad: expected whole numbers ≥ 0 but found -1; use slice() to cut");
    expect(() =>
      tensor([1]).pad([
        [0, 0],
        [0, 0],
      ]),
    ).toThrow("pad: expected at most 1 pairs for [1] but found 2");
  });
});

describe("flip()", () => {
  it("reverses axes of any layout, gradients too", async () => {
    await fc.assert(
      fc.asyncProperty(
        shape({ minRank: 1, maxCount: 300 }).chain((shape) =>
          fc.record({ layout: view(shape), axis: fc.subarray(shape.map((_, i) => i)), seed: seed() }),
        ),
        async ({ layout, axis, seed }) => {
          const base = seededValues(seed, layout.base);
          const x = viewed(base, layout);
          expectClose(await flip(applyView(upload(base), layout), { axis }).data(), oracle.flip(x, axis), 0);
          const leaf = upload(x, true);
          leaf.flip({ axis }).backward({ gradient: upload(oracle.flip(x, axis)) });
          expectClose(await leaf.grad!.data(), x, 0);
        },
      ),
      runs(25),
    );
  });

  it("takes one axis from the end, and arrays without elements", async () => {
    expect([...(await tensor([1, 2, 3]).flip({ axis: -1 }).data())]).toEqual([3, 2, 1]);
    expect(tensor([], { shape: [0, 2] }).flip({ axis: [0, 1] }).shape).toEqual([0, 2]);
  });
});
