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
  logSoftmaxBound,
  type Nd,
  oracle,
  runs,
  seed,
  seededValues,
  shape,
  softmaxBound,
  untilNoticed,
  type ValueKind,
  type View,
  valueKind,
  view,
  viewed,
} from "../testing/mod.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});

const families: KernelFamily[] = ["panel", "portable", "tile"];
const upload = (x: Nd, requiresGrad = false): Tensor => tensor(Float32Array.from(x.data), { shape: x.shape, requiresGrad });

const ops = {
  softmax: { run: (x: Tensor, axis: number) => x.softmax({ axis }), exact: oracle.softmax, bound: softmaxBound },
  logSoftmax: { run: (x: Tensor, axis: number) => x.logSoftmax({ axis }), exact: oracle.logSoftmax, bound: logSoftmaxBound },
};
type Name = keyof typeof ops;

interface Case {
  readonly view: View;
  readonly axis: number;
  readonly family: KernelFamily;
  readonly kind: ValueKind;
  readonly seed: number;
}

const cases = (maxCount: number): fc.Arbitrary<Case> =>
  shape({ minRank: 1, maxCount }).chain((shape) =>
    fc.record({
      view: view(shape),
      axis: fc.integer({ min: -shape.length, max: shape.length - 1 }),
      family: fc.constantFrom(...families),
      kind: valueKind("normal", "integers", "adversarial"),
      seed: seed(),
    }),
  );

async function agrees(name: Name, c: Case): Promise<void> {
  device.family = c.family;
  const base = seededValues(c.seed, c.view.base, c.kind);
  const x = viewed(base, c.view);
  const { run, exact, bound } = ops[name];
  expectClose(await run(applyView(upload(base), c.view), c.axis).data(), exact(x, c), bound(x, c));
}

async function isAdjoint(name: Name, c: Case): Promise<void> {
  device.family = c.family;
  const { run, exact } = ops[name];
  const base = seededValues(c.seed, c.view.base);
  const [x, leaf] = [viewed(base, c.view), applyView(upload(base), c.view)];
  leaf.requiresGrad = true;
  // Gradients arrive as views, too: here with the axes in another order in memory.
  const reversed = x.shape.map((_, i) => x.shape.length - 1 - i);
  const drawn = seededValues(c.seed + 1, x.shape.toReversed());
  const cotangent = oracle.permute(drawn, reversed);
  run(leaf, c.axis).backward({ gradient: upload(drawn).permute(reversed) });
  const direction = seededValues(c.seed + 2, x.shape);
  const derivative = directionalDerivative((v) => exact(v, c), [x], [direction]);
  const gradient = { data: await leaf.grad!.data() };
  expectAdjoint({ derivative, cotangent, gradients: [gradient], directions: [direction] });
}

const property = (check: (name: Name, c: Case) => Promise<void>, name: Name, options: { maxCount: number; n: number }): Promise<void> =>
  fc.assert(
    fc.asyncProperty(cases(options.maxCount), (c) => check(name, c)),
    { ...runs(options.n), endOnFailure: true },
  );

describe.each(["softmax", "logSoftmax"] as const)("%s", (name) => {
  it("agrees with float64 along any axis of any view", () => property(agrees, name, { maxCount: 4096, n: 60 }));

  it("has a gradient adjoint to its derivative", () => property(isAdjoint, name, { maxCount: 300, n: 40 }));

  it("takes more rows than a dispatch has invocations in one dimension", async () => {
    device.family = "portable";
    const rows = 64 * 65_535 + 65;
    const x = Float32Array.from({ length: 2 * rows }, (_, i) => (i % 2 ? 0 : (i % 1999) / 999 - 1));
    const y = await ops[name].run(tensor(x, { shape: [rows, 2] }), 1).data();
    const wrong = y.findIndex((v, i) => {
      const exact = 1 / (1 + Math.exp(x[i ^ 1]! - x[i]!));
      return Math.abs(v - (name === "softmax" ? exact : Math.log(exact))) > 2e-6;
    });
    expect(wrong).toBe(-1);
  });

  it("gives the same bits every time", async () => {
    const x = upload(seededValues(2, [70, 300]));
    for (const family of families) {
      device.family = family;
      for (const axis of [0, 1]) expect(await ops[name].run(x, axis).data()).toEqual(await ops[name].run(x, axis).data());
    }
  });

  it("keeps rows finite that are hugely negative, and takes −∞ as a mask", async () => {
    const ends = name === "softmax" ? [0, 1] : [-Infinity, 0];
    for (const family of families) {
      device.family = family;
      const low = await ops[name].run(tensor(new Float32Array(20).fill(-1e38)), 0).data();
      expectClose(low, new Array(20).fill(name === "softmax" ? 1 / 20 : -Math.log(20)), 2e-6);
      const masked = await ops[name].run(tensor([...new Array<number>(19).fill(-Infinity), 3]), 0).data();
      expect(Array.from(masked)).toEqual([...new Array(19).fill(ends[0]), ends[1]]);
    }
  });

  it("gives NaN for a row of −∞ and for a row with NaN, as PyTorch, and in their gradients", async () => {
    for (const family of families) {
      device.family = family;
      for (const bad of [new Float32Array(33).fill(-Infinity), new Float32Array(33).fill(1, 0, 32).fill(NaN, 32)]) {
        const x = tensor(bad, { requiresGrad: true });
        const y = ops[name].run(x, 0);
        y.backward({ gradient: upload(seededValues(5, [33])) });
        expect(Array.from(await y.data()).every(Number.isNaN)).toBe(true);
        expect(Array.from(await x.grad!.data()).every(Number.isNaN)).toBe(true);
      }
    }
  });

  it("does not change when a constant is added to a row", async () => {
    const x = seededValues(4, [8, 40], "integers");
    const shifted = upload({ shape: x.shape, data: x.data.map((v) => v + 1024) });
    expect(await ops[name].run(shifted, 1).data()).toEqual(await ops[name].run(upload(x), 1).data());
  });

  it("refuses integers and axes that are not there", () => {
    const x = tensor([[1, 2]]);
    expect(() => ops[name].run(x.to("i32"), 0)).toThrow(DTypeError);
    expect(() => ops[name].run(x, 2)).toThrow(ShapeError);
  });
});

describe("a broken softmax", () => {
  it.each([
    ["is not shifted by the greatest element", agrees, "exponential(x_at(start.x, at) - shift)", "exponential(x_at(start.x, at))"],
    ["counts elements beyond a row's end", agrees, "at < vec4u(params.length)", "at < vec4u(params.length + 1u)"],
    ["mixes up axes", agrees, "rest /= n;", "rest /= n + 1u;"],
    ["forgets the sum in its gradient", isAdjoint, "(slope - total)", "slope"],
  ] as const)("that %s is noticed", (_, check, find, replace) =>
    expect(withMutation("softmax", [find, replace], () => property(check, "softmax", { maxCount: 400, n: untilNoticed }))).rejects.toThrow(
      "Property failed",
    ),
  );

  it.for(["panel", "tile"] as const)("whose tree loses a lane in the form for %s adapters is noticed", (family, { skip }) => {
    skip(!device.hasFamily(family), "no subgroups of a fixed size");
    const c: Case = { view: { shape: [3, 100], base: [3, 100], steps: [] }, axis: 1, family, kind: "normal", seed: 1 };
    const find = /step > 0u; step \/= 2u\)(?=[^}]*(total|slots\[local\]) \+=)/;
    return expect(withMutation("softmax", [find, "step > 1u; step /= 2u)"], () => agrees("softmax", c))).rejects.toThrow("outside");
  });
});
