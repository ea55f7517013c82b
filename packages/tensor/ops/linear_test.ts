import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { ones, tensor } from "../create.ts";
import type { Device, KernelFamily } from "../device/device.ts";
import { withMutation } from "../device/kernel.ts";
import { openDevice } from "../device/open.ts";
import { DTypeError, ShapeError } from "../errors.ts";
import { Tensor } from "../tensor.ts";
import {
  applyView,
  dimension,
  directionalDerivative,
  dotBound,
  elementBound,
  expectAdjoint,
  expectClose,
  type Nd,
  oracle,
  runs,
  seed,
  seededValues,
  type View,
  view,
  viewed,
  zip,
} from "../testing/mod.ts";
import { linear } from "./linear.ts";

let device: Device;
let preferred: KernelFamily;
beforeAll(async () => {
  device = await openDevice();
  preferred = device.family;
});

const upload = (x: Nd, options: { requiresGrad?: boolean } = {}): Tensor =>
  tensor(Float32Array.from(x.data), { shape: x.shape, ...options });

interface Case {
  readonly x: View;
  readonly out: number;
  readonly residual: View | undefined;
  readonly hasBias: boolean;
  readonly activation: "gelu" | undefined;
  readonly seed: number;
}

const cases = (): fc.Arbitrary<Case> =>
  fc
    .record({
      rows: fc.array(fc.oneof(fc.integer({ min: 1, max: 4 }), dimension({ max: 33 })), { maxLength: 2 }),
      size: dimension({ max: 97 }),
      out: dimension({ max: 97 }),
    })
    .chain(({ rows, size, out }) =>
      fc.record({
        x: view([...rows, size]),
        out: fc.constant(out),
        residual: fc.option(view([...rows, out]), { nil: undefined }),
        hasBias: fc.boolean(),
        activation: fc.constantFrom(undefined, "gelu" as const),
        seed: seed(),
      }),
    );

/** x, weight, bias, residual; the last two where there are. */
function inputs(c: Case): Nd[] {
  const x = seededValues(c.seed, c.x.base);
  const weight = seededValues(c.seed + 1, [c.out, c.x.shape.at(-1)!], "uniform");
  const bias = c.hasBias ? [seededValues(c.seed + 2, [c.out])] : [];
  return [x, weight, ...bias, ...(c.residual ? [seededValues(c.seed + 3, c.residual.base)] : [])];
}

/** The layer in float64, from the bases of its views. */
function exactly(c: Case, [x, weight, ...rest]: readonly Nd[]): Nd {
  const sum = oracle.linear(viewed(x!, c.x), weight!, c.hasBias ? rest[0] : undefined);
  const activated = c.activation ? oracle.gelu(sum, { approximate: "tanh" }) : sum;
  return c.residual ? oracle.add(activated, viewed(rest.at(-1)!, c.residual)) : activated;
}

/** And on the GPU. */
function run(c: Case, [x, weight, ...rest]: readonly Tensor[]): Tensor {
  const residual = c.residual && applyView(rest.at(-1)!, c.residual);
  return linear(applyView(x!, c.x), weight!, c.hasBias ? rest[0]! : null, {
    ...(c.activation && { activation: c.activation }),
    ...(residual && { residual }),
  });
}

async function agrees(c: Case): Promise<void> {
  const given = inputs(c);
  const exact = exactly(c, given);
  const found = run(
    c,
    given.map((t) => upload(t)),
  );
  // the sum's own bound, passed on through GELU (slope ≤ 1.13), GELU's, and the residual's rounding
  const plain = { ...c, activation: undefined, residual: undefined };
  const sum = exactly(plain, given);
  const sizes = exactly(
    plain,
    given.map((t) => oracle.abs(t)),
  );
  let bound = dotBound(c.x.shape.at(-1)! + 1, sizes);
  if (c.activation) {
    const activated = oracle.gelu(sum, { approximate: "tanh" });
    bound = zip(elementBound("gelu", sum, activated), bound, (own, passed) => own + 1.13 * passed);
  }
  expect(found.shape).toEqual(exact.shape);
  expectClose(
    await found.data(),
    exact,
    zip(bound, dotBound(1, oracle.abs(exact)), (e, last) => e + last),
  );
}

