import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { tensor } from "../create.ts";
import { withMutation } from "../device/kernel.ts";
import { openDevice } from "../device/open.ts";
import type { DType } from "../dtype.ts";
import { DTypeError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
import {
  applyView,
  directionalDerivative,
  elementBound,
  expectClose,
  innerProduct,
  type Nd,
  nd,
  oracle,
  runs,
  seed,
  seededValues,
  shape,
  ulp,
  type ValueKind,
  type View,
  valueKind,
  view,
  viewed,
} from "../testing/mod.ts";

beforeAll(async () => {
  await openDevice();
});

const upload = (x: Nd, requiresGrad = false): Tensor => tensor(Float32Array.from(x.data), { shape: x.shape, requiresGrad });

/** A function, what it should give, and how far off it may be at argument x with exact result y. */
interface Case {
  readonly op: (x: Tensor) => Tensor;
  readonly exact: (x: Nd) => Nd;
  readonly bound: (x: number, y: number) => number;
  /** What its gradient is tested on; undefined where it has none. */
  readonly smooth?: ValueKind;
}

/** The error that WGSL allows for a built-in function. */
const promised =
  (op: "exp" | "sqrt" | "rsqrt" | "reciprocal") =>
  (x: number, y: number): number =>
    elementBound(op, nd([], [x]), nd([], [y])).data[0]!;
/** Below this, results may be flushed to zero, or be twice what was flushed. */
const smallest = 2 ** -125;
const exactly = () => 0;
const ulps = (n: number) => (_x: number, y: number) => n * ulp(y);
/** What an exponential of x inside of a formula adds: WGSL allows it 3 + 2|x| units in the last place. */
const viaExp = (n: number, exponent: (x: number) => number) => (x: number, y: number) => (n + 2 * Math.abs(exponent(x))) * ulp(y);

const cases: Readonly<Record<string, Case>> = {
  neg: { op: (x) => x.neg(), exact: oracle.neg, bound: exactly, smooth: "normal" },
  abs: { op: (x) => x.abs(), exact: oracle.abs, bound: exactly, smooth: "normal" },
  sign: { op: (x) => x.sign(), exact: oracle.sign, bound: exactly },
  square: { op: (x) => x.square(), exact: oracle.square, bound: ulps(1), smooth: "normal" },
  relu: { op: (x) => x.relu(), exact: oracle.relu, bound: exactly, smooth: "normal" },
  exp: { op: (x) => x.exp(), exact: oracle.exp, bound: promised("exp"), smooth: "normal" },
  log: { op: (x) => x.log(), exact: oracle.log, bound: ulps(2), smooth: "positive" },
  sqrt: { op: (x) => x.sqrt(), exact: oracle.sqrt, bound: promised("sqrt"), smooth: "positive" },
  rsqrt: { op: (x) => x.rsqrt(), exact: oracle.rsqrt, bound: promised("rsqrt"), smooth: "positive" },
  reciprocal: { op: (x) => x.reciprocal(), exact: oracle.reciprocal, bound: promised("reciprocal"), smooth: "positive" },
  tanh: { op: (x) => x.tanh(), exact: oracle.tanh, bound: ulps(6), smooth: "normal" },
  sigmoid: { op: (x) => x.sigmoid(), exact: oracle.sigmoid, bound: viaExp(8, (x) => x), smooth: "normal" },
  silu: { op: (x) => x.silu(), exact: oracle.silu, bound: (x, y) => viaExp(9, (v) => v)(x, y) + Math.abs(x) * smallest, smooth: "normal" },
  softplus: { op: (x) => x.softplus(), exact: oracle.softplus, bound: viaExp(9, (x) => Math.min(x, 0)), smooth: "normal" },
  erf: { op: (x) => x.erf(), exact: oracle.erf, bound: ulps(4), smooth: "normal" },
  gelu: { op: (x) => x.gelu(), exact: (x) => oracle.gelu(x), bound: (x, y) => Math.abs(x) * 2 ** -22 + 4 * ulp(y), smooth: "normal" },
  geluTanh: {
    op: (x) => x.gelu({ approximate: "tanh" }),
    exact: (x) => oracle.gelu(x, { approximate: "tanh" }),
    // The exponent is 2√(2/π) (x + 0.044715 x³); the oracle itself cancels for negative x.
    bound: (x, y) => viaExp(9, (v) => 3 * Math.min(1.6 * Math.abs(v) + 0.0714 * Math.abs(v) ** 3, 88))(x, y) + Math.abs(x) * 2 ** -52,
    smooth: "normal",
  },
  floor: { op: (x) => x.floor(), exact: oracle.floor, bound: exactly },
  ceil: { op: (x) => x.ceil(), exact: oracle.ceil, bound: exactly },
  round: { op: (x) => x.round(), exact: oracle.round, bound: exactly },
  clamp: {
    op: (x) => x.clamp({ min: -0.5, max: 0.75 }),
    exact: (x) => oracle.clamp(x, { min: -0.5, max: 0.75 }),
    bound: exactly,
    smooth: "normal",
  },
};

/**
 * The error of sine and cosine. The remainder r, within ±π/4, is off by two roundings of 2⁻²⁵, times a slope of at most 0.71 where
 * 1 − r²/2 + P(r²) is taken, whose r²/2 is off by 2⁻²⁶ and P by 2⁻²⁸. A compiler may reassociate the sum (WGSL, 15.7.4); lavapipe's begins with
 * 1 + P, above 1, so it adds 2⁻²⁴ + 2⁻²⁵. In units of 2⁻²⁴ that is 0.71 + 0.25 + 0.06 + 1 + 0.5. The odd polynomial is off by less.
 */
const ofCircle = (x: number): number => 2.55 * 2 ** -24 + Math.abs(x) * 2 ** -33;

/** Sine and cosine apart: their own reduction reaches to 2¹⁵, the driver's takes over. */
const circular: Readonly<Record<string, Case>> = {
  sin: { op: (x) => x.sin(), exact: oracle.sin, bound: ofCircle, smooth: "normal" },
  cos: { op: (x) => x.cos(), exact: oracle.cos, bound: ofCircle, smooth: "normal" },
};

/** What a property draws. */
interface Input {
  readonly layout: View;
  readonly seed: number;
  readonly kind: ValueKind;
  readonly scale: number;
}

const inputs = (...kinds: [ValueKind, ...ValueKind[]]): fc.Arbitrary<Input> =>
  fc.record({
    layout: shape({ maxCount: 600 }).chain(view),
    seed: seed(),
    kind: valueKind(...kinds),
    scale: fc.constantFrom(1, 8, 60),
  });

/** Forward results of several functions lie within their bounds, whatever the layout. */
async function forwardsAgree(chosen: Readonly<Record<string, Case>>, { layout, seed, kind, scale }: Input): Promise<void> {
  const base = oracle.mul(seededValues(seed, layout.base, kind), nd([], [scale]));
  const source = nd(layout.base, base.data.map(Math.fround));
  const x = viewed(source, layout);
  const t = applyView(upload(source), layout);
  const results = Object.entries(chosen).map(([name, c]) => ({ name, c, y: c.op(t) }));
  for (const { name, c, y } of results) {
    const expected = c.exact(x);
    const bound = x.data.map((v, i) => (Number.isFinite(expected.data[i]!) ? c.bound(v, expected.data[i]!) + smallest : 0));
    try {
      expectClose(await y.data(), expected, bound);
    } catch (error) {
      throw new Error(`${name}: ${(error as Error).message}`);
    }
  }
}

/** Values at least 0.01 away from the kinks of abs, relu and clamp. */
const clearOfKinks = (x: Nd): Nd =>
  nd(x.shape, x.data.map((v) => [0, -0.5, 0.75].reduce((w, kink) => (Math.abs(w - kink) < 0.01 ? kink + 0.01 : w), v)).map(Math.fround));

/** Gradients of several functions fulfil the adjoint identity, whatever the layouts of argument and gradient. */
async function gradientsAgree(chosen: Readonly<Record<string, Case>>, { layout, seed }: Input): Promise<void> {
  for (const [name, { op, exact, smooth }] of Object.entries(chosen)) {
    if (!smooth) continue;
    const source = clearOfKinks(seededValues(seed, layout.base, smooth));
    const leaf = upload(viewed(source, layout), true);
    const cotangent = seededValues(seed + 1, layout.base);
    const direction = seededValues(seed + 2, layout.shape);
    const gradient = applyView(upload(cotangent), layout);
    // Through a view of the leaf, so that the op sees other layouts too.
    op(leaf.transpose(0, -1).transpose(0, -1)).backward({ gradient });
    const derivative = directionalDerivative(exact, [viewed(source, layout)], [direction]);
    const gradients = { data: await leaf.grad!.data() };
    const u = viewed(cotangent, layout);
    const [left, right] = [innerProduct(derivative, u), innerProduct(direction, gradients)];
    // Slopes are right to some units in the last place of the slope or of 1 (near their zeros), whichever is more.
    const size = innerProduct(oracle.abs(derivative), oracle.abs(u)) + innerProduct(oracle.abs(direction), oracle.abs(u));
    if (!(Math.abs(left - right) <= 2e-6 * size))
      throw new Error(`${name}: Expected <Jv, u> = <v, Jᵀu> within ${2e-6 * size} but found ${left} and ${right}`);
  }
}

const example: Input = { layout: { shape: [5, 7], base: [5, 7], steps: [] }, seed: 3, kind: "normal", scale: 1 };

describe("functions of single elements", () => {
  it("lie within their error bounds for any shape, layout and values", async () => {
    await fc.assert(
      fc.asyncProperty(inputs("normal", "uniform", "positive", "integers", "adversarial"), (input) => forwardsAgree(cases, input)),
      runs(30),
    );
  });

  it("lie within their error bounds for sine and cosine", async () => {
    await fc.assert(
      fc.asyncProperty(inputs("normal", "positive", "integers"), fc.constantFrom(1, 30), (input, more) =>
        forwardsAgree(circular, { ...input, scale: input.scale * more }),
      ),
      runs(20),
    );
  });

  it("have gradients that fulfil the adjoint identity for any shape and layout", async () => {
    await fc.assert(
      fc.asyncProperty(
        inputs("normal").filter(({ layout }) => layout.shape.length > 0),
        (input) => gradientsAgree({ ...cases, ...circular }, input),
      ),
      runs(12),
    );
  });

  it("are noticed when a digit of theirs is wrong", async () => {
    const { gelu, log, sin } = { ...cases, ...circular };
    await withMutation("unary", ["1.28379166e-1", "1.28381166e-1"], () =>
      expect(forwardsAgree({ gelu: gelu! }, example)).rejects.toThrow("gelu: Expected"),
    );
    await withMutation("unary", ["0.66666662693", "0.66676662693"], () =>
      expect(forwardsAgree({ log: log! }, { ...example, kind: "positive" })).rejects.toThrow("log: Expected"),
    );
    await withMutation("unary", ["g * sine(s, 1u)", "g * sine(s, 0u)"], () =>
      expect(gradientsAgree({ sin: sin! }, example)).rejects.toThrow("sin: Expected"),
    );
    await withMutation("unary", ["0.134145", "0.134775"], () =>
      expect(gradientsAgree({ geluTanh: cases.geluTanh! }, example)).rejects.toThrow("geluTanh: Expected"),
    );
  });

  it("give the same bits twice", async () => {
    const x = upload(seededValues(11, [513]));
    for (const { op } of Object.values(cases)) expect(await op(x).data()).toEqual(await op(x).data());
  });

  it("reach every element of an array of more than 65,535 workgroups", async () => {
    const size = 65_536 * 256 + 5;
    const values = Float32Array.from({ length: size }, (_, i) => i % 8191);
    const actual = await tensor(values).neg().data();
    expect(actual.findIndex((v, i) => v !== -values[i]!)).toBe(-1);
  });

  it("do nothing to arrays without elements", async () => {
    const x = tensor([], { shape: [0, 3], requiresGrad: true });
    x.gelu().backward({ gradient: tensor([], { shape: [0, 3] }) });
    expect(x.grad!.shape).toEqual([0, 3]);
  });
});

describe("special values", () => {
  const values = [NaN, Infinity, -Infinity, 0, 1e38, -1e38, 100, -100];
  const table: Readonly<Record<string, readonly number[]>> = {
    neg: [NaN, -Infinity, Infinity, 0, -Math.fround(1e38), Math.fround(1e38), -100, 100],
    exp: [NaN, Infinity, 0, 1, Infinity, 0, Infinity, 0],
    log: [NaN, Infinity, NaN, -Infinity, 87.49823353377374, NaN, 4.605170185988092, NaN],
    sqrt: [NaN, Infinity, NaN, 0, 1e19, NaN, 10, NaN],
    abs: [NaN, Infinity, Infinity, 0, 1e38, 1e38, 100, 100],
    sign: [0, 1, -1, 0, 1, -1, 1, -1],
    relu: [NaN, Infinity, 0, 0, 1e38, 0, 100, 0],
    tanh: [NaN, 1, -1, 0, 1, -1, 1, -1],
    sigmoid: [NaN, 1, 0, 0.5, 1, 0, 1, 0],
    softplus: [NaN, Infinity, 0, Math.LN2, 1e38, 0, 100, 0],
    erf: [NaN, 1, -1, 0, 1, -1, 1, -1],
    floor: [NaN, Infinity, -Infinity, 0, 1e38, -1e38, 100, -100],
    round: [NaN, Infinity, -Infinity, 0, 1e38, -1e38, 100, -100],
  };
  for (const [name, expected] of Object.entries(table)) {
    it(`come out of ${name} as in torch`, async () => {
      const actual = await cases[name]!.op(tensor(values)).data();
      expectClose(
        actual,
        expected,
        expected.map((v) => (Number.isFinite(v) ? Math.abs(v) * 1e-6 + 1e-37 : 0)),
      );
    });
  }

  it("come out of the linear units as in torch, NaN of NaN above all", async () => {
    for (const name of ["gelu", "geluTanh", "silu"]) {
      const actual = await cases[name]!.op(tensor([NaN, Infinity, 1e38, 100, -100, -1e38])).data();
      expectClose(actual, [NaN, Infinity, 1e38, 100, 0, 0], [0, 0, 1e31, 1e-4, 1e-30, 1e-30]);
    }
  });

  it("of sine and cosine are NaN at infinity, and huge angles stay on the circle", async () => {
    for (const { op } of Object.values(circular)) {
      const actual = await op(tensor([Infinity, -Infinity, NaN, 1e6, -1e6])).data();
      expect([...actual.slice(0, 3)]).toEqual([NaN, NaN, NaN]);
      for (const v of actual.slice(3)) expect(Math.abs(v)).toBeLessThanOrEqual(1 + 1e-6);
    }
  });

  it("leave gradients as torch's: 0 where relu, clamp or abs are flat, and no overflow of the linear units", async () => {
    const gradientOf = async (op: (x: Tensor) => Tensor, at: readonly number[]): Promise<number[]> => {
      const x = tensor([...at], { requiresGrad: true });
      op(x).sum().backward();
      return [...(await x.grad!.data())];
    };
    expect(await gradientOf((x) => x.relu(), [-1, 0, 2, NaN])).toEqual([0, 0, 1, 1]);
    expect(await gradientOf((x) => x.abs(), [-1, 0, 2])).toEqual([-1, 0, 1]);
    for (const name of ["gelu", "geluTanh", "silu", "softplus", "erf"]) expect(await gradientOf(cases[name]!.op, [NaN])).toEqual([NaN]);
    expect(await gradientOf((x) => x.clamp({ min: -1, max: 1 }), [-2, -1, 0, 1, 2])).toEqual([0, 1, 1, 1, 0]);
    for (const op of [(x: Tensor) => x.gelu(), (x: Tensor) => x.gelu({ approximate: "tanh" }), (x: Tensor) => x.silu()])
      expectClose(await gradientOf(op, [-1e30, -40, 40, 1e30]), [0, 0, 1, 1], 1e-6);
    for (const op of [(x: Tensor) => x.floor(), (x: Tensor) => x.ceil(), (x: Tensor) => x.round(), (x: Tensor) => x.sign()])
      expect(await gradientOf(op, [0.5, 1.5])).toEqual([0, 0]);
  });
});

describe("clamp()", () => {
  it("takes one limit or two, and lets max win where they cross", async () => {
    const x = tensor([-3, 0, 3, NaN]);
    expect([...(await x.clamp({ min: 1 }).data())]).toEqual([1, 1, 3, NaN]);
    expect([...(await x.clamp({ max: 1 }).data())]).toEqual([-3, 0, 1, NaN]);
    expect([...(await x.clamp({ min: 2, max: 1 }).data())]).toEqual([1, 1, 1, NaN]);
  });

  it("orders signed and unsigned integers", async () => {
    const signed = tensor(Int32Array.of(-(2 ** 31), -5, 0, 5, 2 ** 31 - 1));
    expect([...(await signed.clamp({ min: -3, max: 4 }).data())]).toEqual([-3, -3, 0, 4, 4]);
    expect([...(await signed.clamp({ min: -3 }).data())]).toEqual([-3, -3, 0, 5, 2 ** 31 - 1]);
    const unsigned = tensor(Uint32Array.of(0, 7, 2 ** 32 - 1));
    expect([...(await unsigned.clamp({ min: 3, max: 2 ** 31 }).data())]).toEqual([3, 7, 2 ** 31]);
    expect(() => signed.clamp({ min: 0.5 })).toThrow(DTypeError);
  });
});

describe("integers and truth", () => {
  it("have a sign, a size and a square", async () => {
    const x = tensor(Int32Array.of(-7, 0, 9));
    expect([...(await x.neg().data())]).toEqual([7, 0, -9]);
    expect([...(await x.abs().data())]).toEqual([7, 0, 9]);
    expect([...(await x.sign().data())]).toEqual([-1, 0, 1]);
    expect([...(await x.square().data())]).toEqual([49, 0, 81]);
    expect([...(await x.relu().data())]).toEqual([0, 0, 9]);
  });

  it("are told from NaN, zero and false", async () => {
    const x = tensor([NaN, -NaN, 0, -0, 1e-40, Infinity]);
    expect([...(await x.isNan().data())]).toEqual([1, 1, 0, 0, 0, 0]);
    expect(x.isNan().dtype).toBe("bool");
    expect([...(await x.logicalNot().data())].slice(0, 4)).toEqual([0, 0, 1, 1]);
    expect([...(await tensor([true, false]).logicalNot().data())]).toEqual([0, 1]);
    expect([...(await tensor(Int32Array.of(-1, 0)).logicalNot().data())]).toEqual([0, 1]);
  });

  it("are refused by functions of real numbers, with the op's name and a way out", () => {
    expect(() => tensor(Int32Array.of(1)).exp()).toThrow(DTypeError);
    expect(() => tensor(Int32Array.of(1)).exp()).toThrow('exp: expected f32 but found i32; convert with to("f32")');
    expect(() => tensor([true]).neg()).toThrow("neg: expected f32 or i32 but found bool");
  });
});

describe("to()", () => {
  const dtypes: readonly DType[] = ["f32", "i32", "u32", "bool"];
  /** What a value becomes: fractions cut, ranges saturated, NaN 0 but true. */
  const convert = (v: number, dtype: DType): number => {
    if (dtype === "f32") return Math.fround(v);
    if (dtype === "bool") return v === 0 ? 0 : 1;
    const [least, most] = dtype === "i32" ? [-(2 ** 31), 2 ** 31 - 1] : [0, 2 ** 32 - 1];
    return Number.isNaN(v) ? 0 : Math.min(Math.max(Math.trunc(v), least!), most!) + 0;
  };

  it("converts between all dtypes", async () => {
    for (const source of dtypes) {
      const values =
        source === "f32" ? [0, 1, -1.75, 2.5, 1e20, -1e20, NaN, Infinity, 2 ** 31] : source === "i32" ? [0, 1, -4, 2 ** 31 - 1] : [0, 1];
      const x = tensor(values, { dtype: source });
      for (const dtype of dtypes) {
        const converted = x.to(dtype);
        expect(converted.dtype).toBe(dtype);
        // Between the integers the bits stay, so −4 wraps.
        const expected = source === "i32" && dtype === "u32" ? values.map((v) => v >>> 0) : values.map((v) => convert(v, dtype));
        expect([...(await converted.data())], `${source} to ${dtype}`).toEqual(expected);
      }
    }
  });

  it("gives the tensor itself where nothing changes, and memory of its own otherwise", async () => {
    const x = tensor(Int32Array.of(1, 2));
    expect(x.to("i32")).toBe(x);
    const bits = x.to("u32");
    x.fill(9);
    expect([...(await bits.data())]).toEqual([1, 2]);
  });

  it("has no gradient", () => {
    const x = tensor([1, 2], { requiresGrad: true });
    expect(x.to("i32").requiresGrad).toBe(false);
  });
});
