import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { noGrad } from "../../autograd/apply.ts";
import { capture } from "../../capture/capture.ts";
import { tensor } from "../../create.ts";
import type { Device, KernelFamily } from "../../device/device.ts";
import { withMutation } from "../../device/kernel.ts";
import { openDevice } from "../../device/open.ts";
import type { Tensor } from "../../tensor.ts";
import {
  applyView,
  dimension,
  directionalDerivative,
  dotBound,
  expectAdjoint,
  expectClose,
  layerNormBound,
  type Nd,
  nd,
  oracle,
  runs,
  seed,
  seededValues,
  type View,
  view,
  viewed,
} from "../../testing/mod.ts";
import { layerNorm } from "../layer_norm.ts";
import { linear } from "../linear.ts";
import { NormAhead } from "./norm_ahead.ts";

let device: Device;
let preferred: KernelFamily;
beforeAll(async () => {
  device = await openDevice();
  preferred = device.family;
});

const upload = (x: Nd, requiresGrad = false): Tensor => tensor(Float32Array.from(x.data), { shape: x.shape, requiresGrad });

interface Case {
  readonly x: View;
  readonly out: number;
  readonly residual: View | undefined;
  readonly hasBias: boolean;
  readonly eps: number;
  readonly family: KernelFamily;
  readonly seed: number;
}

/** Widths that one subgroup holds, those that it does not, and those that are no whole vectors; sums of one panel and of several. */
const cases = ({ shortest }: { shortest: number }): fc.Arbitrary<Case> =>
  fc
    .record({
      rows: fc.array(dimension({ max: 20 }), { minLength: 1, maxLength: 2 }),
      size: fc.oneof(dimension({ max: 70 }), fc.constant(64)),
      out: fc.oneof(fc.constantFrom(4, 8, 12, 16, 20, 28, 32, 36, 64, 68), dimension({ max: 70 })).filter((n) => n >= shortest),
    })
    .chain(({ rows, size, out }) =>
      fc.record({
        x: view([...rows, size]),
        out: fc.constant(out),
        residual: fc.option(view([...rows, out]), { nil: undefined }),
        hasBias: fc.boolean(),
        eps: fc.constantFrom(1e-5, 0.1),
        family: fc.constantFrom<KernelFamily>("panel", "panel", "portable", "tile"),
        seed: seed(),
      }),
    );

/** x, the layer's weight, the normalisation's weight and bias; then the layer's bias and the residual where there are any. */
function inputs(c: Case): Nd[] {
  return [
    seededValues(c.seed, c.x.base),
    seededValues(c.seed + 1, [c.out, c.x.shape.at(-1)!], "uniform"),
    seededValues(c.seed + 2, [c.out]),
    seededValues(c.seed + 3, [c.out]),
    ...(c.hasBias ? [seededValues(c.seed + 4, [c.out])] : []),
    ...(c.residual ? [seededValues(c.seed + 5, c.residual.base)] : []),
  ];
}

/** The layer's sums in float64. */
function sumExactly(c: Case, [x, weight, , , ...rest]: readonly Nd[]): Nd {
  const sum = oracle.linear(viewed(x!, c.x), weight!, c.hasBias ? rest[0] : undefined);
  return c.residual ? oracle.add(sum, viewed(rest.at(-1)!, c.residual)) : sum;
}

/** The sums and their normalised rows, announced or not. */
function run(
  c: Case,
  [x, weight, normWeight, normBias, ...rest]: readonly Tensor[],
  isAnnounced = true,
): [sum: Tensor, normalized: Tensor] {
  device.family = c.family;
  const { eps } = c;
  const ahead = isAnnounced ? new NormAhead({ weight: normWeight!, bias: normBias!, eps }) : undefined;
  const residual = c.residual && applyView(rest.at(-1)!, c.residual);
  const sum = linear(applyView(x!, c.x), weight!, c.hasBias ? rest[0]! : null, { ...(residual && { residual }), ahead });
  return [sum, layerNorm(sum, normWeight!, normBias!, { eps, ahead })];
}

/** Sums within their bound, and normalised what the sums that were found make in float64. */
async function agrees(c: Case): Promise<void> {
  const given = inputs(c);
  const leaves = given.map((t) => upload(t));
  const [sum, normalized] = run(c, leaves);
  const exact = sumExactly(c, given);
  const sizes = sumExactly(c, given.map(oracle.abs)); // biome-ignore format: one line
  const found = nd(exact.shape, Float64Array.from(await sum.data()));
  expect(normalized.shape).toEqual(exact.shape);
  expectClose(found.data, exact, dotBound(c.x.shape.at(-1)! + 2, sizes));
  const [weight, bias, { eps }] = [given[2]!, given[3]!, c];
  expectClose(await normalized.data(), oracle.layerNorm(found, weight, bias, { eps }), layerNormBound(found, weight, bias, { eps }));
}

