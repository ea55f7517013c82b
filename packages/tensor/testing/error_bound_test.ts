import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dimension, seed, seededValues, valueKind } from "./arbitrary.ts";
import * as bounds from "./error_bound.ts";
import { expectClose } from "./expect_close.ts";
import { map, mapRows, type Nd, nd, zip } from "./nd.ts";
import * as oracle from "./oracle/mod.ts";

/** Arithmetic that rounds every result to f32, as a kernel's does: what the bounds must allow. */
const f = Math.fround;
const exp = (x: number) => f(Math.exp(x));
const log = (x: number) => f(Math.log(x));
const tanh = (x: number) => f(Math.tanh(x));
const sum = (values: ArrayLike<number>) => Array.from(values).reduce((a, b) => f(a + b), 0);
const greatest = (values: Float64Array) => values.reduce((a, b) => Math.max(a, b), -Infinity);

/** An f32 softmax of a row; `skip` leaves out a term of the sum. */
function softmaxRow(row: Float64Array, skip = -1): Float64Array {
  const max = greatest(row);
  const powers = row.map((v) => exp(f(v - max)));
  const total = sum(powers.filter((_, i) => i !== skip));
  return powers.map((p) => f(p / total));
}

const row = fc.record({ length: dimension({ max: 130 }), seed: seed() });

describe("ulp()", () => {
  it("is the spacing of f32 numbers, down to the smallest normal ones", () => {
    for (const value of [1, 1.5, 2, -3, 1e30, 2 ** -126]) {
      const bits = new Uint32Array(Float32Array.of(Math.abs(value)).buffer);
      bits[0]!++;
      expect(bounds.ulp(value)).toBe(new Float32Array(bits.buffer)[0]! - f(Math.abs(value)));
    }
    expect(bounds.ulp(0)).toBe(2 ** -149);
  });
});

describe("dotBound()", () => {
  const dot = (a: Float64Array, b: Float64Array) => sum(a.map((v, i) => f(v * b[i]!)));

  it("allows f32 sums in either order and catches one that leaves out its greatest term", () => {
    fc.assert(
      fc.property(row, ({ length, seed }) => {
        const [a, b] = [seededValues(seed, [length]), seededValues(seed + 1, [length])];
        const products = oracle.mul(a, b);
        const exact = oracle.sum(products);
        const bound = bounds.dotBound(length, oracle.sum(oracle.abs(products)));
        expectClose([dot(a.data, b.data)], exact, bound);
        expectClose([dot(a.data.toReversed(), b.data.toReversed())], exact, bound);
        const largest = oracle.argmax(oracle.abs(products)).data[0]!;
        const broken = dot(
          a.data.map((v, i) => (i === largest ? 0 : v)),
          b.data,
        );
        expect(() => expectClose([broken], exact, bound)).toThrow("1 outside");
      }),
    );
  });
});

