import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { ones, tensor } from "../create.ts";
import type { Device, KernelFamily } from "../device/device.ts";
import { withMutation } from "../device/kernel.ts";
import { openDevice } from "../device/open.ts";
import { DTypeError, ShapeError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
import {
  applyView,
  dimension,
  directionalDerivative,
  expectAdjoint,
  expectClose,
  map,
  type Nd,
  oracle,
  runs,
  seed,
  seededValues,
  type View,
  view,
  viewed,
} from "../testing/mod.ts";
import { feedForward } from "./feed_forward.ts";
import { linear } from "./linear.ts";

let device: Device;
let preferred: KernelFamily;
beforeAll(async () => {
  device = await openDevice();
  preferred = device.family;
});

const upload = (x: Nd, requiresGrad = false): Tensor => tensor(Float32Array.from(x.data), { shape: x.shape, requiresGrad });

interface Case {
  readonly x: View;
  readonly hidden: number;
  readonly out: number;
  readonly hasBias: readonly [boolean, boolean];
  readonly residual: View | undefined;
  readonly family: KernelFamily;
  readonly seed: number;
}

const cases = (): fc.Arbitrary<Case> =>
  fc
    .record({
      rows: fc.array(dimension({ max: 20 }), { minLength: 1, maxLength: 2 }),
      size: dimension({ max: 70 }),
      out: dimension({ max: 40 }),
    })
    .chain(({ rows, size, out }) =>
      fc.record({
        x: view([...rows, size]),
        hidden: dimension({ max: 150 }),
        out: fc.constant(out),
        hasBias: fc.tuple(fc.boolean(), fc.boolean()),
        residual: fc.option(view([...rows, out]), { nil: undefined }),
        family: fc.constantFrom<KernelFamily>("panel", "portable", "tile"),
        seed: seed(),
      }),
    );

/** x, both weights, then the biases and the residual where there are any. Sums of unit size, where GELU bends. */
function inputs(c: Case): Nd[] {
  const size = c.x.shape.at(-1)!;
  const weight = (at: number, [out, from]: [number, number]): Nd =>
    map(seededValues(c.seed + at, [out, from], "uniform"), (v) => Math.fround(v / Math.sqrt(from)));
  return [
    seededValues(c.seed, c.x.base),
    weight(1, [c.hidden, size]),
    weight(2, [c.out, c.hidden]),
    ...(c.hasBias[0] ? [seededValues(c.seed + 3, [c.hidden])] : []),
    ...(c.hasBias[1] ? [seededValues(c.seed + 4, [c.out])] : []),
    ...(c.residual ? [seededValues(c.seed + 5, c.residual.base)] : []),
  ];
}

/** The optional inputs of a case: both biases and the residual. */
function optional<T>(c: Case, rest: readonly T[]): (T | undefined)[] {
  const left = [...rest];
  return [c.hasBias[0], c.hasBias[1], c.residual !== undefined].map((isThere) => (isThere ? left.shift() : undefined));
}

function exactly(c: Case, [x, up, down, ...rest]: readonly Nd[]): Nd {
  const [upBias, downBias, residual] = optional(c, rest);
  const hidden = oracle.gelu(oracle.linear(viewed(x!, c.x), up!, upBias), { approximate: "tanh" });
  const sum = oracle.linear(hidden, down!, downBias);
  return residual ? oracle.add(sum, viewed(residual, c.residual!)) : sum;
}

function run(c: Case, [x, up, down, ...rest]: readonly Tensor[]): Tensor {
  device.family = c.family;
  const [upBias = null, downBias = null, residual] = optional(c, rest);
  const layers = [
    { weight: up!, bias: upBias },
    { weight: down!, bias: downBias },
  ] as const;
  return feedForward(applyView(x!, c.x), layers, { residual: residual && applyView(residual, c.residual!) });
}

async function agrees(c: Case): Promise<void> {
  const given = inputs(c);
  const leaves = given.map((t) => upload(t));
  const found = run(c, leaves);
  // Sums of some hundred terms of unit size, twice: far below 1e-5 of their size.
  expectClose(await found.data(), exactly(c, given), 2e-5);
  expect(found.shape).toEqual(exactly(c, given).shape);
}

async function isAdjoint(c: Case): Promise<void> {
  const given = inputs(c);
  const directions = given.map((t, i) => seededValues(c.seed + 10 + i, t.shape));
  const derivative = directionalDerivative((...shifted) => exactly(c, shifted), given, directions);
  const cotangent = seededValues(c.seed + 20, derivative.shape);
  const leaves = given.map((t) => upload(t, true));
  run(c, leaves).backward({ gradient: upload(cotangent) });
  const gradients = await Promise.all(leaves.map(async (t) => ({ data: await t.grad!.data() })));
  expectAdjoint({ derivative, cotangent, gradients, directions });
}

const example: Case = {
  x: { shape: [6, 5], base: [6, 5], steps: [] },
  hidden: 20,
  out: 5,
  hasBias: [true, true],
  residual: undefined,
  family: "portable",
  seed: 1,
};

describe("feedForward", () => {
  it("agrees with float64 in every family, over any views", () => fc.assert(fc.asyncProperty(cases(), agrees), runs(40)));

  it("has gradients that satisfy the adjoint identity, for every input", () => fc.assert(fc.asyncProperty(cases(), isAdjoint), runs(40)));

  it("is two linear layers, in fewer launches backward", async () => {
    const [x0, ...rest] = inputs(example);
    const gradient = upload(seededValues(9, [6, 5]));
    const both = async (layer: (x: Tensor, p: readonly Tensor[]) => Tensor) => {
      device.family = preferred;
      const leaves = [x0!, ...rest].map((t) => upload(t, true));
      const y = layer(leaves[0]!, leaves.slice(1));
      const before = device.stats().dispatches;
      y.backward({ gradient });
      return {
        launches: device.stats().dispatches - before,
        grads: await Promise.all([y, ...leaves.map((t) => t.grad!)].map((t) => t.data())),
      };
    };
    const one = await both((x, [u, w, a, b]) =>
      feedForward(x, [
        { weight: u!, bias: a! },
        { weight: w!, bias: b! },
      ]),
    );
    const two = await both((x, [u, w, a, b]) => linear(linear(x, u!, a!, { activation: "gelu" }), w!, b!));
    expect(one.grads).toEqual(two.grads);
    expect([one.launches, two.launches]).toEqual([4, 5]);
  });

  it("computes only the gradients that are wanted", () => {
    const [x, up, down, upBias, downBias] = inputs(example).map((t) => upload(t)) as [Tensor, Tensor, Tensor, Tensor, Tensor];
    down.requiresGrad = true;
    const y = feedForward(x, [
      { weight: up, bias: upBias },
      { weight: down, bias: downBias },
    ]);
    const gradient = ones([6, 5]);
    const before = device.stats().dispatches;
    y.backward({ gradient });
    expect(device.stats().dispatches - before).toBe(1);
    expect([x.grad, up.grad, downBias.grad]).toEqual([null, null, null]);
  });

  it("says which sizes do not fit", () => {
    const layers = (hidden: number, out: number) =>
      [
        { weight: ones([hidden, 3]), bias: ones([hidden]) },
        { weight: ones([out, 4]), bias: ones([out]) },
      ] as const;
    expect(() => feedForward(ones([2, 3]), layers(5, 3))).toThrow(
      new ShapeError("feedForward: expected the second weight [3, 5] for x [2, 3] but found [3, 4]"),
    );
    expect(() => feedForward(ones([2, 3]), layers(4, 3), { residual: ones([3]) })).toThrow(ShapeError);
    expect(() => feedForward(ones([3]), layers(4, 3))).toThrow(ShapeError);
    expect(() => feedForward(ones([2, 3]).to("i32"), layers(4, 3))).toThrow(DTypeError);
  });

  it.each(["portable", "panel", "tile"] as const)("notices a wrong slope of GELU in the %s kernel", async (family) => {
    if (family === "panel" && device.subgroupSize === 0) return;
    const shader = family === "portable" ? "gemm_portable" : family === "panel" ? "gemm_panel" : "gemm_tile";
    const c = { ...example, family };
    await isAdjoint(c);
    await withMutation(shader, ["let slope = s + v", "let slope = s - v"], () => expect(isAdjoint(c)).rejects.toThrow("Expected <Jv, u>"));
  });
});
