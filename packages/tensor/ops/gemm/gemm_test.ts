import fc from "fast-check";
import { beforeAll, describe, expect, it, type TestContext } from "vitest";
import { tensor } from "../../create.ts";
import type { Device, KernelFamily } from "../../device/device.ts";
import { withMutation } from "../../device/kernel.ts";
import { openDevice } from "../../device/open.ts";
import type { ShaderName } from "../../shaders.gen.ts";
import type { Tensor } from "../../tensor.ts";
import {
  applyView,
  dimension,
  dotBound,
  elementBound,
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
  zip,
} from "../../testing/mod.ts";
import { gemm } from "./gemm.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});

const families: KernelFamily[] = ["portable", "panel", "tile"];

const upload = (x: Nd): Tensor => tensor(Float32Array.from(x.data), { shape: x.shape });

/** Values for a view's base, with NaN wherever the view does not look: what lies between and beyond must never enter a result. */
function poisoned(at: View, seed: number): Nd {
  const values = seededValues(seed, at.base);
  const places = viewed(
    nd(
      at.base,
      values.data.map((_, i) => i),
    ),
    at,
  );
  const seen = new Set(places.data);
  return nd(
    at.base,
    values.data.map((value, i) => (seen.has(i) ? value : NaN)),
  );
}

const dense = (shape: number[]): View => ({ shape, base: shape, steps: [] });
const transposed = ([m, n]: [number, number]): View => ({ shape: [m, n], base: [n, m], steps: [{ permute: [1, 0] }] });

/** Lengths of sums: around panels, steps and splits. */
const inner = (): fc.Arbitrary<number> => fc.oneof(dimension({ max: 131 }), fc.constantFrom(255, 256, 300, 515, 1030));

interface Case {
  readonly a: View;
  readonly b: View;
  readonly residual?: View;
  readonly bias?: boolean;
  readonly activation?: "gelu";
  readonly rowSums?: boolean;
  readonly seed: number;
}

/** Any views of operands with up to two batch axes, of which `b` may lack some. */
const anyLayout = (): fc.Arbitrary<Case> =>
  fc
    .record({
      batch: fc.oneof(
        { weight: 2, arbitrary: fc.constant([] as number[]) },
        { weight: 1, arbitrary: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 2 }) },
      ),
      missing: fc.nat(2),
      m: dimension({ max: 131 }),
      n: dimension({ max: 131 }),
      k: inner(),
    })
    .chain(({ batch, missing, m, n, k }) =>
      fc.record({ a: view([...batch, m, k]), b: view([...batch.slice(Math.min(missing, batch.length)), k, n]), seed: seed() }),
    );

/** What a linear layer asks for: a weight seen transposed, a bias, GELU, a residual that is any view. */
const linearLike = (): fc.Arbitrary<Case> =>
  fc.record({ rows: dimension({ max: 131 }), n: dimension({ max: 131 }), k: inner() }).chain(({ rows, n, k }) =>
    fc.record(
      {
        a: fc.constant(dense([rows, k])),
        b: fc.constant(transposed([k, n])),
        bias: fc.boolean(),
        activation: fc.constant("gelu" as const),
        residual: view([rows, n]),
        seed: seed(),
      },
      { requiredKeys: ["a", "b", "seed"] },
    ),
  );

/** What the gradients of a weight and its bias ask for. */
const weightGradientLike = (): fc.Arbitrary<Case> =>
  fc
    .record({ m: dimension({ max: 131 }), n: dimension({ max: 131 }), k: inner() })
    .chain(({ m, n, k }) =>
      fc.record({ a: fc.constantFrom(dense([m, k]), transposed([m, k])), b: view([k, n]), rowSums: fc.constant(true), seed: seed() }),
    );

const geluSlope = (v: number): number => {
  const u = Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3);
  const du = Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * v ** 2);
  return Math.abs(v) > 20 ? Number(v > 0) : (1 + Math.tanh(u)) / 2 + (v / 2) * (1 - Math.tanh(u) ** 2) * du;
};