async function hasRightGradients(c: Case): Promise<void> {
  const given = inputs(c);
  const directions = given.map((t, i) => seededValues(c.seed + 10 + i, t.shape));
  const derivative = directionalDerivative((...shifted) => exactly(c, shifted), given, directions);
  const cotangent = seededValues(c.seed + 20, derivative.shape);
  const leaves = given.map((t) => upload(t, { requiresGrad: true }));
  run(c, leaves).backward({ gradient: upload(cotangent) });
  const gradients = await Promise.all(leaves.map(async (t) => ({ data: await t.grad!.data() })));
  expectAdjoint({ derivative, cotangent, gradients, directions });
}

describe("linear()", () => {
  it("agrees with float64, with and without bias, GELU and residual, over any views", () =>
    fc.assert(fc.asyncProperty(cases(), agrees), runs(40)));

  it("has gradients that satisfy the adjoint identity, for every input", () =>
    fc.assert(fc.asyncProperty(cases(), hasRightGradients), runs(40)));

  it("has GELU's slope right everywhere, and NaN where the argument is NaN", async () => {
    const at = [-1e30, -100, -10.5, -9.9, -3, -1, -1e-3, 0, 1e-3, 1, 3, 9.9, 10.5, 100, 1e30, NaN];
    const x = tensor(
      at.map((v) => [v]),
      { requiresGrad: true },
    );
    const y = linear(x, tensor([[1]]), null, { activation: "gelu" });
    y.backward({ gradient: ones([at.length, 1]) });
    const slopes = at.map((v) => {
      const u = Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3);
      const du = Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * v ** 2);
      return Math.abs(v) > 20 ? Number(v > 0) : (1 + Math.tanh(u)) / 2 + (v / 2) * (1 - Math.tanh(u) ** 2) * du;
    });
    expectClose(await x.grad!.data(), slopes, 1e-6);
    expect((await y.data())[at.length - 1]).toBeNaN();
    expectClose(Array.from(await y.data()).slice(0, 3), [0, 0, 0], 1e-20);
  });

  it("sums the gradients of weight and bias over 100,000 rows to within the bound, to the same bits every time", async () => {
    const [x, g] = [seededValues(1, [100_000, 5]), seededValues(2, [100_000, 9])];
    const gradients = async (): Promise<Tensor[]> => {
      const leaves = [upload(seededValues(3, [9, 5]), { requiresGrad: true }), upload(seededValues(4, [9]), { requiresGrad: true })];
      linear(upload(x), leaves[0]!, leaves[1]!).backward({ gradient: upload(g) });
      return leaves.map((t) => t.grad!);
    };
    const [dWeight, dBias] = (await gradients()) as [Tensor, Tensor];
    const rows = oracle.transpose(g, 0, 1);
    expectClose(await dWeight.data(), oracle.matmul(rows, x), dotBound(100_000, oracle.matmul(oracle.abs(rows), oracle.abs(x))));
    expectClose(await dBias.data(), oracle.sum(g, { axis: 0 }), dotBound(100_000, oracle.sum(oracle.abs(g), { axis: 0 })));
    const again = await gradients();
    expect(await again[0]!.data()).toEqual(await dWeight.data());
    expect(await again[1]!.data()).toEqual(await dBias.data());
  });

  it("computes only the gradients that are wanted, and each in as few launches as promised", async () => {
    const leaf = (shape: number[], requiresGrad: boolean): Tensor => upload(seededValues(5, shape), { requiresGrad });
    const launches = (wanted: [x: boolean, weight: boolean, bias: boolean]): [number, Tensor[]] => {
      const leaves = [leaf([4, 10, 8], wanted[0]), leaf([6, 8], wanted[1]), leaf([6], wanted[2])];
      const y = linear(leaves[0]!, leaves[1]!, leaves[2]!);
      const gradient = ones(y.shape);
      const before = device.stats().dispatches;
      y.backward({ gradient });
      return [device.stats().dispatches - before, leaves];
    };
    expect(launches([true, false, false])[0]).toBe(1);
    expect(launches([false, true, true])[0]).toBe(1); // weight and bias in one
    const [, [x, weight, bias]] = launches([false, false, true]);
    expect([x!.grad, weight!.grad]).toEqual([null, null]);
    expect(Array.from(await bias!.grad!.data())).toEqual([40, 40, 40, 40, 40, 40]);
  });

  it("aligns long rows, and what lies between them never enters a product", async () => {
    for (const family of ["portable", "panel", "tile"] as const) {
      device.family = family;
      const [x, w, v] = [seededValues(6, [2, 35, 20]), seededValues(7, [70, 20]), seededValues(8, [70, 3])];
      const y = linear(upload(x), upload(w), null);
      expect(y.strides).toEqual([35 * 72, 72, 1]);
      const whole = new Tensor(device, y.storage, { shape: [70, 72], dtype: "f32" });
      whole.narrow(1, { start: 70, length: 2 }).fill(NaN);
      const exact = oracle.linear(x, w);
      const size = oracle.linear(oracle.abs(x), oracle.abs(w));
      expectClose(await y.data(), exact, dotBound(20, size));
      // as the left operand of a product over the rows' length, and transposed, of one over the rows
      expectClose(await y.matmul(upload(v)).data(), oracle.matmul(exact, v), dotBound(92, oracle.matmul(size, oracle.abs(v))));
      const [flat, flatSize] = [oracle.reshape(exact, [70, 70]), oracle.reshape(size, [70, 70])];
      const square = y.reshape([70, 70]);
      expectClose(
        await square.transpose(0, 1).matmul(square).data(),
        oracle.matmul(oracle.transpose(flat, 0, 1), flat),
        dotBound(112, oracle.matmul(oracle.transpose(flatSize, 0, 1), flatSize)),
      );
    }
    device.family = preferred;
  });

  it("takes no features, no rows and a single vector", async () => {
    const bias = tensor([1, 2], { requiresGrad: true });
    const weight = tensor(new Float32Array(0), { shape: [2, 0], requiresGrad: true });
    const y = linear(tensor(new Float32Array(0), { shape: [3, 0] }), weight, bias);
    y.backward({ gradient: ones([3, 2]) });
    expect(await y.array()).toEqual([
      [1, 2],
      [1, 2],
      [1, 2],
    ]);
    expect(await bias.grad!.array()).toEqual([3, 3]);
    expect(weight.grad!.shape).toEqual([2, 0]);
    const w = tensor([[1, 2, 3]], { requiresGrad: true });
    const none = linear(tensor(new Float32Array(0), { shape: [0, 3] }), w, null);
    none.backward({ gradient: tensor(new Float32Array(0), { shape: [0, 1] }) });
    expect(await w.grad!.array()).toEqual([[0, 0, 0]]);
    expect(await linear(tensor([1, 1, 1]), w, tensor([4]), { residual: tensor([10]) }).array()).toEqual([20]);
  });

  it("says which sizes do not fit", () => {
    const x = ones([2, 3]);
    expect(() => linear(x, ones([4, 5]), null)).toThrow(new ShapeError("linear: expected x [.., 5] for weight [4, 5] but found [2, 3]"));
    expect(() => linear(x, ones([3]), null)).toThrow(ShapeError);
    expect(() => linear(x, ones([4, 3]), ones([3]))).toThrow(ShapeError);
    expect(() => linear(x, ones([4, 3]), null, { residual: ones([4]) })).toThrow(ShapeError);
    expect(() => linear(ones([]), ones([4, 3]), null)).toThrow(ShapeError);
    expect(() => linear(x.to("i32"), ones([4, 3]), null)).toThrow(DTypeError);
  });

  it("has a gradient property that notices a wrong slope of GELU", async () => {
    const c: Case = {
      x: { shape: [6, 5], base: [6, 5], steps: [] },
      out: 4,
      residual: undefined,
      hasBias: true,
      activation: "gelu",
      seed: 1,
    };
    await hasRightGradients(c);
    const shader =
      device.family === "panel" && device.subgroupSize > 0 ? "gemm_panel" : device.family === "tile" ? "gemm_tile" : "gemm_portable";
    await withMutation(shader, [/0\.134145/g, "0.13"], () => expect(hasRightGradients(c)).rejects.toThrow("Expected <Jv, u>"));
  });
});
