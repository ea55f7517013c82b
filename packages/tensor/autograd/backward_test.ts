import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tensor } from "../create.ts";
import type { Device } from "../device/device.ts";
import { openDevice } from "../device/open.ts";
import { AutogradError, ShapeError } from "../errors.ts";
import { cat } from "../ops/join.ts";
import { layerNorm } from "../ops/layer_norm.ts";
import { linear } from "../ops/linear.ts";
import type { Tensor } from "../tensor.ts";
import { applyView, epsilon, expectClose, map, type Nd, nd, runs, seededValues, shape, view, viewed } from "../testing/mod.ts";
import { enableGrad, isGradEnabled, noGrad } from "./apply.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

const leaf = (values: number[] | number[][] | number): Tensor => tensor(values, { requiresGrad: true });
const upload = (x: Nd): Tensor => tensor(Float32Array.from(x.data), { shape: x.shape });
const values = async (t: Tensor | null): Promise<unknown> => t?.array() ?? null;

describe("backward", () => {
  it("adds to the gradients that are there", async () => {
    const x = leaf([1, 2]);
    x.mul(3).sum().backward();
    x.mul(x).sum().backward();
    expect(await values(x.grad)).toEqual([5, 7]);
  });

  it("goes through a diamond once, with both sides added up", async () => {
    const x = leaf([2, 3]);
    const y = x.mul(x); // x²
    y.mul(5).add(y.mul(y)).sum().backward(); // 5x² + x⁴
    expect(await values(x.grad)).toEqual([10 * 2 + 4 * 8, 10 * 3 + 4 * 27]);
  });

  it("walks a long chain of diamonds without following each path", async () => {
    const x = leaf(1);
    let y: Tensor = x;
    for (let i = 0; i < 60; i++) y = y.add(y); // 2⁶⁰ paths
    y.backward();
    expect(await values(x.grad)).toBe(2 ** 60);
  });

  it("counts a tensor twice that is both operands, and a leaf that is used twice", async () => {
    const x = leaf([3, -4]);
    x.mul(x).sum().backward();
    expect(await values(x.grad)).toEqual([6, -8]);
    const y = leaf([[1, 2]]);
    y.matmul(y.transpose(0, 1)).add(y.sum()).sum().backward(); // |y|² + Σ y
    expect(await values(y.grad)).toEqual([[3, 5]]);
  });

  it("gives nothing to what wants nothing, and null to what the result does not depend on", async () => {
    const [x, other, constant] = [leaf([1]), leaf([1]), tensor([2])];
    other.mul(2);
    x.mul(constant).sum().backward();
    expect([other.grad, constant.grad]).toEqual([null, null]);
    expect(await values(x.grad)).toEqual([2]);
  });

  it("starts from the gradient it is given, and asks for one unless the tensor has one element", async () => {
    const x = leaf([1, 2, 3]);
    const y = x.mul(x);
    expect(() => y.backward()).toThrow(AutogradError);
    expect(() => y.backward()).toThrow("Expected a scalar but found shape [3]: reduce it first, or pass { gradient }");
    expect(() => y.backward({ gradient: tensor([1, 1]) })).toThrow(ShapeError);
    y.backward({ gradient: tensor([1, 10, 100]) });
    expect(await values(x.grad)).toEqual([2, 40, 600]);
    const single = leaf([[7]]);
    single.mul(2).backward();
    expect(await values(single.grad)).toEqual([[2]]);
  });

  it("of a leaf is the gradient itself", async () => {
    const x = leaf([1, 2]);
    x.backward({ gradient: tensor([3, 4]) });
    expect(await values(x.grad)).toEqual([3, 4]);
  });

  it("refuses a tensor without history", () => {
    expect(() => tensor(1).backward()).toThrow("Expected a tensor that depends on one with requiresGrad");
    expect(() => leaf(1).mul(2).detach().backward()).toThrow(AutogradError);
  });

  it("frees the tape unless told to keep it", async () => {
    const x = leaf([2]);
    const y = x.mul(x).sum();
    y.backward({ retainGraph: true });
    y.backward();
    expect(await values(x.grad)).toEqual([8]);
    expect(() => y.backward()).toThrow(
      "Expected an unused tape but 'sum' was freed by an earlier backward: pass { retainGraph: true } there",
    );
    const shared = x.mul(x);
    shared.sum().backward();
    expect(() => shared.neg().sum().backward()).toThrow("Expected an unused tape but 'mul' was freed");
    expect(await values(x.grad)).toEqual([12]);
  });

  it("keeps the gradient of a computed tensor on request, all its uses added up", async () => {
    const x = leaf([1, 2]);
    const y = x.mul(2).retainGrad();
    const z = y.mul(y);
    z.add(y.mul(3)).sum().backward();
    expect(await values(y.grad)).toEqual([4 + 3, 8 + 3]);
    expect(await values(x.grad)).toEqual([14, 22]);
    expect(z.grad).toBeNull();
  });

  describe("lets a rule add inside of its kernel what others have given", () => {
    const weight = seededValues(2, [8, 8]);
    const branches: [string, (x: Tensor) => Tensor][] = [
      ["linear", (x) => linear(x, upload(weight), null)],
      ["layerNorm", (x) => layerNorm(x, upload(seededValues(3, [8])))],
    ];
    const x0 = seededValues(1, [2, 3, 8]);
    const slope = seededValues(4, [2, 3, 8]);

    /** The gradient of x for branch(x) + x, and the launches that backward took. */
    const run = async (branch: (x: Tensor) => Tensor, { keep = false, gradient = upload(slope) } = {}) => {
      const x = upload(x0);
      x.requiresGrad = true;
      const stream = keep ? x.mul(1).retainGrad() : x.mul(1);
      const before = device.stats().dispatches;
      branch(stream).add(stream).backward({ gradient });
      const launches = device.stats().dispatches - before;
      return { launches, sum: await x.grad!.data(), kept: keep ? await stream.grad!.data() : undefined };
    };

    /** The same from two backward passes, which have nothing to add. */
    const apart = async (branch: (x: Tensor) => Tensor, gradient = upload(slope)): Promise<Nd> => {
      const x = upload(x0);
      x.requiresGrad = true;
      branch(x).backward({ gradient });
      const own = await x.grad!.data();
      const data = await gradient.data();
      return nd(
        x0.shape,
        Float64Array.from(own, (v, i) => v + data[i]!),
      );
    };

    for (const [name, branch] of branches) {
      const close = (actual: ArrayLike<number>, expected: Nd): void =>
        expectClose(
          actual,
          expected,
          map(expected, (v) => 4 * epsilon * Math.max(1, Math.abs(v))),
        );

      it(`${name} around a residual stream, of any layout`, async () => {
        close((await run(branch)).sum, await apart(branch));
        const strided = upload(seededValues(5, [3, 2, 8])).transpose(0, 1);
        close((await run(branch, { gradient: strided })).sum, await apart(branch, strided));
      });

      it(`${name} in one launch less than where the stream's own gradient is kept`, async () => {
        const [plain, kept] = [await run(branch), await run(branch, { keep: true })];
        expect(plain.launches).toBeLessThan(kept.launches);
        close(kept.sum, await apart(branch));
        close(kept.kept!, await apart(branch));
      });
    }
  });

  it("takes only the pieces of a split that were used", async () => {
    const x = leaf([1, 2, 3, 4, 5]);
    const [a, , c] = x.split([2, 1, 2]) as [Tensor, Tensor, Tensor];
    a.mul(10).sum().add(c.mul(c).sum()).backward();
    expect(await values(x.grad)).toEqual([10, 10, 0, 8, 10]);
  });

  it("adds up what overlapping views of one leaf get", async () => {
    const x = leaf([1, 2, 3, 4]);
    const [head, tail, backwards] = [x.slice([[0, 3]]), x.slice([[1, 4]]), x.reshape([2, 2]).transpose(0, 1)];
    head
      .mul(tail)
      .sum()
      .add(
        backwards
          .mul(
            tensor([
              [1, 2],
              [3, 4],
            ]),
          )
          .sum(),
      )
      .backward();
    expect(await values(x.grad)).toEqual([2 + 1, 1 + 3 + 3, 2 + 4 + 2, 3 + 4]);
  });

  it("reaches the base of any view with each element's gradients added up", async () => {
    const drawn = shape({ maxCount: 300, maxRank: 3 }).chain((s) => view(s));
    await fc.assert(
      fc.asyncProperty(drawn, fc.nat(1e6), async (v, seed) => {
        const base = tensor(new Float32Array(seededValues(seed, v.base).data), { shape: v.base, requiresGrad: true });
        const u = seededValues(seed + 1, v.shape, "integers"); // sums of small whole numbers are exact
        applyView(base, v as never)
          .mul(tensor(new Float32Array(u.data), { shape: v.shape }))
          .sum()
          .backward();
        expect([...(await base.grad!.data())]).toEqual([...spread(v, u).data]);
      }),
      runs(25),
    );
  });

  it("gives each leaf a gradient of its own, which may be changed in place", async () => {
    const [a, b] = [leaf([1, 2, 3]), leaf([4, 5, 6])];
    const y = a.add(b).retainGrad();
    const seed = tensor([1, 2, 3]);
    y.backward({ gradient: seed });
    a.grad!.fill(0);
    b.grad!.copyFrom(b.grad!.mul(10));
    expect([await values(a.grad), await values(b.grad)]).toEqual([
      [0, 0, 0],
      [10, 20, 30],
    ]);
    expect([await values(seed), await values(y.grad)]).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
    const whole = leaf([
      [1, 2],
      [3, 4],
    ]);
    whole.sum().backward(); // one element seen four times
    whole.grad!.copyFrom(
      whole.grad!.mul(
        tensor([
          [1, 2],
          [3, 4],
        ]),
      ),
    );
    expect(await values(whole.grad)).toEqual([
      [1, 2],
      [3, 4],
    ]);
    const [left, right] = [leaf([1]), leaf([2, 3])];
    cat([left, right], { axis: 0 })
      .add(leaf([0, 0, 0]))
      .sum()
      .backward();
    right.grad!.fill(5);
    expect([await values(left.grad), await values(right.grad)]).toEqual([[1], [5, 5]]);
  });
});