describe("elementBound()", () => {
  const x = map(seededValues(1, [4000]), (v) => f(6 * v));
  const positive = seededValues(2, [4000], "positive");
  const half = (v: number) => f(v / 2);

  const cases: [op: bounds.BoundedElement, x: Nd, exact: (x: Nd) => Nd, kernel: (v: number) => number][] = [
    ["neg", x, oracle.neg, (v) => -v],
    ["abs", x, oracle.abs, Math.abs],
    ["sign", x, oracle.sign, Math.sign],
    ["relu", x, oracle.relu, (v) => Math.max(v, 0)],
    ["floor", x, oracle.floor, Math.floor],
    ["ceil", x, oracle.ceil, Math.ceil],
    ["round", x, oracle.round, Math.round], // no halves among these
    ["clamp", x, (a) => oracle.clamp(a, { min: -1, max: 2 }), (v) => Math.min(Math.max(v, -1), 2)],
    ["square", x, oracle.square, (v) => f(v * v)],
    ["reciprocal", x, oracle.reciprocal, (v) => f(1 / v)],
    ["sqrt", positive, oracle.sqrt, (v) => f(1 / f(1 / f(Math.sqrt(v))))],
    ["rsqrt", positive, oracle.rsqrt, (v) => f(1 / f(Math.sqrt(v)))],
    ["exp", x, oracle.exp, (v) => f(2 ** f(v * f(Math.LOG2E)))],
    ["log", positive, oracle.log, (v) => f(f(Math.log2(v)) * f(Math.LN2))],
    ["sin", x, oracle.sin, (v) => f(Math.sin(v))],
    ["cos", x, oracle.cos, (v) => f(Math.cos(v))],
    ["tanh", x, oracle.tanh, (v) => f(1 - f(2 / f(exp(f(2 * v)) + 1)))],
    ["sigmoid", x, oracle.sigmoid, (v) => f(1 / f(1 + exp(-v)))],
    ["silu", x, oracle.silu, (v) => f(v / f(1 + exp(-v)))],
    ["softplus", x, oracle.softplus, (v) => f(Math.max(v, 0) + log(f(1 + exp(-Math.abs(v)))))],
    ["erf", x, oracle.erf, (v) => f(oracle.erf(nd([], [v])).data[0]!)],
    [
      "gelu",
      x,
      (a) => oracle.gelu(a, { approximate: "tanh" }),
      (v) => f(half(v) * f(1 + tanh(f(f(0.7978845608) * f(v + f(f(0.044715) * f(f(v * v) * v))))))),
    ],
  ];
  for (const [op, x, exact, kernel] of cases) {
    it(`allows ${op} in f32 and catches it when a thousandth off`, () => {
      const y = exact(x);
      const bound = bounds.elementBound(op, x, y);
      const found = map(x, kernel);
      expectClose(found.data, y, bound);
      expect(() =>
        expectClose(
          found.data.map((v) => f(v * 1.001)),
          y,
          bound,
        ),
      ).toThrow("outside");
    });
  }
});

describe("powBound()", () => {
  it("allows exp2(y log2 x) in f32 and catches it when a thousandth off", () => {
    const [x, e] = [seededValues(1, [4000], "positive"), map(seededValues(2, [4000]), (v) => f(4 * v))];
    const y = oracle.pow(x, e);
    const found = zip(x, e, (b, p) => f(2 ** f(p * f(Math.log2(b)))));
    expectClose(found.data, y, bounds.powBound(x, e));
    expect(() =>
      expectClose(
        found.data.map((v) => f(v * 1.001)),
        y,
        bounds.powBound(x, e),
      ),
    ).toThrow("outside");
  });
});

describe("softmaxBound() and logSoftmaxBound()", () => {
  const rows = fc.record({
    length: dimension({ max: 130 }).filter((n) => n > 1),
    seed: seed(),
    kind: valueKind("normal", "integers", "adversarial"),
  });

  it("allow f32 softmax and log-softmax, whatever the values", () => {
    fc.assert(
      fc.property(rows, ({ length, seed, kind }) => {
        const x = seededValues(seed, [3, length], kind);
        expectClose(mapRows(x, -1, (r) => softmaxRow(r)).data, oracle.softmax(x), bounds.softmaxBound(x));
        const logSoftmax = mapRows(x, -1, (r) => {
          const max = greatest(r);
          const logSum = log(sum(r.map((v) => exp(f(v - max)))));
          return r.map((v) => f(f(v - max) - logSum));
        });
        expectClose(logSoftmax.data, oracle.logSoftmax(x), bounds.logSoftmaxBound(x));
      }),
    );
  });

  it("catch a sum that leaves out its last term", () => {
    fc.assert(
      fc.property(rows, ({ length, seed }) => {
        const x = seededValues(seed, [3, length]);
        const broken = mapRows(x, -1, (r) => softmaxRow(r, length - 1));
        expect(() => expectClose(broken.data, oracle.softmax(x), bounds.softmaxBound(x))).toThrow("outside");
        expect(() => expectClose(broken.data.map(log), oracle.logSoftmax(x), bounds.logSoftmaxBound(x))).toThrow("outside");
      }),
    );
  });
});