/** Whether a product lies within its bounds everywhere: 2 (K + 2) · 2⁻²⁴ of the sizes of all terms, passed on through GELU (slope ≤ 1.13). */
async function agrees(c: Case): Promise<void> {
  const [baseA, baseB] = [poisoned(c.a, c.seed), poisoned(c.b, c.seed + 1)];
  const [a, b] = [viewed(baseA, c.a), viewed(baseB, c.b)];
  const [k, n] = [a.shape.at(-1)!, b.shape.at(-1)!];
  const bias = c.bias ? seededValues(c.seed + 2, [n]) : undefined;
  const baseR = c.residual && poisoned(c.residual, c.seed + 3);
  const residual = baseR && viewed(baseR, c.residual!);

  const found = gemm({
    a: applyView(upload(baseA), c.a),
    b: applyView(upload(baseB), c.b),
    bias: bias && upload(bias),
    activation: c.activation,
    residual: baseR && applyView(upload(baseR), c.residual!),
    rowSums: c.rowSums,
  });

  let exact = oracle.matmul(a, b);
  let size = oracle.matmul(oracle.abs(a), oracle.abs(b));
  if (bias) [exact, size] = [oracle.add(exact, bias), oracle.add(size, oracle.abs(bias))];
  let bound = dotBound(k + 2, size);
  if (c.activation) {
    // GELU's second derivative is below 1 everywhere.
    expectClose(
      await found.slopes!.data(),
      map(exact, geluSlope),
      map(bound, (passed) => 1e-6 + passed),
    );
    const result = oracle.gelu(exact, { approximate: "tanh" });
    bound = zip(elementBound("gelu", exact, result), bound, (e, passed) => e + 1.13 * passed);
    exact = result;
  }
  if (residual) {
    exact = oracle.add(exact, residual);
    bound = zip(
      bound,
      dotBound(
        1,
        zip(oracle.abs(exact), oracle.abs(residual), (x, y) => x + y),
      ),
      (x, y) => x + y,
    );
  }
  expect(found.out.shape).toEqual(exact.shape);
  expectClose(await found.out.data(), exact, bound);
  if (c.rowSums) {
    const sizes = oracle.sum(oracle.abs(a), { axis: 1 });
    expectClose(await found.rowSums!.data(), oracle.sum(a, { axis: 1 }), dotBound(k, sizes));
  }
}

const holds = (cases: fc.Arbitrary<Case>, n: number): Promise<void> => fc.assert(fc.asyncProperty(cases, agrees), runs(n));

describe.each(families)("gemm() by the %s kernel", (family) => {
  const as =
    (body: () => Promise<void>): (() => Promise<void>) =>
    async () => {
      device.family = family;
      await body();
    };

  /** Like `as`, for work that takes SwiftShader minutes, where barriers are slow. */
  const large =
    (body: () => Promise<void>): ((context: TestContext) => Promise<void>) =>
    async (context) => {
      context.skip(family === "tile" && /swiftshader/i.test(device.name), "too slow on SwiftShader");
      await as(body)();
    };

  it(
    "multiplies views of any layout as float64 does, and nothing around them leaks in",
    as(() => holds(anyLayout(), 60)),
  );
  it(
    "adds a bias, applies GELU and adds a residual",
    as(() => holds(linearLike(), 30)),
  );
  it(
    "sums the left operand's rows on the way",
    as(() => holds(weightGradientLike(), 30)),
  );

  it(
    "takes tall, wide and long operands",
    large(async () => {
      const cases: Case[] = [
        { a: dense([70_001, 3]), b: transposed([3, 2]), bias: true, seed: 1 },
        { a: dense([66_000, 8]), b: transposed([8, 64]), seed: 2 },
        { a: transposed([66_000, 5]), b: dense([5, 10]), seed: 10 },
        { a: dense([2, 5]), b: dense([5, 40_001]), seed: 3 },
        { a: dense([1, 100_003]), b: dense([100_003, 1]), seed: 4 },
        { a: transposed([5, 40_000]), b: dense([40_000, 7]), rowSums: true, seed: 5 },
        { a: dense([1, 3001]), b: dense([3001, 130]), seed: 6 },
      ];
      for (const c of cases) await agrees(c);
    }),
  );

  it(
    "multiplies more matrices than a dispatch may have workgroups in one dimension",
    large(() => agrees({ a: dense([65_537, 2, 3]), b: dense([65_537, 3, 2]), seed: 7 })),
  );

  it(
    "fills a matrix of 4096 × 4096",
    large(async () => {
      const [a, b] = [seededValues(8, [4096, 12]), seededValues(9, [12, 4096])];
      const { out } = gemm({ a: upload(a), b: upload(b) });
      for (const start of [0, 1023, 4094]) {
        const rows = oracle.slice(a, [[start, start + 2]]);
        const bound = dotBound(12, oracle.matmul(oracle.abs(rows), oracle.abs(b)));
        expectClose(await out.narrow(0, { start, length: 2 }).data(), oracle.matmul(rows, b), bound);
      }
      out.storage.release();
    }),
  );

  it(
    "gives zeros, or the bias, for sums of nothing",
    as(async () => {
      const [a, b] = [tensor(new Float32Array(0), { shape: [3, 0] }), tensor(new Float32Array(0), { shape: [0, 2] })];
      expect(await gemm({ a, b }).out.array()).toEqual([
        [0, 0],
        [0, 0],
        [0, 0],
      ]);
      const bias = tensor([5, 6]);
      const { out, rowSums } = gemm({ a, b, bias, rowSums: true });
      expect(await out.narrow(0, { start: 2, length: 1 }).array()).toEqual([[5, 6]]);
      expect(await rowSums!.array()).toEqual([0, 0, 0]);
      expect((await gemm({ a: b, b: tensor([[1], [2]]) }).out.data()).length).toBe(0);
    }),
  );

  it(
    "lets infinities and NaN through to their own rows and columns only",
    as(async () => {
      const k = 70; // neither a multiple of a panel nor of a step
      const a = map(seededValues(10, [3, k], "positive"), (v) => v);
      const b = seededValues(11, [k, 3], "positive");
      a.data[k - 1] = Infinity; // row 0, last of the sum
      a.data[k] = NaN; // row 1, first of the sum
      const found = Array.from(await gemm({ a: upload(a), b: upload(b) }).out.data());
      expect(found.slice(0, 6)).toEqual([Infinity, Infinity, Infinity, NaN, NaN, NaN]);
      expect(found.slice(6).every(Number.isFinite)).toBe(true);
    }),
  );

  it(
    "gives the same bits every time",
    as(async () => {
      const [x, g] = [upload(seededValues(12, [3000, 40])), upload(seededValues(13, [3000, 24]))];
      const twice = [1, 2].map(() => gemm({ a: g.transpose(0, 1), b: x, rowSums: true }));
      expect(await twice[0]!.out.data()).toEqual(await twice[1]!.out.data());
      expect(await twice[0]!.rowSums!.data()).toEqual(await twice[1]!.rowSums!.data());
    }),
  );
});

