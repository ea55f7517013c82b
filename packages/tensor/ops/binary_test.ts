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
  directionalDerivative,
  epsilon,
  expectAdjoint,
  expectClose,
  map,
  type Nd,
  nd,
  oracle,
  runs,
  seed,
  seededValues,
  ulp,
  type ValueKind,
  type View,
  valueKind,
  view,
  viewed,
  zip,
} from "../testing/mod.ts";

beforeAll(async () => {
  await openDevice();
});

const upload = (x: Nd, requiresGrad = false): Tensor => tensor(Float32Array.from(x.data), { shape: x.shape, requiresGrad });

type Operand = Tensor | number;

/** A function of two operands, what it should give, and how far off it may be. */
interface Case {
  readonly op: (a: Tensor, b: Operand) => Tensor;
  readonly exact: (a: Nd, b: Nd) => Nd;
  readonly bound: (a: number, b: number, y: number) => number;
  /** Has a kink where the operands are equal: gradients are tested on integers and halves. */
  readonly kinked?: boolean;
}

const smallest = 2 ** -126;
const rounded = (_a: number, _b: number, y: number): number => ulp(y);
const exactly = (): number => 0;

const arithmetic: Readonly<Record<string, Case>> = {
  add: { op: (a, b) => a.add(b), exact: oracle.add, bound: rounded },
  sub: { op: (a, b) => a.sub(b), exact: oracle.sub, bound: rounded },
  mul: { op: (a, b) => a.mul(b), exact: oracle.mul, bound: rounded },
  div: { op: (a, b) => a.div(b), exact: oracle.div, bound: (_a, _b, y) => 2.5 * ulp(y) }, // WGSL's promise
  maximum: { op: (a, b) => a.maximum(b), exact: oracle.maximum, bound: exactly, kinked: true },
  minimum: { op: (a, b) => a.minimum(b), exact: oracle.minimum, bound: exactly, kinked: true },
};

const comparisons: Readonly<Record<string, Case>> = {
  eq: { op: (a, b) => a.eq(b), exact: oracle.eq, bound: exactly },
  ne: { op: (a, b) => a.ne(b), exact: oracle.ne, bound: exactly },
  lt: { op: (a, b) => a.lt(b), exact: oracle.lt, bound: exactly },
  le: { op: (a, b) => a.le(b), exact: oracle.le, bound: exactly },
  gt: { op: (a, b) => a.gt(b), exact: oracle.gt, bound: exactly },
  ge: { op: (a, b) => a.ge(b), exact: oracle.ge, bound: exactly },
};

/** Whole powers are up to 12 products and a division; others e^(t ln |s|), whose argument's error is relative in the result. */
const pow: Case = {
  op: (a, b) => a.pow(b),
  exact: oracle.pow,
  bound: (a, b, y) => {
    const exponent = Math.abs(b * Math.log(Math.abs(a) || 1));
    return Number.isInteger(b) && Math.abs(b) <= 64 ? 2 * (Math.abs(b) + 4) * ulp(y) : (5 + 5 * exponent) * ulp(y);
  },
};

/** What a property draws: layouts of the operands, and values. */
interface Input {
  readonly left: View;
  readonly right: View;
  readonly seed: number;
  readonly kind: ValueKind;
}

const inputs = (...kinds: [ValueKind, ...ValueKind[]]): fc.Arbitrary<Input> =>
  broadcastPair({ maxCount: 600 }).chain(({ left, right }) =>
    fc.record({ left: view(left), right: view(right), seed: seed(), kind: valueKind(...kinds) }),
  );

/** Results of several functions lie within their bounds, whatever the shapes and layouts; so do those of a number as second operand. */
async function forwardsAgree(chosen: Readonly<Record<string, Case>>, { left, right, seed, kind }: Input): Promise<void> {
  const [p, q] = [seededValues(seed, left.base, kind), seededValues(seed + 1, right.base, kind)];
  const [a, b] = [viewed(p, left), viewed(q, right)];
  const [ta, tb] = [applyView(upload(p), left), applyView(upload(q), right)];
  const number = b.data[0] ?? 1;
  const results = Object.entries(chosen).flatMap(([name, c]) => [
    { name, c, b, y: c.op(ta, tb) },
    { name: `${name} with a number`, c, b: nd([], [number]), y: c.op(ta, number) },
  ]);
  for (const { name, c, b, y } of results) {
    const expected = c.exact(a, b);
    const [wideA, wideB] = [a, b].map((x) => oracle.expand(x, expected.shape).data) as [Float64Array, Float64Array];
    const bound = expected.data.map((v, i) =>
      Number.isFinite(v) ? c.bound(wideA[i]!, wideB[i]!, v) + (c.bound === exactly ? 0 : smallest) : 0,
    );
    expect(y.shape, name).toEqual(expected.shape);
    try {
      expectClose(await y.data(), expected, bound);
    } catch (error) {
      throw new Error(`${name}: ${(error as Error).message}`);
    }
  }
}