async function isAdjoint(c: Case): Promise<void> {
  const given = inputs(c);
  const directions = given.map((t, i) => seededValues(c.seed + 10 + i, t.shape));
  const both = (...shifted: Nd[]): Nd => {
    const sum = sumExactly(c, shifted);
    return oracle.stack([sum, oracle.layerNorm(sum, shifted[2]!, shifted[3]!, c)]);
  };
  const derivative = directionalDerivative(both, given, directions);
  const cotangent = seededValues(c.seed + 20, derivative.shape);
  const leaves = given.map((t) => upload(t, true));
  const [sum, normalized] = run(c, leaves);
  const [ofSum, ofNormalized] = [0, 1].map((i) => upload(oracle.reshape(oracle.slice(cotangent, [[i, i + 1]]), sum.shape)));
  sum.mul(ofSum!).sum().add(normalized.mul(ofNormalized!).sum()).backward();
  const gradients = await Promise.all(leaves.map(async (t) => ({ data: await t.grad!.data() })));
  expectAdjoint({ derivative, cotangent, gradients, directions });
}

const agreement = (n: number): Promise<void> =>
  fc.assert(fc.asyncProperty(cases({ shortest: 1 }), agrees), { ...runs(n), endOnFailure: n < 60 });

// Of rows of 2 or 3 elements little more than a sign is left: gradients there are all cancellation.
const adjoint = (n: number): Promise<void> =>
  fc.assert(fc.asyncProperty(cases({ shortest: 4 }), isAdjoint), { ...runs(n), endOnFailure: n < 60 });

const plain = (shape: number[]): View => ({ shape, base: shape, steps: [] });
/** What one kernel does on software adapters, whatever their subgroups' size. */
const fused: Case = { x: plain([2, 50, 24]), out: 16, residual: plain([2, 50, 16]), hasBias: true, eps: 0.1, family: "panel", seed: 1 };

/** The launches of `body`. */
function launches(body: () => unknown): number {
  const before = device.stats().dispatches;
  body();
  return device.stats().dispatches - before;
}

const isFused = (): boolean => {
  device.family = "panel";
  return launches(() => run(fused, inputs(fused).map((t) => upload(t)))) === 1; // biome-ignore format: one line
};

