import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { tensor } from "../create.ts";
import type { Device, KernelFamily } from "../device/device.ts";
import { withMutation } from "../device/kernel.ts";
import { openDevice } from "../device/open.ts";
import type { DType } from "../dtype.ts";
import { DTypeError, ShapeError, TensorError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
import {
  applyView,
  directionalDerivative,
  dotBound,
  epsilon,
  expectAdjoint,
  expectClose,
  map,
  type Nd,
  nd,
  oracle,
  roundingBound,
  runs,
  scalar,
  seed,
  seededValues,
  shape,
  ulp,
  untilNoticed,
  type ValueKind,
  type View,
  view,
  viewed,
  zip,
} from "../testing/mod.ts";
import type { ReduceOptions } from "./reduce.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});

const families: KernelFamily[] = ["panel", "portable", "tile"];

const upload = (x: Nd, options: { dtype?: DType; requiresGrad?: boolean } = {}): Tensor =>
  tensor(options.dtype === "i32" ? Int32Array.from(x.data) : Float32Array.from(x.data), { shape: x.shape, ...options });

/** A reduction: the engine's, the oracle's, and how far apart they may be. */
interface Reduction {
  readonly name: string;
  run(x: Tensor, options: ReduceOptions): Tensor;
  exact(x: Nd, options: ReduceOptions): Nd;
  bound(x: Nd, options: ReduceOptions): Nd;
  readonly kinds: [ValueKind, ...ValueKind[]];
  /** Keeps values where the op has an error bound worth the name. */
  prepare?(value: number): number;
}

const lengthOf = (x: Nd, options: ReduceOptions): number => x.data.length / oracle.sum(x, options).data.length;
const sumBound = (x: Nd, options: ReduceOptions): Nd => dotBound(lengthOf(x, options), oracle.sum(oracle.abs(x), options));
const any = ["normal", "integers", "adversarial"] as [ValueKind, ...ValueKind[]];
const tame = ["normal", "integers"] as [ValueKind, ...ValueKind[]];

/** Of Σ (x − m)² / (N − 1): the mean's error and each deviation's rounding shift every term, then the sum rounds. */
function varianceBound(x: Nd, options: ReduceOptions): Nd {
  const length = lengthOf(x, options);
  const kept = { ...options, keepDims: true };
  const center = oracle.mean(x, kept);
  const shift = zip(x, center, (v, m) => 2 * epsilon * (Math.abs(v) + Math.abs(m)));
  const error = zip(shift, oracle.mean(oracle.abs(x), kept), (e, size) => e + 2 * (length + 1) * epsilon * size);
  const terms = zip(
    zip(x, center, (v, m) => Math.abs(v - m)),
    error,
    (d, e) => 2 * d * e + e * e,
  );
  const scale = 1 / Math.max(0, length - 1);
  const passedOn = oracle.sum(terms, options);
  return zip(passedOn, oracle.variance(x, options), (t, v) => (scale === Infinity ? 0 : scale * t + 2 * (length + 4) * epsilon * v));
}

/** Of a square root, from its argument's bound. */
function rootBound(squares: Nd, bound: Nd): Nd {
  return zip(squares, bound, (v, e) => Math.sqrt(v + e) - Math.sqrt(Math.max(0, v - e)) + 5 * ulp(Math.sqrt(v)));
}

const exactly = (x: Nd, options: ReduceOptions): Nd => map(oracle.sum(x, options), () => 0);

const reductions: Reduction[] = [
  { name: "sum", run: (x, o) => x.sum(o), exact: oracle.sum, bound: sumBound, kinds: any },
  {
    name: "mean",
    run: (x, o) => x.mean(o),
    exact: oracle.mean,
    bound: (x, o) => map(sumBound(x, o), (e) => (2 * e) / lengthOf(x, o)),
    kinds: any,
  },
  { name: "amax", run: (x, o) => x.amax(o), exact: oracle.max, bound: exactly, kinds: any },
  { name: "amin", run: (x, o) => x.amin(o), exact: oracle.min, bound: exactly, kinds: any },
  {
    name: "prod",
    run: (x, o) => x.prod(o),
    exact: oracle.prod,
    bound: (x, o) => roundingBound(2 * lengthOf(x, o), oracle.abs(oracle.prod(x, o))),
    kinds: tame,
    prepare: (v) => Math.fround(v === 0 ? 1 : Math.sign(v) * (1 + Math.sin(v) / 16)), // products of thousands of these stay in range
  },
  { name: "var", run: (x, o) => x.var(o), exact: oracle.variance, bound: varianceBound, kinds: tame },
  {
    name: "std",
    run: (x, o) => x.std(o),
    exact: oracle.std,
    bound: (x, o) => (lengthOf(x, o) === 1 ? exactly(x, o) : rootBound(oracle.variance(x, o), varianceBound(x, o))),
    kinds: tame,
  },
  {
    name: "norm 1",
    run: (x, o) => x.norm({ ...o, p: 1 }),
    exact: (x, o) => oracle.norm(x, { ...o, p: 1 }),
    bound: sumBound,
    kinds: any,
  },
  {
    name: "norm 2",
    run: (x, o) => x.norm(o),
    exact: oracle.norm,
    bound(x, o) {
      const squares = oracle.sum(oracle.square(x), o);
      return rootBound(squares, dotBound(lengthOf(x, o) + 1, squares));
    },
    kinds: tame,
  },
  {
    name: "norm ∞",
    run: (x, o) => x.norm({ ...o, p: Infinity }),
    exact: (x, o) => oracle.norm(x, { ...o, p: Infinity }),
    bound: exactly,
    kinds: any,
  },
  {
    name: "logsumexp",
    run: (x, o) => x.logsumexp(o),
    exact: oracle.logsumexp,
    /** exp's own 3 + 2 gap ulp, of which a sum weighted by exp(−gap) keeps less than 5; the sum's roundings; log's error. */
    bound(x, o) {
      const sumError = epsilon * (2 * (3 + 2) + 4 + 2 * lengthOf(x, o));
      return zip(oracle.logsumexp(x, o), oracle.max(x, o), (result, max) => {
        const log = result - max;
        return sumError + 3 * ulp(log) + 2 ** -21 + 2 * epsilon * (Math.abs(max) + log);
      });
    },
    kinds: any,
  },
  {
    name: "any",
    run: (x, o) => x.any(o),
    exact: (x, o) =>
      oracle.max(
        map(x, (v) => Number(v !== 0)),
        o,
      ),
    bound: exactly,
    kinds: any,
  },
  {
    name: "countNonzero",
    run: (x, o) => x.countNonzero(o),
    exact: (x, o) =>
      oracle.sum(
        map(x, (v) => Number(v !== 0)),
        o,
      ),
    bound: exactly,
    kinds: any,
  },
  {
    name: "all",
    run: (x, o) => x.all(o),
    exact: (x, o) =>
      oracle.min(
        map(x, (v) => Number(v !== 0)),
        o,
      ),
    bound: exactly,
    kinds: any,
  },
];

const named = (name: string): Reduction => reductions.find((r) => r.name === name)!;

interface Case {
  readonly view: View;
  readonly options: ReduceOptions;
  readonly family: KernelFamily;
  readonly seed: number;
}

/** A view and some of its axes. */
const cases = (options: { maxCount?: number } = {}): fc.Arbitrary<Case> =>
  shape({ maxCount: 4096, ...options }).chain((shape) =>
    fc.record({
      view: view(shape),
      options: fc.record(
        {
          axis: fc.subarray(
            shape.map((_, i) => (i % 2 ? i : i - shape.length)),
            { minLength: Math.min(1, shape.length) },
          ),
          keepDims: fc.boolean(),
        },
        { requiredKeys: ["keepDims"] },
      ),
      family: fc.constantFrom(...families),
      seed: seed(),
    }),
  );

const inputs = (c: Case, { kinds, prepare }: Pick<Reduction, "kinds" | "prepare">): Nd => {
  const values = seededValues(c.seed, c.view.base, kinds[c.seed % kinds.length]);
  return prepare ? map(values, prepare) : values;
};

async function agrees(reduction: Reduction, c: Case): Promise<void> {
  device.family = c.family;
  const { options } = c;
  const base = inputs(c, reduction);
  const x = viewed(base, c.view);
  const result = reduction.run(applyView(upload(base), c.view), options);
  const exact = reduction.exact(x, options);
  expect(result.shape).toEqual(exact.shape);
  expectClose(await result.data(), exact, reduction.bound(x, options));
}

const agreement = (reduction: Reduction, n: number): Promise<void> =>
  fc.assert(
    fc.asyncProperty(cases(), (c) => agrees(reduction, c)),
    runs(n),
  );

describe("reductions", () => {
  for (const reduction of reductions) it(`${reduction.name} agrees with float64 over any axes of any view`, () => agreement(reduction, 40));

  it("sums ten million elements to within the error of a tree", async () => {
    const count = 10_000_000;
    const values = new Float32Array(count);
    let exact = 0;
    for (let i = 0; i < count; i++) {
      values[i] = 0.1 + (i % 7) * 1e-3;
      exact += values[i]!;
    }
    for (const family of families) {
      device.family = family;
      const x = tensor(values);
      const found = await x.sum().item();
      expect(Math.abs(found - exact) / exact).toBeLessThan(1e-7 * Math.log2(count));
      x.storage.release();
    }
  });

  it("folds more stretches than a dispatch may have workgroups in one dimension", async () => {
    device.family = "tile";
    const rows = 65_537;
    const x = seededValues(1, [rows, 32], "integers");
    const tall = upload(x);
    expectClose(await tall.sum({ axis: 1 }).data(), oracle.sum(x, { axis: 1 }), 0);
    device.family = "portable";
    const many = 64 * 65_535 + 65;
    const ramp = tensor(Float32Array.from({ length: many }, (_, i) => i)).reshape([many, 1]);
    const doubled = await ramp.expand([many, 2]).sum({ axis: 1 }).data();
    expect(doubled.findIndex((v, i) => v !== 2 * i)).toBe(-1);
  });

  it("gives the same bits every time", async () => {
    const x = upload(seededValues(3, [50, 700]));
    for (const family of families) {
      device.family = family;
      for (const axis of [[0], [1], [0, 1]]) expect(await x.sum({ axis }).data()).toEqual(await x.sum({ axis }).data());
    }
  });

  it("adds, compares and counts integers exactly", async () => {
    const x = map(seededValues(5, [37, 41], "uniform"), (v) => Math.floor(v * 2 ** 30));
    for (const family of families) {
      device.family = family;
      const ints = upload(x, { dtype: "i32" });
      expect(Array.from(await ints.sum({ axis: 0 }).data())).toEqual(Array.from(oracle.sum(x, { axis: 0 }).data, (v) => v | 0));
      expect(Array.from(await ints.amax({ axis: 1 }).data())).toEqual(Array.from(oracle.max(x, { axis: 1 }).data));
      expect(Array.from(await ints.amin({ axis: 1 }).data())).toEqual(Array.from(oracle.min(x, { axis: 1 }).data));
      expect(Array.from(await ints.argmin({ axis: 1 }).data())).toEqual(Array.from(oracle.argmin(x, { axis: 1 }).data));
    }
    const big = tensor(Uint32Array.of(3_000_000_000, 1, 4_000_000_000));
    expect(await big.amax().item()).toBe(4_000_000_000);
    expect(await big.amin().item()).toBe(1);
    expect(await tensor([true, false, true]).sum().item()).toBe(2);
  });

  it("gives what a fold of nothing is", async () => {
    const nothing = tensor(new Float32Array(0), { shape: [3, 0] });
    const over = { axis: 1 };
    for (const family of families) {
      device.family = family;
      expect(Array.from(await nothing.sum(over).data())).toEqual([0, 0, 0]);
      expect(Array.from(await nothing.prod(over).data())).toEqual([1, 1, 1]);
      expect(Array.from(await nothing.mean(over).data())).toEqual([NaN, NaN, NaN]);
      expect(Array.from(await nothing.logsumexp(over).data())).toEqual([-Infinity, -Infinity, -Infinity]);
      expect(Array.from(await nothing.any(over).data())).toEqual([0, 0, 0]);
      expect(Array.from(await nothing.countNonzero(over).data())).toEqual([0, 0, 0]);
      expect(Array.from(await nothing.all(over).data())).toEqual([1, 1, 1]);
      expect((await nothing.sum({ axis: 0 }).data()).length).toBe(0);
    }
    expect(() => nothing.amax(over)).toThrow(ShapeError);
    expect(() => nothing.argmin(over)).toThrow(ShapeError);
  });

  it("lets infinities and NaN through", async () => {
    const rows = tensor([
      [1, NaN, 3],
      [-Infinity, -Infinity, -Infinity],
      [Infinity, 0, 1],
      [-0, 0, -1],
    ]);
    const over = { axis: 1 };
    expect(Array.from(await rows.amax(over).data())).toEqual([NaN, -Infinity, Infinity, 0]);
    expect(Array.from(await rows.amin(over).data())).toEqual([NaN, -Infinity, 0, -1]);
    expect(Array.from(await rows.argmax(over).data())).toEqual([1, 0, 0, 0]);
    expect(Array.from(await rows.logsumexp(over).data()).slice(0, 3)).toEqual([NaN, -Infinity, Infinity]);
    expect(Array.from(await rows.any(over).data())).toEqual([1, 1, 1, 1]);
    expect(Array.from(await rows.all(over).data())).toEqual([1, 1, 0, 0]);
    expect(Array.from(await rows.countNonzero(over).data())).toEqual([3, 3, 2, 1]);
    expect(await rows.sum().item()).toBeNaN();
    const leaf = tensor([1, NaN], { requiresGrad: true });
    leaf.logsumexp().backward();
    expect(Array.from(await leaf.grad!.data())).toEqual([NaN, NaN]);
  });

  it("takes no deviation from E[x²] − E[x]²", async () => {
    const x = tensor([1e4, 1e4 + 1, 1e4 + 2]);
    expect(await x.var().item()).toBe(1);
    expect(await x.var({ correction: 0 }).item()).toBeCloseTo(2 / 3, 6);
    expect(await tensor([5]).var().item()).toBeNaN();
  });

  it("refuses axes that are not there and dtypes that make no sense", () => {
    const x = tensor([[1, 2]]);
    expect(() => x.sum({ axis: 2 })).toThrow(ShapeError);
    expect(() => x.sum({ axis: [0, -2] })).toThrow(ShapeError);
    expect(() => x.to("i32").mean()).toThrow(DTypeError);
    expect(() => x.norm({ p: 3 })).toThrow(TensorError);
  });
});

describe("places of extremes", () => {
  const places = (n: number): Promise<void> =>
    fc.assert(
      fc.asyncProperty(cases(), async (c) => {
        device.family = c.family;
        const [axis] = [c.options.axis].flat() as (number | undefined)[];
        const options = { axis, keepDims: c.options.keepDims };
        const base = seededValues(c.seed, c.view.base, c.seed % 2 ? "integers" : "adversarial"); // both with ties
        const [x, t] = [viewed(base, c.view), applyView(upload(base), c.view)];
        expect(t.argmax(options).dtype).toBe("i32");
        expectClose(await t.argmax(options).data(), oracle.argmax(x, options), 0);
        expectClose(await t.argmin(options).data(), oracle.argmin(x, options), 0);
      }),
      { ...runs(n), endOnFailure: n === untilNoticed },
    );

  it("are the first of equal ones, along one axis or in all", () => places(60));

  it("would be seen to be wrong if the last were taken", () =>
    expect(withMutation("reduce", ["select(0u, ~place,", "select(0u, place + 1u,"], () => places(untilNoticed))).rejects.toThrow(
      "Property failed",
    ));
});

describe("gradients of reductions", () => {
  const differentiable = reductions.map((r) => r.name).filter((name) => !["any", "all", "countNonzero"].includes(name));

  /**
   * Differences across a kink, a tie or a zero, would say nothing. The norm of one element has a kink as |x| has, the deviation of two as
   * |a − b|, and near it the mean's rounding is as large as what is left of a − b.
   */
  const kinked = ["amax", "amin", "norm 1", "norm 2", "norm ∞", "var", "std"];

  /** Values in the same order, but evenly apart, from one another and from 0, in sign and in size. */
  function movedApart(x: Nd): Nd {
    const order = [...x.data.keys()].sort((a, b) => x.data[a]! - x.data[b]!);
    const result = nd(x.shape);
    order.forEach((place, rank) => {
      result.data[place] = Math.fround((4 * (rank + 0.25)) / order.length - 2);
    });
    return result;
  }

  const adjoint = (name: string, n: number): Promise<void> =>
    fc.assert(
      fc.asyncProperty(cases({ maxCount: 300 }), async (c) => {
        const { run, exact, prepare } = named(name);
        const { options } = c;
        fc.pre(!["var", "std"].includes(name) || hasSpread(c));
        device.family = c.family;
        const drawn = inputs(c, { kinds: ["normal"], prepare });
        const base = kinked.includes(name) ? movedApart(drawn) : drawn;
        const leaf = upload(base, { requiresGrad: true });
        const result = run(applyView(leaf, c.view), options);
        const cotangent = seededValues(c.seed + 1, result.shape);
        result.backward({ gradient: upload(cotangent) });
        const direction = seededValues(c.seed + 2, base.shape);
        const derivative = directionalDerivative((b) => exact(viewed(b, c.view), options), [base], [direction]);
        const gradient = { data: await leaf.grad!.data() };
        expectAdjoint({ derivative, cotangent, gradients: [gradient], directions: [direction] }, { tolerance: 2e-5 });
      }),
      { ...runs(n), endOnFailure: n === untilNoticed },
    );

  /** Whether more than one of the base's elements go into each result: a single one has no deviation to differentiate. */
  function hasSpread({ view, options }: Case): boolean {
    const places = nd(view.base).data.map((_, i) => i);
    return oracle.variance(viewed(nd(view.base, places), view), { ...options, correction: 0 }).data.every((v) => v > 0);
  }

  for (const name of differentiable) it(`of ${name} are adjoint to its derivative`, () => adjoint(name, 30));

  it("would be seen to be wrong if a deviation were not centred", () =>
    expect(withMutation("reduce_gradient", ["v - bitcast<f32>(more)", "v"], () => adjoint("var", untilNoticed))).rejects.toThrow(
      "Property failed",
    ));

  it("would be seen to be wrong if ties did not share", async () => {
    const tied = async (): Promise<void> => {
      const x = tensor([3, 1, 3, 3], { requiresGrad: true });
      x.amax().backward();
      expectClose(await x.grad!.data(), [1 / 3, 0, 1 / 3, 1 / 3], 1e-6);
    };
    await tied();
    await expect(withMutation("reduce_gradient", ["slope / f32(more), v", "slope, v"], tied)).rejects.toThrow("outside");
  });

  it("of a product are right with one zero and with more", async () => {
    const x = tensor(
      [
        [2, 0, 5],
        [0, 3, 0],
        [2, 3, 4],
      ],
      { requiresGrad: true },
    );
    x.prod({ axis: 1 }).sum().backward();
    expectClose(await x.grad!.data(), [0, 10, 0, 0, 0, 0, 12, 8, 6], 1e-5);
  });

  it("of norms and deviations of equal elements are zero, not NaN", async () => {
    for (const f of [
      (x: Tensor) => x.norm(),
      (x: Tensor) => x.norm({ p: 1 }),
      (x: Tensor) => x.norm({ p: Infinity }),
      (x: Tensor) => x.std(),
    ]) {
      const x = tensor([0, 0, 0], { requiresGrad: true });
      f(x).backward();
      expect(Array.from(await x.grad!.data())).toEqual([0, 0, 0]);
    }
  });
});

describe("a broken fold", () => {
  it.each([
    [
      "drops a stretch's last element",
      /min\(\(split \+ 1u\) \* params\.chunk, params\.length\)/,
      "min((split + 1u) * params.chunk, params.length) - 1u",
    ],
    ["adds elements beyond the end", "r < end);", "r <= end);"],
    ["mixes up axes", "rest % n) * params.keptStrides", "rest / n) * params.keptStrides"],
    ["forgets the offset", "var place = params.offset", "var place = 0u"],
  ] as const)("that %s is noticed", (_, find, replace) => {
    const property = fc.asyncProperty(cases({ maxCount: 300 }), (c) => agrees(named("sum"), c));
    return expect(
      withMutation("reduce", [find, replace], () => fc.assert(property, { ...runs(untilNoticed), endOnFailure: true })),
    ).rejects.toThrow("Property failed");
  });

  it.for([
    ["panel", "step > 0u; step /= 2u) { total"],
    ["tile", "step > 0u; step /= 2u) {\n"],
  ] as const)("with a tree that loses a lane in the form for %s adapters is noticed", async ([family, find], { skip }) => {
    skip(!device.hasFamily(family), "no subgroups of a fixed size");
    const c = { view: { shape: [2, 100], base: [2, 100], steps: [] }, options: { axis: 1 }, family, seed: 1 };
    const mutation = withMutation("reduce", [find, find.replace("> 0u", "> 1u")], () => agrees(named("sum"), c));
    await expect(mutation).rejects.toThrow("outside");
  });
});

describe("scalars", () => {
  it("reduce to themselves", async () => {
    expect(await upload(scalar(7)).sum().item()).toBe(7);
    expect(await upload(scalar(7)).amax({ keepDims: true }).item()).toBe(7);
  });
});