/** Gradients fulfil the adjoint identity for operands and a cotangent of any layout. */
async function gradientsAgree(chosen: Readonly<Record<string, Case>>, { left, right, seed, kind }: Input): Promise<void> {
  for (const [name, { op, exact, kinked }] of Object.entries(chosen)) {
    const p = seededValues(seed, left.base, kinked ? "integers" : kind);
    const q = kinked ? oracle.add(seededValues(seed + 1, right.base, "integers"), nd([], [0.5])) : seededValues(seed + 1, right.base, kind);
    const [leafA, leafB] = [upload(p, true), upload(q, true)];
    const y = op(applyView(leafA, left), applyView(leafB, right));
    const cotangent = seededValues(seed + 2, y.shape);
    y.backward({
      gradient: upload(oracle.permute(cotangent, y.shape.map((_, i) => i).reverse())).permute(y.shape.map((_, i) => i).reverse()),
    });
    const directions = [seededValues(seed + 3, left.base), seededValues(seed + 4, right.base)];
    try {
      expectAdjoint(
        {
          derivative: directionalDerivative((a, b) => exact(viewed(a, left), viewed(b, right)), [p, q], directions),
          cotangent,
          gradients: [{ data: await leafA.grad!.data() }, { data: await leafB.grad!.data() }],
          directions,
        },
        { tolerance: 3e-5 },
      );
    } catch (error) {
      throw new Error(`${name}: ${(error as Error).message}`);
    }
  }
}

const dense = (shape: number[]): View => ({ shape, base: shape, steps: [] });
const example: Input = { left: dense([3, 8]), right: dense([8]), seed: 3, kind: "normal" };
const slow: Input = { ...example, left: dense([3, 7]), right: dense([7]) };

describe("arithmetic", () => {
  it("is rounded once for any shapes that broadcast, layouts and values", async () => {
    await fc.assert(
      fc.asyncProperty(inputs("normal", "integers", "positive"), (input) => forwardsAgree(arithmetic, input)),
      runs(40),
    );
  });

  it("has gradients that fulfil the adjoint identity", async () => {
    await fc.assert(
      fc.asyncProperty(inputs("positive"), (input) => gradientsAgree({ ...arithmetic, pow }, input)),
      runs(12),
    );
  });

  it("is noticed when it reads or computes amiss", async () => {
    const { add, div } = arithmetic;
    const broken = async (edit: [string | RegExp, string], check: () => Promise<void>): Promise<void> =>
      withMutation("binary", edit, () => expect(check()).rejects.toThrow("Expected"));
    await broken(["s + t", "s + t * 1.0001"], () => forwardsAgree({ add: add! }, example));
    await broken([/rest - next/g, "next - rest"], () => forwardsAgree({ add: add! }, example));
    await broken(["b[place.y]", "b[place.x]"], () => forwardsAgree({ add: add! }, slow));
    await broken(["params.bSplat == 1u", "params.bSplat == 2u"], () => forwardsAgree({ add: add! }, { ...example, right: dense([3, 1]) }));
    await broken(["s * t", "s"], () => gradientsAgree({ div: div! }, example));
  });

  it("lets NaN win, in maximum and minimum too", async () => {
    const [a, b] = [tensor([NaN, 1, NaN]), tensor([1, NaN, NaN])];
    for (const { op } of Object.values(arithmetic)) {
      expect([...(await op(a, b).data())]).toEqual([NaN, NaN, NaN]);
      expect([...(await op(a, 1).data())]).toEqual([NaN, expect.anything(), NaN]);
    }
  });

  it("knows infinity", async () => {
    const a = tensor([Infinity, -Infinity, 1, -1, 0]);
    expect([...(await a.div(0).data())]).toEqual([Infinity, -Infinity, Infinity, -Infinity, NaN]);
    expect([...(await a.sub(Infinity).data())]).toEqual([NaN, -Infinity, -Infinity, -Infinity, -Infinity]);
    expect([...(await a.maximum(0).data())]).toEqual([Infinity, 0, 1, 0, 0]);
  });

  it("gives equal operands of maximum and minimum half of the gradient each", async () => {
    for (const op of [(a: Tensor, b: Tensor) => a.maximum(b), (a: Tensor, b: Tensor) => a.minimum(b)]) {
      const a = tensor([1, 2, 3], { requiresGrad: true });
      const b = tensor([3, 2, 1], { requiresGrad: true });
      op(a, b).sum().backward();
      const [da, db] = [[...(await a.grad!.data())], [...(await b.grad!.data())]];
      expect(da[1]).toBe(0.5);
      expect(da.map((v, i) => v + db[i]!)).toEqual([1, 1, 1]);
      expect(db.toReversed()).toEqual(da);
    }
    const x = tensor([-1, 0, 1], { requiresGrad: true });
    x.maximum(0).sum().backward();
    expect([...(await x.grad!.data())]).toEqual([0, 0.5, 1]);
  });

  it("gives a tensor used twice both gradients", async () => {
    const x = tensor([3], { requiresGrad: true });
    x.mul(x).add(x).backward();
    expect(await x.grad!.item()).toBe(7);
  });

  it("reaches every element of more than 65,535 workgroups", async () => {
    const columns = 2 ** 8 + 1;
    const rows = Math.ceil((65_536 * 64) / columns);
    const row = tensor(Float32Array.from({ length: columns }, (_, i) => i));
    const column = tensor(
      Float32Array.from({ length: rows }, (_, i) => i * columns),
      { shape: [rows, 1] },
    );
    const actual = await column.add(row).data();
    expect(actual.findIndex((v, i) => v !== i)).toBe(-1);
  });

  it("gives the same bits twice", async () => {
    const [a, b] = [upload(seededValues(1, [33, 5])), upload(seededValues(2, [5]))];
    for (const { op } of Object.values({ ...arithmetic, pow })) expect(await op(a, b).data()).toEqual(await op(a, b).data());
  });

  it("takes arrays without elements", async () => {
    expect(tensor([], { shape: [0, 3] }).add(tensor([1, 2, 3])).shape).toEqual([0, 3]);
  });
});

