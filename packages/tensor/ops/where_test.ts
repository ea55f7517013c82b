import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { tensor } from "../create.ts";
import { withMutation } from "../device/kernel.ts";
import { openDevice } from "../device/open.ts";
import { DTypeError, ShapeError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
import {
  applyView,
  broadcastPair,
  expectClose,
  map,
  type Nd,
  oracle,
  runs,
  scalar,
  seed,
  seededValues,
  shape,
  type View,
  view,
  viewed,
} from "../testing/mod.ts";
import { where } from "./where.ts";

beforeAll(async () => {
  await openDevice();
});

const upload = (x: Nd, requiresGrad = false): Tensor => tensor(Float32Array.from(x.data), { shape: x.shape, requiresGrad });
const uploadTruth = (x: Nd): Tensor => tensor(Uint8Array.from(x.data), { shape: x.shape });
const truth = (seed: number, shape: readonly number[]): Nd => map(seededValues(seed, shape), (v) => Number(v > 0));

/** Three layouts that broadcast: what a property draws. */
interface Input {
  readonly condition: View;
  readonly a: View;
  readonly b: View;
  readonly seed: number;
}

const inputs: fc.Arbitrary<Input> = broadcastPair({ maxCount: 400 }).chain(({ left, right, result }) =>
  fc.shuffledSubarray([left, right, result], { minLength: 3, maxLength: 3 }).chain((shapes) => {
    const [condition, a, b] = shapes.map(view) as [fc.Arbitrary<View>, fc.Arbitrary<View>, fc.Arbitrary<View>];
    return fc.record({ condition, a, b, seed: seed() });
  }),
);

/** Sums of an array's elements over what it was stretched along. */
function summedTo(x: Nd, target: readonly number[]): Nd {
  const added = x.shape.length - target.length;
  const axes = x.shape.map((_, i) => i).filter((i) => i < added || (target[i - added] === 1 && x.shape[i] !== 1));
  return oracle.reshape(axes.length ? oracle.sum(x, { axis: axes, keepDims: true }) : x, target);
}

/** Values bit for bit, with tensors and with numbers; gradients where they belong and exact zeros elsewhere. */
async function agrees(input: Input): Promise<void> {
  const { seed } = input;
  const bases = [truth(seed, input.condition.base), seededValues(seed + 1, input.a.base), seededValues(seed + 2, input.b.base)] as const;
  const [c, a, b] = [viewed(bases[0], input.condition), viewed(bases[1], input.a), viewed(bases[2], input.b)];
  const tc = applyView(uploadTruth(bases[0]), input.condition);
  const [ta, tb] = [applyView(upload(bases[1]), input.a), applyView(upload(bases[2]), input.b)];
  expectClose(await where(tc, ta, tb).data(), oracle.where(c, a, b), 0);
  expectClose(await where(tc, 0.5, tb).data(), oracle.where(c, scalar(0.5), b), 0);
  expectClose(await where(tc, ta, -2).data(), oracle.where(c, a, scalar(-2)), 0);

  const [leafA, leafB] = [upload(a, true), upload(b, true)];
  const y = where(tc, leafA, leafB);
  const g = seededValues(seed + 3, y.shape, "integers"); // whose sums are exact
  y.backward({ gradient: upload(g) });
  expectClose(await leafA.grad!.data(), summedTo(oracle.where(c, g, scalar(0)), a.shape), 0);
  expectClose(await leafB.grad!.data(), summedTo(oracle.where(c, scalar(0), g), b.shape), 0);
}

const dense = (shape: number[]): View => ({ shape, base: shape, steps: [] });
const example: Input = { condition: dense([6, 5]), a: dense([6, 5]), b: dense([6, 5]), seed: 1 };

describe("where()", () => {
  it("chooses bit for bit, for shapes that broadcast and any layouts, and so do its gradients", async () => {
    await fc.assert(fc.asyncProperty(inputs, agrees), runs(25));
  });

  it("is noticed when it chooses amiss", async () => {
    await withMutation("where", ["condition4[i] != vec4u(0u)", "condition4[i] == vec4u(0u)"], () =>
      expect(agrees(example)).rejects.toThrow(),
    );
    await withMutation("where", ["p = a[at.y]", "p = a[at.z]"], () => expect(agrees({ ...example, b: dense([5]) })).rejects.toThrow());
  });

  it("lets nothing of what is not chosen through, NaN and infinity included", async () => {
    const x = tensor([NaN, 1, Infinity, -1], { requiresGrad: true });
    const y = where(tensor([false, true, false, true]), x, 0);
    expect([...(await y.data())]).toEqual([0, 1, 0, -1]);
    y.sum().backward();
    expect([...(await x.grad!.data())]).toEqual([0, 1, 0, 1]);
  });

  it("takes two numbers, and integers and truth as choices", async () => {
    const condition = tensor([true, false]);
    expect([...(await where(condition, 1, -1).data())]).toEqual([1, -1]);
    expect([...(await where(condition, tensor(Int32Array.of(5, 6)), -7).data())]).toEqual([5, -7]);
    expect([...(await where(condition, tensor([false, false]), tensor([true, true])).data())]).toEqual([0, 1]);
  });

  it("refuses conditions that are no truth values, mixed dtypes and shapes that do not broadcast", () => {
    const x = tensor([1, 2]);
    expect(() => where(x, x, x)).toThrow("where: expected a condition of dtype bool but found f32; compare it, as in x.gt(0)");
    expect(() => where(x.gt(0), x, tensor(Int32Array.of(1)))).toThrow(DTypeError);
    expect(() => where(x.gt(0), x, tensor([1, 2, 3]))).toThrow(ShapeError);
    expect(() => where(x.gt(0), tensor(Int32Array.of(1, 2)), 0.5)).toThrow(DTypeError);
  });

  it("reaches every element of more than 65,535 workgroups", async () => {
    const size = 65_536 * 64 + 3;
    const x = tensor(Float32Array.from({ length: size + 1 }, (_, i) => i)).slice([[1]]);
    const actual = await where(x.gt(2), x, 0).data();
    expect(actual.findIndex((v, i) => v !== (i + 1 > 2 ? i + 1 : 0))).toBe(-1);
  });
});

describe("maskedFill()", () => {
  it("agrees with the oracle", async () => {
    await fc.assert(
      fc.asyncProperty(shape({ maxCount: 400 }), seed(), async (shape, seed) => {
        const [x, mask] = [seededValues(seed, shape), truth(seed + 1, shape.slice(1))];
        expectClose(await upload(x).maskedFill(uploadTruth(mask), -2).data(), oracle.maskedFill(x, mask, -2), 0);
      }),
      runs(15),
    );
  });

  it("stops the gradient under the mask", async () => {
    const x = tensor([1, 2, 3], { requiresGrad: true });
    x.maskedFill(tensor([true, false, true]), 0)
      .sum()
      .backward();
    expect([...(await x.grad!.data())]).toEqual([0, 1, 0]);
  });

  it("refuses masks that are larger than the tensor", () => {
    expect(() => tensor([1, 2]).maskedFill(tensor([[true], [false]]), 0)).toThrow(
      "maskedFill: expected a mask that broadcasts to [2] but found [2, 1]",
    );
  });
});