describe("a layer normalisation that is announced to the linear layer before it", () => {
  it("agrees with float64, as the sums do, in every family and over any views", () => agreement(60));

  it("has gradients that satisfy the adjoint identity, for every input", () => adjoint(40));

  it("is the same to the bit as one that is not, with its gradients, and a launch less where one kernel does both", () =>
    fc.assert(
      fc.asyncProperty(cases({ shortest: 1 }), async (drawn) => {
        const c = { ...drawn, family: "panel" } as const;
        const [one, two] = [true, false].map((isAnnounced) => {
          const leaves = inputs(c).map((t) => upload(t, true));
          let results: Tensor[] = [];
          const count = launches(() => (results = run(c, leaves, isAnnounced)));
          const gradient = results[1]!.onesLike();
          results[1]!.mul(results[0]!).backward({ gradient });
          return { count, values: [...results, ...leaves.map((t) => t.grad!)] };
        }) as [{ count: number; values: Tensor[] }, { count: number; values: Tensor[] }];
        for (const [i, t] of one.values.entries()) expect(await t.data()).toEqual(await two.values[i]!.data());
        const lanes = device.subgroupSize;
        const fits = c.x.shape.at(-1)! <= 64 && c.out % 4 === 0 && (c.out <= 4 * lanes || c.out === 8 * lanes);
        const isAnyView = fits && (c.residual?.steps.length ?? 0) > 0; // then it depends on where its rows begin
        if (!isAnyView) expect(two.count - one.count).toBe(fits ? 1 : 0);
      }),
      runs(30),
    ));

  it("is computed by its own kernel when other rows reach it, or the same ones after somebody wrote to them, or other parameters", async () => {
    device.family = preferred;
    const leaves = inputs(fused).map((t) => upload(t)) as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
    const [x, weight, normWeight, normBias, bias, residual] = leaves;
    const { eps } = fused;
    const ways: [string, (sum: Tensor) => Tensor, Tensor, number][] = [
      ["other rows", (sum) => sum.mul(2), normWeight, eps],
      ["rows of which one is overwritten", (sum) => { sum.narrow(1, { start: 3, length: 1 }).fill(7); return sum; }, normWeight, eps], // biome-ignore format: one line
      ["fewer rows", (sum) => sum.narrow(0, { start: 1, length: 1 }), normWeight, eps],
      ["rows of other elements", (sum) => sum.reshape([2, 25, 32]).narrow(2, { start: 0, length: 16 }), normWeight, eps],
      ["another weight", (sum) => sum, normBias, eps],
      ["another eps", (sum) => sum, normWeight, 0.5],
    ];
    for (const [what, between, w, e] of ways) {
      const ahead = new NormAhead({ weight: normWeight, bias: normBias, eps });
      const between0 = between(linear(x, weight, bias, { residual, ahead }));
      const found = await layerNorm(between0, w, normBias, { eps: e, ahead }).data();
      expect(found, what).toEqual(await layerNorm(between0, w, normBias, { eps: e }).data());
    }
    const ahead = new NormAhead({ weight: normWeight, bias: normBias, eps });
    const sum = linear(x, weight, bias, { residual, ahead });
    normWeight.fill(3);
    expect(await layerNorm(sum, normWeight, normBias, { eps, ahead }).data()).toEqual(
      await layerNorm(sum, normWeight, normBias, { eps }).data(),
    );
  });

  it("leaves a sum's own gradient whole where that is kept", async () => {
    device.family = preferred;
    const grads = await Promise.all(
      [true, false].map((isAnnounced) => {
        const [sum, normalized] = run({ ...fused, family: preferred }, inputs(fused).map((t) => upload(t, true)), isAnnounced); // biome-ignore format: one line
        sum.retainGrad();
        normalized.mul(sum).backward({ gradient: sum.onesLike() });
        return sum.grad!.data();
      }),
    );
    expect(grads[0]).toEqual(grads[1]);
  });

  it("gives the same bits captured as eager, replay after replay, with parameters that change between", async () => {
    device.family = preferred;
    const leaves = inputs(fused).map((t) => upload(t));
    const step = (): Tensor[] => noGrad(() => run({ ...fused, family: preferred }, leaves));
    const captured = capture(step);
    for (const weight of [2, 3]) {
      leaves[2]!.fill(weight);
      const [eager, replayed] = [step(), await captured()];
      for (const [i, t] of eager.entries()) expect(await replayed[i]!.data()).toEqual(await t.data());
    }
    captured.destroy();
  });

  it("keeps nothing of a layer with an activation, and takes a single vector and no rows", async () => {
    device.family = preferred;
    const norm = { weight: tensor([1, 1, 1, 1]), bias: tensor([0, 0, 0, 0]), eps: 0 };
    const weight = tensor([[1], [1], [-1], [-1]]);
    const ahead = new NormAhead(norm);
    const one = linear(tensor([2]), weight, null, { ahead });
    expectClose(await layerNorm(one, norm.weight, norm.bias, { eps: 0, ahead }).data(), [1, 1, -1, -1], 1e-6);
    const none = linear(tensor(new Float32Array(0), { shape: [0, 1] }), weight, null, { ahead });
    expect(layerNorm(none, norm.weight, norm.bias, { eps: 0, ahead }).shape).toEqual([0, 4]);
    const active = linear(tensor([[2]]), weight, null, { activation: "gelu", ahead });
    const found = await layerNorm(active, norm.weight, norm.bias, { eps: 0, ahead }).data();
    expect(found).toEqual(await layerNorm(active, norm.weight, norm.bias, { eps: 0 }).data());
  });
});

describe("a broken product that normalises", () => {
  it.for([
    ["counts lanes beyond a row's end", agrees, "select(vec4f(), row_0 - center, inside_0)", "row_0 - center"],
    ["forgets eps", agrees, "+ params.eps", ""],
    ["normalises what the residual has not been added to", agrees, "row_0 = value;", "row_0 = vec4f(sum_0, sum_1, sum_2, sum_3);"],
    ["takes a neighbour's weight", agrees, "normWeight4[vector_0]", "normWeight4[vector_0 / 2u]"],
    ["puts means a row late", isAdjoint, "statistics[batch * params.m + row - 1u]", "statistics[batch * params.m + row]"],
    ["keeps the variance instead of its root", isAdjoint, "row - 1u] = scale", "row - 1u] = variance"],
  ] as const)("that %s is noticed", async ([, property, find, replace], { skip }) => {
    skip(!device.hasFamily("panel") || !isFused(), "no kernel that does both");
    const c = { ...fused, out: 12, residual: plain([2, 50, 12]), seed: 3 };
    await property(c);
    await withMutation("gemm_panel", [find, replace], () => expect(property(c)).rejects.toThrow("Expected"));
  });
});
