import fc from "fast-check";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { capture } from "../capture/capture.ts";
import { tensor } from "../create.ts";
import type { Device, KernelFamily } from "../device/device.ts";
import { withMutation } from "../device/kernel.ts";
import { openDevice } from "../device/open.ts";
import type { DType } from "../dtype.ts";
import { ShapeError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
import {
  applyView,
  expectClose,
  map,
  type Nd,
  nd,
  oracle,
  runs,
  seed,
  seededValues,
  shape,
  type ValueKind,
  type View,
  valueKind,
  view,
  viewed,
} from "../testing/mod.ts";

let device: Device;
let ownFamily: KernelFamily;
beforeAll(async () => {
  device = await openDevice();
  ownFamily = device.family;
});
afterEach(() => {
  device.family = ownFamily;
});

function upload(x: Nd, dtype: DType = "f32"): Tensor {
  const data = dtype === "f32" ? Float32Array.from(x.data) : dtype === "i32" ? Int32Array.from(x.data) : Uint32Array.from(x.data);
  return tensor(data, { shape: x.shape, dtype });
}

/** Numbers with every special value among them, in rows that differ. */
function withSpecials(x: Nd, seed: number): Nd {
  const specials = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -0, 2 ** -140, -(2 ** -140), Math.fround(3.4e38)];
  const dice = seededValues(seed + 99, x.shape, "uniform");
  return nd(
    x.shape,
    x.data.map((value, i) => (dice.data[i]! > 0.3 ? value : specials[Math.floor((dice.data[i]! + 1) * 1000) % specials.length]!)),
  );
}

type Kind = ValueKind | "special" | "equal";

function draw(seed: number, shape: readonly number[], kind: Kind): Nd {
  if (kind === "special") return withSpecials(seededValues(seed, shape), seed);
  if (kind === "equal") return map(seededValues(seed, shape), () => 1.5);
  return seededValues(seed, shape, kind);
}

const kinds: fc.Arbitrary<Kind> = fc.oneof(valueKind("normal", "integers", "adversarial"), fc.constantFrom<Kind>("special", "equal"));
const families = fc.constantFrom<KernelFamily>("tile", "portable");

interface Case {
  readonly x: View;
  readonly axis: number;
  readonly kind: Kind;
  readonly seed: number;
  readonly family: KernelFamily;
}

/** Values and places against the oracle; −0 and +0 tell themselves apart, so the values are really the elements of those places. */
async function orderAgrees(got: { values: Tensor; indices: Tensor }, want: oracle.Sorted): Promise<void> {
  expect(got.values.shape).toEqual(want.values.shape);
  expect(got.indices.dtype).toBe("i32");
  expectClose(await got.indices.data(), want.indices, 0);
  const values = await got.values.data();
  const wrong = want.values.data.findIndex((value, i) => !Object.is(value, values[i]));
  if (wrong >= 0) throw new Error(`Expected ${want.values.data[wrong]} at ${wrong} but found ${values[wrong]}`);
}

/** The gradient goes to where the values came from, and nowhere else. */
async function gradientAgrees(leaf: Tensor, values: Tensor, rest: { indices: Nd; axis: number; seed: number }): Promise<void> {
  const cotangent = seededValues(rest.seed + 5, values.shape);
  values.backward({ gradient: upload(cotangent) });
  const expected = oracle.scatterAdd(nd(leaf.shape), rest.indices, cotangent, { axis: rest.axis });
  expectClose(await leaf.grad!.data(), expected, 0);
}

async function sortAgrees({ x, axis, kind, seed, family, descending }: Case & { descending: boolean }): Promise<void> {
  device.family = family;
  const base = draw(seed, x.base, kind);
  const leaf = applyView(upload(base), x).detach();
  leaf.requiresGrad = true;
  const got = leaf.sort({ axis, descending });
  const want = oracle.sort(viewed(base, x), { axis, descending });
  await orderAgrees(got, want);
  expectClose(await leaf.argsort({ axis, descending }).data(), want.indices, 0);
  await gradientAgrees(leaf, got.values, { indices: want.indices, axis, seed });
}

async function topkAgrees({ x, axis, kind, seed, family, k, largest }: Case & { k: number; largest: boolean }): Promise<void> {
  device.family = family;
  const base = draw(seed, x.base, kind);
  const leaf = applyView(upload(base), x).detach();
  leaf.requiresGrad = true;
  const got = leaf.topk(k, { axis, largest });
  const want = oracle.topk(viewed(base, x), k, { axis, largest });
  await orderAgrees(got, want);
  await gradientAgrees(leaf, got.values, { indices: want.indices, axis, seed });
}