describe("the property of gemm()", () => {
  const long: Case = { a: dense([33, 515]), b: transposed([515, 20]), seed: 1 };
  const gaps: Case = { a: dense([9, 70]), b: { shape: [70, 5], base: [73, 5], steps: [{ slice: [[0, 70]] }] }, seed: 2 };
  const full: Case = { a: dense([33, 50]), b: transposed([50, 20]), bias: true, activation: "gelu", residual: dense([33, 20]), seed: 3 };
  const odd: Case = { ...full, b: transposed([50, 19]), residual: dense([33, 19]) }; // rows that do not come in fours
  const controls: [string, ShaderName, KernelFamily, [RegExp, string], Case][] = [
    ["a sum that stops early", "gemm_portable", "portable", [/k < last/, "k + 1u < last"], gaps],
    ["a panel that reads too far", "gemm_panel", "panel", [/if \(k < endK\)/g, "if (true)"], gaps],
    ["a panel that forgets the one before", "gemm_panel", "panel", [/if \(!isFirst\)/g, "if (false)"], long],
    ["the bias of another column", "gemm_panel", "panel", [/bias\[column/g, "bias[0u * column"], full],
    ["another GELU", "gemm_panel", "panel", [/0\.044715/g, "0.04"], full],
    ["a residual taken off", "gemm_panel", "panel", [/value_0 \+= residual/g, "value_0 -= residual"], full],
    ["a residual taken off odd rows", "gemm_panel", "panel", [/value \+= residual/g, "value -= residual"], odd],
    ["columns that change places", "gemm_panel", "panel", [/panel_0\[n_0 \+ 1u\]/g, "panel_0[n_0 + 2u]"], full],
    ["an odd column beside its place", "gemm_panel", "panel", [/at = place \+ column_0 \+ 1u/g, "at = place + column_0 + 2u"], odd],
    ["a tile that reads too far", "gemm_tile", "tile", [/return select\(vec4f\(\), value, isInside\)/g, "return value"], gaps],
    ["a lost split", "sum_slices", "tile", [/s < params\.splits/, "s + 1u < params.splits"], long],
    [
      "a lost split before a bias",
      "gemm_reduce",
      "tile",
      [/split < params\.splits/, "split + 1u < params.splits"],
      { ...long, bias: true },
    ],
  ];
  it.for(controls)("notices %s", async ([_what, shader, family, edit, c], { skip }) => {
    skip(!device.hasFamily(family), "no subgroups of a fixed size");
    device.family = family;
    await agrees(c);
    await withMutation(shader, edit, () => expect(agrees(c)).rejects.toThrow("within their bounds"));
  });
});
