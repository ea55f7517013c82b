import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { tensor, zeros } from "../create.ts";
import { withMutation } from "../device/kernel.ts";
import { openDevice } from "../device/open.ts";
import { AutogradError, DTypeError, ShapeError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
import { applyView, expectClose, type Nd, nd, runs, seed, seededValues, shape, type View, view, viewed } from "../testing/mod.ts";
import { contiguous, copyInto, dense, full } from "./copy.ts";

beforeAll(async () => {
  await openDevice();
});

const upload = (x: Nd): Tensor => tensor(Float32Array.from(x.data), { shape: x.shape });

/** Two layouts of one shape: where values come from and where they go. */
interface Input {
  readonly source: View;
  readonly target: View;
  readonly seed: number;
}

/** Layouts in which no element lies on another. */
const writable = (shape: number[]): fc.Arbitrary<View> => view(shape).filter(({ steps }) => steps.every((step) => !("expand" in step)));

const inputs: fc.Arbitrary<Input> = shape({ maxCount: 600 }).chain((shape) =>
  fc.record({ source: view(shape), target: writable(shape), seed: seed() }),
);

/** The values arrive bit for bit where they should, and nothing beside them changes. */
async function copies({ source, target, seed }: Input): Promise<void> {
  const [from, to] = [seededValues(seed, source.base), seededValues(seed + 1, target.base)];
  const whole = upload(to);
  copyInto(applyView(whole, target), applyView(upload(from), source));
  // Places of the target's elements in its base, by viewing the numbers of the places.
  const places = viewed(
    nd(
      target.base,
      to.data.map((_, i) => i),
    ),
    target,
  ).data;
  const expected = to.data.slice();
  viewed(from, source).data.forEach((v, i) => {
    expected[places[i]!] = v;
  });
  expectClose(await whole.data(), expected, 0);
}

const plain = (shape: number[]): View => ({ shape, base: shape, steps: [] });
const transposed: View = { shape: [3, 5], base: [5, 3], steps: [{ permute: [1, 0] }] };
const sliced: View = { shape: [3, 8], base: [3, 12], steps: [{ slice: [[], [4, 12, 1]] }] };

describe("copyInto()", () => {
  it("moves values between any two layouts, and touches nothing else", async () => {
    await fc.assert(fc.asyncProperty(inputs, copies), runs(60));
  });

  it("is noticed when it reads or writes elsewhere, by elements or by vectors", async () => {
    const broken = (edit: [string | RegExp, string], input: Input): Promise<void> =>
      withMutation("copy", edit, () => expect(copies(input)).rejects.toThrow("Expected"));
    await broken(["= source[at.y]", "= source[at.y + 1u]"], { source: transposed, target: plain([3, 5]), seed: 1 });
    await broken([/rest - next/g, "next - rest"], { source: transposed, target: plain([3, 5]), seed: 1 });
    await broken(["= source4[at.y]", "= source4[at.y].wzyx"], { source: sliced, target: plain([3, 8]), seed: 1 });
    await broken(["+ k < params.size", "+ k + 1u < params.size"], { source: plain([7]), target: plain([7]), seed: 1 });
  });

  it("moves aligned rows as vectors", async () => {
    const aligned = [
      { source: sliced, target: plain([3, 8]), seed: 4 },
      { source: plain([3, 8]), target: sliced, seed: 5 },
    ];
    for (const given of aligned) {
      await copies(given);
      // a break in the vector form alone is noticed: so that form ran
      await withMutation("copy", ["destination4[at.x] = source4[at.y]", "destination4[at.x] = source4[at.y + 1u]"], () =>
        expect(copies(given)).rejects.toThrow("Expected"),
      );
    }
  });

  it("broadcasts, and keeps bits of every dtype", async () => {
    const x = zeros([2, 3]);
    expect([...(await x.copyFrom(tensor([1, NaN, -0])).data())]).toEqual([1, NaN, -0, 1, NaN, -0]);
    const integers = tensor(Int32Array.of(1, 2)).copyFrom(tensor(Int32Array.of(-(2 ** 31), 2 ** 31 - 1)));
    expect([...(await integers.data())]).toEqual([-(2 ** 31), 2 ** 31 - 1]);
  });

  it("copies from one part of a tensor to another, overlaps included", async () => {
    const x = tensor([1, 2, 3, 4, 5]);
    x.narrow(0, { start: 1, length: 4 }).copyFrom(x.narrow(0, { start: 0, length: 4 }));
    expect([...(await x.data())]).toEqual([1, 1, 2, 3, 4]);
    x.copyFrom(x.flip({ axis: 0 }));
    expect([...(await x.data())]).toEqual([4, 3, 2, 1, 1]);
    const square = tensor([
      [1, 2],
      [3, 4],
    ]);
    square.copyFrom(square.transpose(0, 1));
    expect([...(await square.data())]).toEqual([1, 3, 2, 4]);
  });

  it("reaches every element of more than 65,535 workgroups", async () => {
    const columns = 3;
    const rows = (65_536 * 64) / 2;
    const x = tensor(
      Float32Array.from({ length: rows * columns }, (_, i) => i),
      { shape: [rows, columns] },
    );
    const actual = await x
      .slice([[], [1, 3]])
      .contiguous()
      .data();
    expect(actual.findIndex((v, i) => v !== 3 * (i >> 1) + 1 + (i & 1))).toBe(-1);
  });

  it("refuses computed tensors, other dtypes and shapes that do not broadcast", () => {
    const leaf = tensor([1, 2], { requiresGrad: true });
    expect(() => leaf.mul(2).copyFrom(tensor([1, 2]))).toThrow(AutogradError);
    expect(() => leaf.mul(2).fill(0)).toThrow(AutogradError);
    expect(() => zeros([2]).copyFrom(tensor(Int32Array.of(1, 2)))).toThrow(DTypeError);
    expect(() => zeros([2]).copyFrom(zeros([3]))).toThrow(ShapeError);
  });
});

describe("fill() and full()", () => {
  it("set every element of a view and nothing beside it", async () => {
    await fc.assert(
      fc.asyncProperty(shape({ maxCount: 300 }).chain(writable), fc.constantFrom(0, -1.5, 3e38), async (layout, value) => {
        const whole = full(layout.base, 7);
        applyView(whole, layout).fill(value);
        const changed = Array.from(await whole.data()).filter((v) => v !== 7);
        expect(changed).toEqual(new Array(zeros(layout.shape).size).fill(Math.fround(value)));
      }),
      runs(20),
    );
  });

  it("know every dtype", async () => {
    expect([...(await full([2], -3, { dtype: "i32" }).data())]).toEqual([-3, -3]);
    expect([...(await full([1], 2 ** 32 - 1, { dtype: "u32" }).data())]).toEqual([2 ** 32 - 1]);
    expect([...(await full([2], 5, { dtype: "bool" }).data())]).toEqual([1, 1]);
    expect([...(await full([2], NaN).data())]).toEqual([NaN, NaN]);
    expect(full([0], 1).shape).toEqual([0]);
  });
});

describe("clone(), contiguous() and dense()", () => {
  it("give a copy of their own where one is needed, and the tensor itself where not", async () => {
    const x = tensor([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    expect(contiguous(x)).toBe(x);
    expect(dense(x)).toBe(x);
    expect(x.clone().storage).not.toBe(x.storage);
    const turned = x.transpose(0, 1);
    expect(contiguous(turned).isContiguous).toBe(true);
    expect([...(await turned.contiguous().data())]).toEqual([1, 4, 2, 5, 3, 6]);
    // Contiguous, but not at a place where a kernel can be bound.
    const row = x.select(0, 1);
    expect(contiguous(row)).toBe(row);
    expect(row.isDense).toBe(false);
    expect(dense(row).isDense).toBe(true);
    expect([...(await dense(row).data())]).toEqual([4, 5, 6]);
  });

  it("pass the gradient through", async () => {
    const x = tensor([[1, 2]], { requiresGrad: true });
    x.transpose(0, 1).contiguous().clone().mul(3).sum().backward();
    expect([...(await x.grad!.data())]).toEqual([3, 3]);
  });
});