/** The adjoint of a view: each element of `u` added to the element of the base that the view shows there. */
function spread(v: Parameters<typeof viewed>[1], u: Nd): Nd {
  const places = nd(
    v.base,
    Array.from({ length: v.base.reduce((a, b) => a * b, 1) }, (_, i) => i),
  );
  const result = nd(v.base);
  for (const [i, place] of viewed(places, v).data.entries()) result.data[place]! += u.data[i]!;
  return result;
}

describe("the tape", () => {
  it("is not written inside noGrad, and again inside enableGrad", () => {
    const x = leaf([1]);
    expect(noGrad(() => x.mul(2).requiresGrad)).toBe(false);
    expect(noGrad(() => enableGrad(() => x.mul(2).requiresGrad))).toBe(true);
    expect(noGrad(() => isGradEnabled())).toBe(false);
    expect(x.mul(2).requiresGrad).toBe(true);
  });

  it("is written again after a body that failed", async () => {
    const fail = (): never => {
      throw new Error("from the body");
    };
    expect(() => noGrad(fail)).toThrow("from the body");
    expect(isGradEnabled()).toBe(true);
    await expect(noGrad(async () => fail())).rejects.toThrow("from the body");
    expect(isGradEnabled()).toBe(true);
  });

  it("stays off until an async body settles", async () => {
    const x = leaf([1]);
    const inside = await noGrad(async () => {
      await x.data();
      return x.mul(2).requiresGrad;
    });
    expect(inside).toBe(false);
    expect(isGradEnabled()).toBe(true);
  });

  it("is on again when async bodies that overlap have all settled, in whatever order", async () => {
    const open: (() => void)[] = [];
    const bodies = [0, 1, 2].map((i) =>
      noGrad(
        () =>
          new Promise<void>((resolve) => {
            open[i] = resolve;
          }),
      ),
    );
    const settled: boolean[] = [];
    for (const i of [0, 2, 1]) {
      open[i]!();
      await bodies[i];
      settled.push(isGradEnabled());
    }
    expect(settled).toEqual([false, false, true]);
  });

  it("is left by detach, which shares memory and gives no gradient", async () => {
    const x = leaf([1, 2]);
    const y = x.mul(3);
    const cut = y.detach();
    expect([cut.requiresGrad, cut.storage === y.storage]).toEqual([false, true]);
    cut.mul(x).sum().backward();
    expect(await values(x.grad)).toEqual([3, 6]);
    expect(y.requiresGrad).toBe(true);
  });

  it("belongs to f32 alone, and marks leaves alone", () => {
    const x = leaf([1, 2]);
    expect(x.gt(1).requiresGrad).toBe(false);
    expect(x.argmax().requiresGrad).toBe(false);
    expect(() => tensor([1], { dtype: "i32", requiresGrad: true })).toThrow("Expected an f32 tensor for a gradient but found i32");
    expect(() => {
      x.mul(2).requiresGrad = true;
    }).toThrow("Expected a leaf");
    x.requiresGrad = false;
    expect(x.mul(2).requiresGrad).toBe(false);
  });

  it("keeps a computed tensor from being overwritten", () => {
    const y = leaf([1, 2]).mul(2);
    expect(() => y.fill(0)).toThrow("fill: expected a tensor outside of the tape");
    expect(() => y.copyFrom(tensor([1, 2]))).toThrow("copyFrom: expected a tensor outside of the tape");
  });

  it("leads through a chain of thousands", async () => {
    const x = leaf([1]);
    let y: Tensor = x;
    for (let i = 0; i < 3000; i++) y = y.mul(1.001);
    y.sum().backward();
    expectClose(await x.grad!.data(), [1.001 ** 3000], 2 * 3000 * 2 * epsilon * 1.001 ** 3000); // 1.001 itself is rounded too
  });
});
