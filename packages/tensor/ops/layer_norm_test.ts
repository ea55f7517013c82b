import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { tensor } from "../create.ts";
import type { Device, KernelFamily } from "../device/device.ts";
import { withMutation } from "../device/kernel.ts";
import { openDevice } from "../device/open.ts";
import { DTypeError, ShapeError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
import {
  applyView,
  directionalDerivative,
  expectAdjoint,
  expectClose,
  layerNormBound,
  map,
  type Nd,
  oracle,
  runs,
  seed,
  seededValues,
  shape,
  untilNoticed,
  type View,
  view,
  viewed,
} from "../testing/mod.ts";
import { layerNorm } from "./layer_norm.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});

const families: KernelFamily[] = ["panel", "portable", "tile"];
const upload = (x: Nd, requiresGrad = false): Tensor => tensor(Float32Array.from(x.data), { shape: x.shape, requiresGrad });

interface Case {
  readonly view: View;
  readonly hasWeight: boolean;
  readonly hasBias: boolean;
  readonly eps: number;
  readonly family: KernelFamily;
  readonly seed: number;
}

const cases = (options: { maxCount: number; shortest: number }): fc.Arbitrary<Case> =>
  shape({ minRank: 1, ...options })
    .filter((shape) => shape.at(-1)! >= options.shortest)
    .chain((shape) =>
      fc.record({
        view: view(shape),
        hasWeight: fc.boolean(),
        hasBias: fc.boolean(),
        eps: fc.constantFrom(1e-5, 0.1),
        family: fc.constantFrom(...families),
        seed: seed(),
      }),
    );

function parameters(c: Case): { weight: Nd | undefined; bias: Nd | undefined } {
  const width = [c.view.shape.at(-1)!];
  return {
    weight: c.hasWeight ? seededValues(c.seed + 1, width) : undefined,
    bias: c.hasBias ? seededValues(c.seed + 2, width) : undefined,
  };
}

/** Values around 0 and far from it: the latter is where E[x²] − E[x]² would cancel. */
const values = (c: Case, places: readonly number[]): Nd => {
  const x = seededValues(c.seed, places, c.seed % 3 ? "normal" : "integers");
  return c.seed % 2 ? x : map(x, (v) => Math.fround(v + 300));
};

async function agrees(c: Case): Promise<void> {
  device.family = c.family;
  const base = values(c, c.view.base);
  const x = viewed(base, c.view);
  const { weight, bias } = parameters(c);
  const y = layerNorm(applyView(upload(base), c.view), weight ? upload(weight) : null, bias ? upload(bias) : null, c);
  expectClose(await y.data(), oracle.layerNorm(x, weight, bias, c), layerNormBound(x, weight, bias, c));
}

async function isAdjoint(c: Case): Promise<void> {
  device.family = c.family;
  const base = seededValues(c.seed, c.view.base);
  const x = viewed(base, c.view);
  const { weight, bias } = parameters(c);
  const leaf = applyView(upload(base), c.view);
  leaf.requiresGrad = true;
  const [w, b] = [weight && upload(weight, true), bias && upload(bias, true)];
  // a gradient with gaps between its rows
  const start = c.family === "panel" ? 4 : 2; // panel kernels want whole vec4
  const wide = [...x.shape.slice(0, -1), x.shape.at(-1)! + 2 * start];
  const drawn = seededValues(c.seed + 3, wide);
  const columns = [...x.shape.slice(0, -1).map(() => []), [start, x.shape.at(-1)! + start]];
  layerNorm(leaf, w ?? null, b ?? null, c).backward({ gradient: upload(drawn).slice(columns) });
  const inputs = [x, ...[weight, bias].filter((p) => p !== undefined)];
  const directions = inputs.map((input, i) => seededValues(c.seed + 4 + i, input.shape));
  const formula = (xs: Nd, ...rest: Nd[]): Nd =>
    oracle.layerNorm(xs, c.hasWeight ? rest[0] : undefined, c.hasBias ? rest.at(-1) : undefined, c);
  const derivative = directionalDerivative(formula, inputs, directions);
  const leaves = [leaf, w, b].filter((t) => t !== undefined);
  const gradients = await Promise.all(leaves.map(async (t) => ({ data: await t.grad!.data() })));
  expectAdjoint({ derivative, cotangent: oracle.slice(drawn, columns as [number, number][]), gradients, directions });
}

const agreement = (n: number): Promise<void> =>
  fc.assert(fc.asyncProperty(cases({ maxCount: 4096, shortest: 1 }), agrees), { ...runs(n), endOnFailure: n === untilNoticed });

// Of rows of 2 or 3 elements little more than a sign is left: gradients there are all cancellation.
const adjoint = (n: number): Promise<void> =>
  fc.assert(fc.asyncProperty(cases({ maxCount: 400, shortest: 4 }), isAdjoint), { ...runs(n), endOnFailure: n === untilNoticed });

/** Rows that the panel kernels take: lengths of whole vec4, up to as many as lanes keep. */
const panelCases = (rows: number): fc.Arbitrary<Case> =>
  fc.tuple(fc.integer({ min: 1, max: rows }), fc.integer({ min: 1, max: 32 })).chain(([rows, vectors]) =>
    fc.record({
      view: fc.constant({ shape: [rows, 4 * vectors], base: [rows, 4 * vectors], steps: [] }),
      hasWeight: fc.boolean(),
      hasBias: fc.boolean(),
      eps: fc.constantFrom(1e-5, 0.1),
      family: fc.constant("panel" as const),
      seed: seed(),
    }),
  );

const panelAgreement = (n: number): Promise<void> =>
  fc.assert(fc.asyncProperty(panelCases(150), agrees), { ...runs(n), endOnFailure: n === untilNoticed });

const panelAdjoint = (n: number): Promise<void> =>
  fc.assert(fc.asyncProperty(panelCases(20), isAdjoint), { ...runs(n), endOnFailure: n === untilNoticed });

describe("layerNorm", () => {
  it("agrees with float64 on any view, with and without weight and bias", () => agreement(60));

  it("has gradients adjoint to its derivative", () => adjoint(60));

  it("agrees with float64 where a subgroup walks rows, and has gradients adjoint to that", async () => {
    await panelAgreement(60);
    await panelAdjoint(60);
  });

  it("takes more rows than a dispatch has invocations in one dimension, also in its gradients", async () => {
    device.family = "portable";
    const rows = 64 * 65_535 + 65;
    const x = tensor(
      Float32Array.from({ length: 2 * rows }, (_, i) => ((i >> 1) % 3 === i % 2 ? 1 : -1)),
      { shape: [rows, 2], requiresGrad: true },
    );
    const [weight, bias] = [tensor([2, 2], { requiresGrad: true }), tensor([0, 0], { requiresGrad: true })];
    const y = layerNorm(x, weight, bias, { eps: 0 });
    y.sum().backward();
    const wrong = (await y.data()).findIndex((v, i) => {
      const same = (i >> 1) % 3 === 2; // both elements −1
      return same ? !Number.isNaN(v) : Math.abs(v - ((i >> 1) % 3 === i % 2 ? 2 : -2)) > 1e-6;
    });
    expect(wrong).toBe(-1);
    expect(Array.from(await bias.grad!.data())).toEqual([rows, rows]);
  });

  it("adds up the gradients of weight and bias over many rows to within the error of a tree", async () => {
    const rows = 100_000;
    const x = tensor(
      Float32Array.from({ length: 4 * rows }, (_, i) => [3, -1, -1, -1][i % 4]!),
      { shape: [rows, 4] },
    );
    const [weight, bias] = [tensor([1, 1, 1, 1], { requiresGrad: true }), tensor([0, 0, 0, 0], { requiresGrad: true })];
    const slope = tensor(new Float32Array(4 * rows).fill(0.1), { shape: [rows, 4] });
    layerNorm(x, weight, bias, { eps: 0 }).backward({ gradient: slope });
    const total = Math.fround(0.1) * rows;
    expectClose(await bias.grad!.data(), [total, total, total, total], total * 2e-6);
    const root = Math.sqrt(3);
    expectClose(await weight.grad!.data(), [total * root, -total / root, -total / root, -total / root], total * 4e-6);
  });

  it("gives zeros for rows of equal elements, and no gradient there but eps'", async () => {
    for (const family of families) {
      device.family = family;
      const x = tensor(new Float32Array(40).fill(1.5), { shape: [2, 20], requiresGrad: true });
      const y = layerNorm(x);
      y.backward({ gradient: y.onesLike() });
      expect(Array.from(await y.data())).toEqual(new Array(40).fill(0));
      expectClose(await x.grad!.data(), new Array(40).fill(0), 1e-4);
    }
  });

  it("does not change when a row is shifted", async () => {
    const x = seededValues(7, [6, 48], "integers");
    const shifted = map(x, (v) => v + 4096);
    const [a, b] = [await layerNorm(upload(x)).data(), await layerNorm(upload(shifted)).data()];
    expectClose(b, Array.from(a), 2e-3);
  });

  it("gives the same bits every time", async () => {
    for (const [family, width] of families.flatMap((family) => [65, 64].map((width) => [family, width] as const))) {
      device.family = family;
      const run = async (): Promise<unknown[]> => {
        const leaves = [
          upload(seededValues(1, [300, width]), true),
          upload(seededValues(2, [width]), true),
          upload(seededValues(3, [width]), true),
        ];
        const y = layerNorm(leaves[0]!, leaves[1]!, leaves[2]!);
        y.square().sum().backward();
        return Promise.all([y.data(), ...leaves.map((t) => t.grad!.data())]);
      };
      expect(await run()).toEqual(await run());
    }
  });

  it("refuses weights of another size, integers and scalars", () => {
    const x = tensor([[1, 2]]);
    expect(() => layerNorm(x, tensor([1, 2, 3]))).toThrow(ShapeError);
    expect(() => layerNorm(x, null, tensor([[1, 2]]))).toThrow(ShapeError);
    expect(() => layerNorm(x.to("i32"))).toThrow(DTypeError);
    expect(() => layerNorm(tensor(1))).toThrow(ShapeError);
  });
});

describe("a broken layer normalisation", () => {
  it.each([
    ["counts elements beyond a row's end", agreement, "at < vec4u(params.length)", "at < vec4u(params.length + 1u)"],
    ["forgets eps", agreement, "+ params.eps", ""],
    ["adds the bias before the weight", agreement, "* weight_at(at) + bias_at(at)", "+ bias_at(at) * weight_at(at)"],
    ["forgets the part along x in its gradient", adjoint, "- normalized * along_mean", ""],
    ["forgets the mean of its gradient", adjoint, "- sum_mean -", "-"],
    ["loses a row in its parameters' gradients", adjoint, "rows < vec4u(end)", "rows + 1u < vec4u(end)"],
  ] as const)("that %s is noticed", (_, property, find, replace) =>
    expect(withMutation("layer_norm", [find, replace], () => property(untilNoticed))).rejects.toThrow("Property failed"),
  );

  it.each([
    ["counts lanes beyond a row's end", panelAgreement, "let d_0 = select(vec4f(), x_0 - center, inside_0)", "let d_0 = x_0 - center"],
    ["begins each stretch a row late", panelAgreement, "var row = first;", "var row = first + 1u;"],
    ["forgets the part along x in its gradient", panelAdjoint, "- normalized_0 * along_mean", ""],
    ["leaves a lane's bias gradient out", panelAdjoint, "for_bias_0 += dy_0;", "if (lane > 0u) { for_bias_0 += dy_0; }"],
  ] as const)("of a walking subgroup that %s is noticed", async (_, property, find, replace) => {
    if (device.subgroupSize === 0) return;
    await expect(withMutation("layer_norm_panel", [find, replace], () => property(untilNoticed))).rejects.toThrow("Property failed");
  });

  it.for(["panel", "tile"] as const)("whose tree loses a lane in the form for %s adapters is noticed", (family, { skip }) => {
    skip(!device.hasFamily(family), "no subgroups of a fixed size");
    const c: Case = { view: { shape: [3, 101], base: [3, 101], steps: [] }, hasWeight: true, hasBias: true, eps: 1e-5, family, seed: 1 };
    return expect(withMutation("layer_norm", [/step > 0u; step \/= 2u/g, "step > 1u; step /= 2u"], () => agrees(c))).rejects.toThrow(
      "outside",
    );
  });
});
