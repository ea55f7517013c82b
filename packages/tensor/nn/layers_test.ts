import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tensor } from "../create.ts";
import type { Device } from "../device/device.ts";
import { openDevice } from "../device/open.ts";
import { createRng } from "../random/philox.ts";
import type { Tensor } from "../tensor.ts";
import {
  dotBound,
  elementBound,
  expectClose,
  layerNormBound,
  type Nd,
  nd,
  oracle,
  runs,
  seededIndices,
  seededValues,
  shape,
} from "../testing/mod.ts";
import { Embedding, Gelu, LayerNorm, Linear } from "./layers.ts";
import type { AnyModule } from "./module.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

const up = (x: Nd): Tensor => tensor(Float32Array.from(x.data), { shape: x.shape });
const down = async (t: Tensor): Promise<Nd> => nd(t.shape, await t.data());
const parametersOf = (module: AnyModule): [string, number[]][] => [...module.namedParameters()].map(([name, p]) => [name, [...p.shape]]);

/** Shapes `[..., C]` of inputs, and a seed for their values. */
const cases = fc.record({ shape: shape({ minRank: 2, maxRank: 3, maxCount: 1500 }), seed: fc.nat(1e6) });

describe("Linear", () => {
  it("is x Wᵀ + b, with a bias or without", async () => {
    await fc.assert(
      fc.asyncProperty(cases, fc.integer({ min: 1, max: 33 }), fc.boolean(), async (drawn, outputs, bias) => {
        const inputs = drawn.shape.at(-1)!;
        const layer = new Linear(inputs, outputs, { bias, rng: createRng(drawn.seed) });
        const x = seededValues(drawn.seed, drawn.shape);
        const weight = oracle.transpose(await down(layer.weight), 0, 1);
        const offset = layer.bias ? await down(layer.bias) : nd([outputs]);
        const wanted = oracle.add(oracle.matmul(x, weight), offset);
        const magnitudes = oracle.add(oracle.matmul(oracle.abs(x), oracle.abs(weight)), oracle.abs(offset));
        expectClose(await layer.call(up(x)).data(), wanted, dotBound(inputs + 1, magnitudes));
      }),
      runs(15),
    );
  });

  it("has a weight [out, in] and a bias [out] unless told not to", () => {
    expect(parametersOf(new Linear(3, 5))).toEqual([
      ["weight", [5, 3]],
      ["bias", [5]],
    ]);
    const bare = new Linear(3, 5, { bias: false });
    expect([parametersOf(bare), bare.bias]).toEqual([[["weight", [5, 3]]], null]);
  });

  it("starts within ±1/√in, from its own stream or the one it is given", async () => {
    const make = (): Linear => new Linear(16, 8, { rng: createRng(5) });
    const [a, b] = [await make().weight.data(), await make().weight.data()];
    expect(b).toEqual(a);
    expect(Math.max(...Array.from(a, Math.abs))).toBeLessThanOrEqual(1 / 4);
    expect(await new Linear(16, 8).weight.data()).not.toEqual(await new Linear(16, 8).weight.data());
  });
});

describe("Embedding", () => {
  it("is the rows of its weight, exactly", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 33 }), fc.nat(1e6), async (count, width, seed) => {
        const layer = new Embedding(count, width, { rng: createRng(seed) });
        const indices = seededIndices(seed, [2, 5], count);
        const out = layer.call(tensor(Int32Array.from(indices.data), { shape: [2, 5] }));
        expect(out.shape).toEqual([2, 5, width]);
        expectClose(await out.data(), oracle.embedding(indices, await down(layer.weight)), 0);
      }),
      runs(10),
    );
  });

  it("has one weight [count, width]", () => {
    expect(parametersOf(new Embedding(7, 4))).toEqual([["weight", [7, 4]]]);
  });
});

describe("LayerNorm", () => {
  it("agrees with its formula for any weight, bias and eps", async () => {
    await fc.assert(
      fc.asyncProperty(cases, fc.constantFrom(undefined, 1e-3), async (drawn, eps) => {
        const width = drawn.shape.at(-1)!;
        const layer = new LayerNorm(width, { eps });
        const [x, weight, bias] = [drawn.shape, [width], [width]].map((s, i) => seededValues(drawn.seed + i, s)) as [Nd, Nd, Nd];
        layer.weight.copyFrom(up(weight));
        layer.bias.copyFrom(up(bias));
        const options = { eps: eps ?? 1e-5 };
        const bound = layerNormBound(x, weight, bias, options);
        expectClose(await layer.call(up(x)).data(), oracle.layerNorm(x, weight, bias, options), bound);
      }),
      runs(12),
    );
  });

  it("has a weight of ones and a bias of zeros", async () => {
    const layer = new LayerNorm(3);
    expect(parametersOf(layer)).toEqual([
      ["weight", [3]],
      ["bias", [3]],
    ]);
    expect([await layer.weight.array(), await layer.bias.array()]).toEqual([
      [1, 1, 1],
      [0, 0, 0],
    ]);
  });
});

describe("Gelu", () => {
  it("is the tanh form, and has no parameters", async () => {
    await fc.assert(
      fc.asyncProperty(cases, async (drawn) => {
        const x = seededValues(drawn.seed, drawn.shape);
        const wanted = oracle.gelu(x, { approximate: "tanh" });
        expectClose(await new Gelu().call(up(x)).data(), wanted, elementBound("gelu", x, wanted));
      }),
      runs(8),
    );
    expect(parametersOf(new Gelu())).toEqual([]);
  });

  it("differs from the exact form by more than the bound, so that the two cannot be confused", () => {
    const x = nd([1], [2]);
    const [tanh, exact] = [oracle.gelu(x, { approximate: "tanh" }), oracle.gelu(x)];
    expect(() => expectClose(exact.data, tanh, elementBound("gelu", x, tanh))).toThrow("outside");
  });
});