const dense = (shape: number[]): View => ({ shape, base: shape, steps: [] });

/** Shapes with an axis among them that may be long. */
const shapes = fc.oneof(
  shape({ minRank: 1, maxRank: 4, maxCount: 2000 }),
  fc.tuple(fc.integer({ min: 1, max: 4 }), fc.constantFrom(255, 256, 257, 1000, 2047, 2048, 2049, 2500)).map((s): number[] => s),
  fc.tuple(fc.constantFrom(257, 600, 2049), fc.integer({ min: 1, max: 3 })).map((s): number[] => s),
);
const cases = shapes.chain((shape) =>
  fc.record({
    x: view(shape),
    axis: fc.integer({ min: -shape.length, max: shape.length - 1 }),
    kind: kinds,
    seed: seed(),
    family: families,
  }),
);

describe("sort", () => {
  it("orders any axis of any layout stably, NaN last, and gives gradients back to where values came from", async () => {
    const property = fc.asyncProperty(cases, fc.boolean(), (drawn, descending) => sortAgrees({ ...drawn, descending }));
    await fc.assert(property, runs(60));
  });

  it("orders integers, also those that f32 cannot hold", async () => {
    const property = fc.asyncProperty(
      fc.record({ n: fc.constantFrom(1, 7, 100, 700), seed: seed(), descending: fc.boolean(), unsigned: fc.boolean(), family: families }),
      async ({ n, seed, descending, unsigned, family }) => {
        device.family = family;
        const uniform = seededValues(seed, [3, n], "uniform");
        const x = map(uniform, (u) => (unsigned ? Math.floor((u + 1) * 2 ** 31) : Math.floor(u * 2 ** 31)));
        await orderAgrees(upload(x, unsigned ? "u32" : "i32").sort({ descending }), oracle.sort(x, { descending }));
      },
    );
    await fc.assert(property, runs(15));
  });

  it("orders the extremes of integers, and booleans", async () => {
    const i32 = tensor(new Int32Array([0, -(2 ** 31), 2 ** 31 - 1, -1]));
    expect(await i32.sort().values.array()).toEqual([-(2 ** 31), -1, 0, 2 ** 31 - 1]);
    const u32 = tensor(new Uint32Array([2 ** 32 - 1, 0, 2 ** 31]));
    expect(await u32.sort({ descending: true }).indices.array()).toEqual([0, 2, 1]);
    expect(await tensor([true, false, true]).sort().indices.array()).toEqual([1, 0, 2]);
  });

  it("orders a million elements", async () => {
    const x = withSpecials(seededValues(1, [1_000_000], "integers"), 1);
    await orderAgrees(upload(x).sort({ descending: true }), oracle.sort(x, { descending: true }));
  });

  it("counts every NaN as the same, whatever its bits", async () => {
    const bits = new Uint32Array([0xffc00000, 0x7f800000, 0x7f800001, 0xff800000, 0xffffffff, 0x7fc00000]);
    for (const family of ["tile", "portable"] as const) {
      device.family = family;
      const pad = family === "portable" ? 600 : 0; // long enough to be sorted by counting
      const x = tensor(new Float32Array([...new Float32Array(bits.buffer), ...new Float32Array(pad)]));
      const { indices } = x.sort({ descending: true });
      expect([...(await indices.data())].slice(0, 5)).toEqual([0, 2, 4, 5, 1]);
      expect([...(await x.topk(5).indices.data())]).toEqual([0, 2, 4, 5, 1]);
    }
  });

  it("goes beyond 65,535 workgroups", async () => {
    device.family = "portable";
    const row = draw(2, [1, 513], "integers");
    const places = upload(row).expand([16_400, 513]).argsort();
    const { data } = oracle.sort(row).indices;
    for (const start of [0, 8190, 16_390]) {
      const some = await places.narrow(0, { start, length: 10 }).data();
      expectClose(
        some,
        Float64Array.from(some, (_, i) => data[i % 513]!),
        0,
      );
    }
  });

  it("gives a scalar back, and nothing for nothing", async () => {
    const scalar = tensor(3).sort();
    expect([scalar.values.shape, await scalar.values.item(), await scalar.indices.item()]).toEqual([[], 3, 0]);
    const none = tensor(new Float32Array(0), { shape: [0, 3] });
    expect(none.sort({ axis: 0 }).indices.shape).toEqual([0, 3]);
    expect(none.sort({ axis: 1 }).values.shape).toEqual([0, 3]);
  });

  it("can be captured: new values need no new plan, and no memory is read before it is written", async () => {
    for (const family of ["tile", "portable"] as const) {
      device.family = family;
      const step = capture((x: Tensor) => ({ sorted: x.sort(), top: x.topk(9, { axis: 0 }) }), { poison: true });
      for (let run = 0; run < 3; run++) {
        const x = draw(run, [40, 700], "integers");
        const { sorted, top } = await step(upload(x));
        await orderAgrees(sorted, oracle.sort(x));
        await orderAgrees(top, oracle.topk(x, 9, { axis: 0 }));
      }
    }
  });
});