describe("layerNormBound()", () => {
  /** An f32 layer normalisation; `lost` degrees of freedom divide the variance by too little. */
  const layerNorm = (x: Nd, weight: Nd, bias: Nd, lost = 0) =>
    mapRows(x, -1, (r) => {
      const mean = f(sum(r) / r.length);
      const centered = r.map((v) => f(v - mean));
      const variance = f(sum(centered.map((v) => f(v * v))) / (r.length - lost));
      const inverse = f(1 / f(Math.sqrt(f(variance + f(1e-5)))));
      return centered.map((v, i) => f(f(f(v * inverse) * weight.data[i]!) + bias.data[i]!));
    });
  const draw = (length: number, seed: number, offset: number) => {
    const x = map(seededValues(seed, [3, length]), (v) => f(v + offset));
    return { x, weight: seededValues(seed + 1, [length]), bias: seededValues(seed + 2, [length]) };
  };

  it("allows f32 layer normalisation, also of rows far from 0", () => {
    fc.assert(
      fc.property(row, fc.constantFrom(0, 1, 1000), ({ length, seed }, offset) => {
        const { x, weight, bias } = draw(length, seed, offset);
        expectClose(layerNorm(x, weight, bias).data, oracle.layerNorm(x, weight, bias), bounds.layerNormBound(x, weight, bias));
      }),
    );
  });

  it("catches a variance with Bessel's correction", () => {
    fc.assert(
      fc.property(
        dimension({ max: 130 }).filter((n) => n > 2),
        seed(),
        (length, seed) => {
          const { x, weight, bias } = draw(length, seed, 0);
          const broken = layerNorm(x, weight, bias, 1);
          expect(() => expectClose(broken.data, oracle.layerNorm(x, weight, bias), bounds.layerNormBound(x, weight, bias))).toThrow(
            "outside",
          );
        },
      ),
    );
  });
});

describe("attentionBound()", () => {
  const matmul = (a: Nd, b: Nd) => {
    const columns = oracle.transpose(b, 0, 1);
    const [k, n] = [a.shape[1]!, columns.shape[0]!];
    return nd(
      [a.shape[0]!, n],
      Array.from({ length: a.shape[0]! * n }, (_, i) => {
        const [p, q] = [Math.floor(i / n) * k, (i % n) * k];
        return sum(Array.from({ length: k }, (_, j) => f(a.data[p + j]! * columns.data[q + j]!)));
      }),
    );
  };
  /** Causal attention in f32; `ahead` places of the future are seen too. */
  const attention = (q: Nd, k: Nd, v: Nd, ahead = 0) => {
    const scores = map(matmul(q, oracle.transpose(k, 0, 1)), (s) => f(s * f(1 / Math.sqrt(q.shape[1]!))));
    const places = k.shape[0]!;
    const visible = { shape: scores.shape, data: scores.data.map((s, i) => (i % places > Math.floor(i / places) + ahead ? -1e30 : s)) };
    return matmul(
      mapRows(visible, -1, (r) => softmaxRow(r)),
      v,
    );
  };
  const places = dimension({ max: 65 }).filter((n) => n > 1);

  it("allows f32 attention and catches a mask that is off by one", () => {
    fc.assert(
      fc.property(places, dimension({ max: 33 }), seed(), fc.constantFrom(0.1, 1, 5), (t, d, seed, size) => {
        const [q, k, v] = [0, 1, 2].map((i) => map(seededValues(seed + i, [t, d]), (x) => f(size * x))) as [Nd, Nd, Nd];
        const exact = oracle.scaledDotProductAttention(q, k, v, { causal: true });
        const bound = bounds.attentionBound(q, k, v, { causal: true });
        expectClose(attention(q, k, v).data, exact, bound);
        if (size === 1) expect(() => expectClose(attention(q, k, v, 1).data, exact, bound)).toThrow("outside");
      }),
    );
  });
});