describe("pow()", () => {
  it("lies within its error bound", async () => {
    const exponents = fc.constantFrom(0.5, 1, 2, 3, -1, -2.5, 7, 64, 65, 0);
    await fc.assert(
      fc.asyncProperty(inputs("positive"), (input) => forwardsAgree({ pow }, input)),
      runs(15),
    );
    await fc.assert(
      fc.asyncProperty(seed(), exponents, async (seed, exponent) => {
        const x = seededValues(seed, [67]);
        const y = await upload(x).pow(exponent).data();
        const expected = map(x, (v) => v ** exponent);
        expectClose(
          y,
          expected,
          zip(x, expected, (v, w) => (Number.isFinite(w) ? pow.bound(v, exponent, w) + 2 * smallest : 0)),
        );
      }),
      runs(20),
    );
  });

  it("follows C where the base is not positive or something is not finite", async () => {
    const cases: [base: number, exponent: number, power: number][] = [
      [-2, 2, 4],
      [-2, 3, -8],
      [-2, -1, -0.5],
      [-2, 0.5, NaN],
      [-1.5, 101, -(1.5 ** 101)],
      [-1, 1e10, 1],
      [0, 0, 1],
      [0, 2, 0],
      [0, 0.5, 0],
      [0, -1, Infinity],
      [0, -0.5, Infinity],
      [NaN, 0, 1],
      [1, NaN, 1],
      [NaN, 2, NaN],
      [2, NaN, NaN],
      [Infinity, 2, Infinity],
      [Infinity, -0.5, 0],
      [-Infinity, 3, -Infinity],
      [2, Infinity, Infinity],
      [0.5, Infinity, 0],
      [2, -Infinity, 0],
      [1, Infinity, 1],
    ];
    const actual = await tensor(cases.map(([base]) => base))
      .pow(tensor(cases.map(([, exponent]) => exponent)))
      .data();
    const expected = cases.map(([, , power]) => power);
    expectClose(
      actual,
      expected,
      expected.map((v) => (Number.isFinite(v) ? Math.abs(v) * 256 * epsilon : 0)),
    );
  });

  it("has finite gradients at a base of zero, as torch", async () => {
    const base = tensor([0, 0, 0, -2, 2], { requiresGrad: true });
    const exponent = tensor([0, 2, 1, 3, 3], { requiresGrad: true });
    base.pow(exponent).sum().backward();
    expectClose(await base.grad!.data(), [0, 0, 1, 12, 12], 1e-4);
    expectClose(await exponent.grad!.data(), [0, 0, 0, NaN, 8 * Math.LN2], 1e-5);
    const x = tensor([-3, 0, 2], { requiresGrad: true });
    x.pow(2).sum().backward();
    expect([...(await x.grad!.data())]).toEqual([-6, 0, 4]);
  });
});