describe("topk", () => {
  it("finds the greatest or least of any axis in order, equal ones as they stand, with gradients", async () => {
    const withK = cases.chain((drawn) => {
      const n = drawn.x.shape.at(drawn.axis)!;
      return fc.record({
        drawn: fc.constant(drawn),
        k: fc.oneof(fc.integer({ min: 1, max: n }), fc.integer({ min: 1, max: Math.min(n, 8) })),
      });
    });
    const property = fc.asyncProperty(withK, fc.boolean(), ({ drawn, k }, largest) => topkAgrees({ ...drawn, k, largest }));
    await fc.assert(property, runs(60));
  });

  it("sifts long rows piece by piece, and sorts where k is large", async () => {
    for (const [n, k] of [
      [16_385, 1],
      [40_000, 33],
      [300_000, 1024],
      [20_000, 1025],
    ] as const)
      for (const kind of ["normal", "integers", "equal"] as const)
        await topkAgrees({ x: dense([2, n]), axis: 1, kind, seed: n, family: ownFamily, k, largest: kind !== "normal" });
  });

  it("goes beyond 65,535 workgroups", async () => {
    const x = draw(1, [65_540, 5], "integers");
    await orderAgrees(upload(x).topk(1), oracle.topk(x, 1));
  });

  it("finds none where k is 0", () => {
    expect(tensor([[1, 2, 3]]).topk(0).values.shape).toEqual([1, 0]);
  });

  it("gives the same bits again", async () => {
    const x = upload(draw(1, [50, 3000], "integers"));
    expect(await x.topk(50).indices.data()).toEqual(await x.topk(50).indices.data());
  });

  it("refuses a k that the axis does not have", () => {
    expect(() =>
      tensor([
        [1, 2],
        [3, 4],
      ]).topk(3),
    ).toThrow(ShapeError);
    expect(() => tensor([1, 2]).topk(1.5)).toThrow(/k in 0…2/);
  });
});

describe("The properties notice a broken kernel", () => {
  const example = {
    x: dense([3, 900]),
    axis: 1,
    kind: "special",
    seed: 1,
    family: "tile",
    descending: false,
    k: 20,
    largest: true,
  } as const;
  const ties = { ...example, kind: "integers" } as const;
  const long = { ...example, x: dense([2, 2500]), family: "portable" } as const; // more chunks than the short form of the prefix takes

  it.each([
    ["sort", "owners[a] > owners[b]", "owners[a] < owners[b]", sortAgrees, ties],
    ["sort", "magnitude > 0x7f800000u", "magnitude >= 0x7f800000u", sortAgrees, example],
    ["sort", "magnitude == 0u", "magnitude == 1u", sortAgrees, example],
    ["sort", "i <= prefix.y", "i < prefix.y", topkAgrees, ties],
    ["sort", "wanted = choice.y", "wanted = max(choice.y, 2u) - 1u", topkAgrees, ties],
    ["counting_sort", "magnitude == 0u", "magnitude == 1u", sortAgrees, long],
    ["counting_sort", "before += here", "before += here + 1u", sortAgrees, long],
    ["gather", "out[place + chosen", "out[place + (chosen + 1u) % params.axisSize", sortAgrees, example], // not left out: memory may hold it
  ] as const)("%s with '%s' as '%s'", async (shader, find, replace, property, given) => {
    await property(given);
    await withMutation(shader, [find, replace], () => expect(property(given)).rejects.toThrow());
  });
});
