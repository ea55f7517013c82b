import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { tensor } from "../create.ts";
import { withMutation } from "../device/kernel.ts";
import { openDevice } from "../device/open.ts";
import { DTypeError, ShapeError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
import {
  applyView,
  epsilon,
  expectClose,
  map,
  type Nd,
  nd,
  oracle,
  runs,
  seed,
  seededValues,
  shape,
  untilNoticed,
  type ValueKind,
  type View,
  valueKind,
  view,
  viewed,
} from "../testing/mod.ts";

beforeAll(async () => {
  await openDevice();
});

const upload = (x: Nd): Tensor => tensor(Float32Array.from(x.data), { shape: x.shape });

interface Case {
  readonly view: View;
  readonly axis: number;
  readonly kind: ValueKind;
  readonly seed: number;
}

/** Axes beyond a block's 256 elements, besides the usual. */
const longShape = fc.tuple(fc.constantFrom(255, 256, 257, 511, 512, 513, 1000), fc.nat(2)).map(([n, kind]) => [[n], [3, n], [n, 3]][kind]!);

const cases: fc.Arbitrary<Case> = fc.oneof(shape({ minRank: 1, maxCount: 4096 }), longShape).chain((shape) =>
  fc.record({
    view: view(shape),
    axis: fc.integer({ min: -shape.length, max: shape.length - 1 }),
    kind: valueKind("normal", "integers", "adversarial"),
    seed: seed(),
  }),
);

/** Σ |x| up to each element, times the roundings of the longest chain. */
const boundOf = (x: Nd, axis: number): Nd => map(oracle.cumsum(oracle.abs(x), { axis }), (size) => 2 * x.shape.at(axis)! * epsilon * size);

async function agrees(c: Case): Promise<void> {
  const base = seededValues(c.seed, c.view.base, c.kind);
  const x = viewed(base, c.view);
  const leaf = applyView(upload(base), c.view);
  leaf.requiresGrad = true;
  const y = leaf.cumsum(c);
  expectClose(await y.data(), oracle.cumsum(x, c), boundOf(x, c.axis));
  const slope = viewed(seededValues(c.seed + 1, c.view.base), c.view);
  y.backward({ gradient: applyView(upload(seededValues(c.seed + 1, c.view.base)), c.view) });
  const turned = oracle.flip(slope, c.axis);
  expectClose(await leaf.grad!.data(), oracle.flip(oracle.cumsum(turned, c), c.axis), oracle.flip(boundOf(turned, c.axis), c.axis));
}

const agreement = (n: number): Promise<void> =>
  fc.assert(fc.asyncProperty(cases, agrees), { ...runs(n), endOnFailure: n === untilNoticed });

describe("cumsum", () => {
  it("and its gradient agree with float64 along any axis of any view", () => agreement(80));

  it("runs along axes of several levels of blocks to within the error of a tree", async () => {
    const count = 200_003;
    const x = map(seededValues(1, [count], "uniform"), (v) => Math.fround(v + 1));
    const exact = oracle.cumsum(x);
    const leaf = upload(x);
    leaf.requiresGrad = true;
    const y = leaf.cumsum({ axis: 0 });
    expectClose(
      await y.data(),
      exact,
      map(exact, (v) => 1e-6 * v),
    );
    y.backward({ gradient: y.onesLike() });
    expectClose(
      await leaf.grad!.data(),
      nd(
        [count],
        Float64Array.from({ length: count }, (_, i) => count - i),
      ),
      0,
    );
  });

  it("takes more rows than a dispatch has invocations in one dimension", async () => {
    const rows = 64 * 65_535 + 65;
    const x = tensor(
      Float32Array.from({ length: 2 * rows }, (_, i) => i % 4093),
      { shape: [rows, 2] },
    );
    const wrong = (await x.cumsum({ axis: 1 }).data()).findIndex((v, i) => v !== (i % 4093) + (i % 2 ? (i - 1) % 4093 : 0));
    expect(wrong).toBe(-1);
  });

  it("adds integers exactly and gives the same bits every time", async () => {
    const x = map(seededValues(2, [3, 1000], "uniform"), (v) => Math.floor(v * 2 ** 20));
    const ints = tensor(Int32Array.from(x.data), { shape: x.shape });
    expectClose(await ints.cumsum({ axis: 1 }).data(), oracle.cumsum(x), 0);
    const floats = upload(seededValues(3, [7, 900]));
    expect(await floats.cumsum({ axis: 1 }).data()).toEqual(await floats.cumsum({ axis: 1 }).data());
  });

  it("leaves an empty tensor empty, and refuses booleans and axes that are not there", async () => {
    expect(
      (
        await tensor(new Float32Array(0), { shape: [2, 0] })
          .cumsum({ axis: 1 })
          .data()
      ).length,
    ).toBe(0);
    expect(() => tensor([true]).cumsum({ axis: 0 })).toThrow(DTypeError);
    expect(() => tensor([1]).cumsum({ axis: 1 })).toThrow(ShapeError);
  });
});

describe("a broken running sum", () => {
  it.each([
    ["starts a block from the wrong one", "+ block - 1u]", "+ block]"],
    [
      "loses the last element of a block",
      "var r = block * params.chunk; r < end; r++) { sum = add(sum, x[start",
      "var r = block * params.chunk; r + 1u < end; r++) { sum = add(sum, x[start",
    ],
    ["does not turn round for its gradient", "params.reverse != 0u", "false"],
    ["mixes up axes", "rest /= n;", "rest /= n + 1u;"],
  ] as const)("that %s is noticed", (_, find, replace) =>
    expect(withMutation("cumsum", [find, replace], () => agreement(untilNoticed))).rejects.toThrow("Property failed"),
  );
});
