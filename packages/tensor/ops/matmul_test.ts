import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { arange, ones, tensor } from "../create.ts";
import type { Device } from "../device/device.ts";
import { withMutation } from "../device/kernel.ts";
import { openDevice } from "../device/open.ts";
import { DTypeError, ShapeError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
import {
  applyView,
  dimension,
  directionalDerivative,
  dotBound,
  expectAdjoint,
  expectClose,
  map,
  type Nd,
  nd,
  oracle,
  runs,
  seed,
  seededValues,
  type View,
  view,
  viewed,
} from "../testing/mod.ts";
import { matmul } from "./matmul.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});

const upload = (x: Nd, options: { requiresGrad?: boolean } = {}): Tensor =>
  tensor(Float32Array.from(x.data), { shape: x.shape, ...options });

interface Case {
  readonly a: View;
  readonly b: View;
  readonly seed: number;
}

/** Operands of rank 2 to 4, any views, whose batch axes broadcast: each may have size 1 or be missing on either side. */
const pairs = (): fc.Arbitrary<Case> =>
  fc
    .record({
      batch: fc.array(fc.record({ size: fc.integer({ min: 2, max: 3 }), narrow: fc.constantFrom("neither", "a", "b") }), { maxLength: 2 }),
      missing: fc.record({ side: fc.constantFrom("a", "b"), count: fc.nat(2) }),
      m: dimension({ max: 65 }),
      k: dimension({ max: 131 }),
      n: dimension({ max: 65 }),
      seed: seed(),
    })
    .chain(({ batch, missing, m, k, n, seed }) => {
      const axes = (side: "a" | "b"): number[] =>
        batch.map(({ size, narrow }) => (narrow === side ? 1 : size)).slice(missing.side === side ? missing.count : 0);
      return fc.record({ a: view([...axes("a"), m, k]), b: view([...axes("b"), k, n]), seed: fc.constant(seed) });
    });

const bases = (c: Case): [Nd, Nd] => [seededValues(c.seed, c.a.base), seededValues(c.seed + 1, c.b.base)];

async function agrees(c: Case): Promise<void> {
  const [baseA, baseB] = bases(c);
  const [a, b] = [viewed(baseA, c.a), viewed(baseB, c.b)];
  const product = applyView(upload(baseA), c.a).matmul(applyView(upload(baseB), c.b));
  const exact = oracle.matmul(a, b);
  expect(product.shape).toEqual(exact.shape);
  expectClose(await product.data(), exact, dotBound(a.shape.at(-1)!, oracle.matmul(oracle.abs(a), oracle.abs(b))));
}

/** Backward through the views too: gradients of the bases. */
async function hasRightGradients(c: Case): Promise<void> {
  const [baseA, baseB] = bases(c);
  const f = (a: Nd, b: Nd): Nd => oracle.matmul(viewed(a, c.a), viewed(b, c.b));
  const directions = [seededValues(c.seed + 2, c.a.base), seededValues(c.seed + 3, c.b.base)];
  const derivative = directionalDerivative(f, [baseA, baseB], directions);
  const cotangent = seededValues(c.seed + 4, derivative.shape);
  const [a, b] = [upload(baseA, { requiresGrad: true }), upload(baseB, { requiresGrad: true })];
  applyView(a, c.a)
    .matmul(applyView(b, c.b))
    .backward({ gradient: upload(cotangent) });
  const gradients = [{ data: await a.grad!.data() }, { data: await b.grad!.data() }];
  expectAdjoint({ derivative, cotangent, gradients, directions });
}

describe("matmul()", () => {
  it("agrees with float64 over any views whose batch axes broadcast", () => fc.assert(fc.asyncProperty(pairs(), agrees), runs(40)));

  it("has gradients that satisfy the adjoint identity, through views and broadcasts", () =>
    fc.assert(fc.asyncProperty(pairs(), hasRightGradients), runs(25)));

  it("takes vectors as a row on the left and a column on the right", async () => {
    const [v, w, m] = [tensor([1, 2, 3]), tensor([4, 5, 6]), arange({ end: 6 }, { dtype: "f32" }).reshape([2, 3])];
    expect(matmul(v, w).shape).toEqual([]);
    expect(await matmul(v, w).item()).toBe(32);
    expect(await m.matmul(v).array()).toEqual([8, 26]);
    expect(await tensor([1, 10]).matmul(m).array()).toEqual([30, 41, 52]);
    const stack = m.reshape([1, 2, 3]).expand([4, 2, 3]);
    expect(stack.matmul(v).shape).toEqual([4, 2]);
    expect(tensor([1, 10]).matmul(stack).shape).toEqual([4, 3]);
  });

  it("gives vectors their gradients", async () => {
    const [v, m] = [tensor([1, 2, 3], { requiresGrad: true }), tensor([[1, 2, 3]], { requiresGrad: true })];
    m.matmul(v).backward({ gradient: tensor([2]) });
    expect(await v.grad!.array()).toEqual([2, 4, 6]);
    expect(await m.grad!.array()).toEqual([[2, 4, 6]]);
  });

  it("takes transposes, slices and batches of a shared matrix in one launch, without copies", async () => {
    const x = upload(seededValues(1, [4, 30, 20]));
    const w = upload(seededValues(2, [40, 20]));
    const launches = (body: () => unknown): number => {
      const before = device.stats().dispatches;
      body();
      return device.stats().dispatches - before;
    };
    expect(launches(() => x.matmul(w.transpose(0, 1)))).toBe(1);
    expect(
      launches(() =>
        x
          .transpose(1, 2)
          .slice([[], [3, 17, 2]])
          .matmul(x.narrow(2, { start: 1, length: 7 })),
      ),
    ).toBe(1);
  });

  it("computes the gradient of a shared matrix as one product over all batches", async () => {
    const x = seededValues(3, [50, 4, 8]);
    const w = upload(seededValues(4, [8, 6]), { requiresGrad: true });
    const y = upload(x).matmul(w);
    const gradient = ones([50, 4, 6]);
    const before = device.stats().dispatches;
    y.backward({ gradient });
    // A kernel that has cut the sum into stretches adds them up in a second one.
    expect(device.stats().dispatches - before).toBeLessThanOrEqual(2);
    const rows = oracle.transpose(oracle.reshape(x, [200, 8]), 0, 1);
    const columns = map(nd([200, 6]), () => 1);
    expectClose(await w.grad!.data(), oracle.matmul(rows, columns), dotBound(200, oracle.matmul(oracle.abs(rows), columns)));
  });

  it("gives zeros for sums of nothing, and nothing for no rows", async () => {
    const none = (shape: number[]): Tensor => tensor(new Float32Array(0), { shape });
    expect(
      await none([2, 0])
        .matmul(none([0, 3]))
        .array(),
    ).toEqual([
      [0, 0, 0],
      [0, 0, 0],
    ]);
    expect(none([0, 3]).matmul(ones([3, 5])).shape).toEqual([0, 5]);
    expect(none([0, 2, 3]).matmul(ones([3, 5])).shape).toEqual([0, 2, 5]);
    expect(await matmul(none([0]), none([0])).item()).toBe(0);
  });

  it("says which shapes do not fit, and why", () => {
    expect(() => ones([2, 3]).matmul(ones([2, 3]))).toThrow(
      new ShapeError("matmul: expected equal inner sizes but found 3 and 2 in shapes [2, 3] and [2, 3]"),
    );
    expect(() => ones([2, 3, 4]).matmul(ones([3, 4, 5]))).toThrow(ShapeError);
    expect(() => ones([]).matmul(ones([2]))).toThrow(ShapeError);
    expect(() => ones([2]).matmul(ones([3]))).toThrow(ShapeError);
    expect(() => ones([2, 2]).matmul(ones([2, 2], { dtype: "i32" }))).toThrow(DTypeError);
  });

  it("has properties that a broken kernel does not satisfy", async () => {
    device.family = "portable";
    const c: Case = { a: { shape: [2, 5, 7], base: [2, 5, 7], steps: [] }, b: { shape: [7, 3], base: [7, 3], steps: [] }, seed: 1 };
    await hasRightGradients(c);
    const edit = [/offsets \+= /, "offsets -= "] as const;
    const batched: Case = { ...c, b: { shape: [2, 7, 3], base: [2, 7, 3], steps: [] } };
    await withMutation("gemm_portable", edit, () => expect(agrees(batched)).rejects.toThrow("within their bounds"));
    await withMutation("gemm_portable", [/params\.bRow/g, "params.bColumn"], () =>
      expect(hasRightGradients(c)).rejects.toThrow("Expected <Jv, u>"),
    );
  });
});