describe("comparisons", () => {
  it("agree with the oracle for any shapes that broadcast and layouts", async () => {
    await fc.assert(
      fc.asyncProperty(inputs("integers", "adversarial"), (input) => forwardsAgree(comparisons, input)),
      runs(20),
    );
  });

  it("are noticed when they compare amiss", async () => {
    await withMutation("binary", ["s <= t", "s < t"], () =>
      expect(forwardsAgree({ le: comparisons.le! }, { ...example, kind: "integers" })).rejects.toThrow("le: Expected"),
    );
  });

  it("find NaN unlike everything", async () => {
    const [a, b] = [tensor([NaN, 1, NaN]), tensor([NaN, NaN, 1])];
    for (const [name, { op }] of Object.entries(comparisons))
      expect([...(await op(a, b).data())], name).toEqual(name === "ne" ? [1, 1, 1] : [0, 0, 0]);
  });

  it("give bool, which has no gradient", () => {
    const y = tensor([1], { requiresGrad: true }).gt(0);
    expect(y.dtype).toBe("bool");
    expect(y.requiresGrad).toBe(false);
  });
});

describe("integers", () => {
  it("are added, subtracted, multiplied and ordered as their dtype has it", async () => {
    const [a, b] = [Int32Array.of(-5, 7, 2 ** 31 - 1, -(2 ** 31)), Int32Array.of(3, -7, 1, 1)];
    const [x, y] = [tensor(a), tensor(b)];
    const each = (f: (p: number, q: number) => number): number[] => Array.from(a, (p, i) => f(p, b[i]!));
    expect([...(await x.add(y).data())]).toEqual(each((p, q) => (p + q) | 0));
    expect([...(await x.sub(y).data())]).toEqual(each((p, q) => (p - q) | 0));
    expect([...(await x.mul(y).data())]).toEqual(each(Math.imul));
    expect([...(await x.maximum(y).data())]).toEqual(each(Math.max));
    expect([...(await x.minimum(y).data())]).toEqual(each(Math.min));
    expect([...(await x.lt(y).data())]).toEqual(each((p, q) => Number(p < q)));
    expect([...(await x.ge(0).data())]).toEqual([0, 1, 1, 0]);
    expect([...(await x.add(-2).data())]).toEqual(each((p) => (p - 2) | 0));
    const [u, v] = [tensor(Uint32Array.of(1, 2 ** 32 - 1)), tensor(Uint32Array.of(2 ** 31, 5))];
    expect([...(await u.gt(v).data())]).toEqual([0, 1]);
    expect([...(await u.maximum(v).data())]).toEqual([2 ** 31, 2 ** 32 - 1]);
  });

  it("refuse fractions, division and other dtypes, and say what to do", () => {
    const x = tensor(Int32Array.of(1));
    expect(() => x.add(0.5)).toThrow('add: expected an integer to go with i32 but found 0.5; convert the tensor with to("f32")');
    expect(() => x.div(2)).toThrow('div: expected f32 but found i32; convert with to("f32")');
    expect(() => x.add(tensor([1]))).toThrow('add: expected operands of one dtype but found i32 and f32; convert one with to("i32")');
    expect(() => tensor([1]).mul(x)).toThrow(DTypeError);
  });
});

describe("truth", () => {
  it("is combined, whatever counts as true", async () => {
    const [a, b] = [tensor([false, false, true, true]), tensor([false, true, false, true])];
    expect([...(await a.logicalAnd(b).data())]).toEqual([0, 0, 0, 1]);
    expect([...(await a.logicalOr(b).data())]).toEqual([0, 1, 1, 1]);
    expect([...(await a.eq(b).data())]).toEqual([1, 0, 0, 1]);
    const [x, y] = [tensor([0, -0, 0.5, NaN]), tensor([1, 1, 1, -1])];
    expect([...(await x.logicalAnd(y).data())]).toEqual([0, 0, 1, 1]);
    expect([...(await x.logicalOr(tensor([0, -0, 0, 0])).data())]).toEqual([0, 0, 1, 1]);
    expect([
      ...(await tensor(Int32Array.of(0, 4))
        .logicalOr(tensor(Int32Array.of(0, 2)))
        .data()),
    ]).toEqual([0, 1]);
  });

  it("is not reckoned with", () => {
    expect(() => tensor([true]).add(tensor([true]))).toThrow("add: expected f32 or i32 or u32 but found bool");
    expect(() => tensor([true]).lt(tensor([true]))).toThrow(DTypeError);
  });
});

it("refuses shapes that do not broadcast, by name", () => {
  expect(() => tensor([[1, 2, 3]]).mul(tensor([1, 2]))).toThrow(ShapeError);
  expect(() => tensor([[1, 2, 3]]).mul(tensor([1, 2]))).toThrow(
    "mul: shapes [1, 3] and [2] do not broadcast: sizes 3 and 2 differ on axis 1",
  );
});
