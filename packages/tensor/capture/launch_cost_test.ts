import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tensor, zeros } from "../create.ts";
import type { Device } from "../device/device.ts";
import { openDevice } from "../device/open.ts";
import { scaledDotProductAttention } from "../ops/attention.ts";
import { embedding } from "../ops/embedding.ts";
import { gemm } from "../ops/gemm/gemm.ts";
import { linearGradients } from "../ops/gemm/linear_gradients.ts";
import { reluAutoencoder } from "../ops/relu_autoencoder.ts";
import type { Tensor } from "../tensor.ts";
import { costOf } from "./launch_cost.ts";
import { Recording } from "./recording.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

/** What the launches of some work come to, those with each count alone. */
function countsOf(work: () => unknown): { flops: number; bytes: number; uncounted: string[] } {
  const recording = new Recording();
  device.record(recording, work);
  const all = recording.commands.map((command) => ({ name: command.kernel.name, ...costOf(command) }));
  const sum = (values: readonly (number | undefined)[]): number => values.reduce<number>((total, v) => total + (v ?? 0), 0);
  return {
    flops: sum(all.map(({ flops }) => flops)),
    bytes: sum(all.map(({ bytes }) => bytes)),
    uncounted: all.filter(({ bytes }) => bytes === undefined).map(({ name }) => name),
  };
}

const families = ["portable", "panel", "tile"] as const;

function inFamily(family: (typeof families)[number], work: () => unknown): ReturnType<typeof countsOf> {
  const own = device.family;
  device.family = family;
  try {
    return countsOf(work);
  } finally {
    device.family = own;
  }
}

describe("costOf()", () => {
  it("counts a product as 2·M·K·N operations and each matrix once, in every family, whatever the layout", () => {
    for (const family of families) {
      const [a, b] = [zeros([300, 64]), zeros([64, 256])];
      expect(inFamily(family, () => a.matmul(b))).toEqual({
        flops: 2 * 300 * 64 * 256,
        bytes: 4 * (300 * 64 + 64 * 256 + 300 * 256),
        uncounted: [],
      });
      const transposed = zeros([256, 64]).transpose(0, 1);
      expect(inFamily(family, () => a.matmul(transposed)).flops).toBe(2 * 300 * 64 * 256);
    }
  });

  it("counts an activation's slopes and what is added, in every family, whether rows come in fours or not", () => {
    for (const family of families) {
      for (const n of [64, 63]) {
        const product = { a: zeros([300, 64]), b: zeros([64, n]), bias: zeros([n]) };
        const [given, rows] = [300 * 64 + 64 * n + n, 300 * n];
        const bytes = (fused: object): number => inFamily(family, () => gemm({ ...product, ...fused })).bytes;
        expect(bytes({})).toBe(4 * (given + rows));
        expect(bytes({ activation: "gelu" })).toBe(4 * (given + 2 * rows));
        expect(bytes({ residual: zeros([300, n]) })).toBe(4 * (given + 2 * rows));
        expect(bytes({ times: zeros([300, n]) })).toBe(4 * (given + 2 * rows));
      }
    }
  });

  it("counts all gradients of a linear layer in one walk, with what is multiplied and added", ({ skip }) => {
    skip(!device.hasFamily("panel"), "no subgroups of a fixed size");
    for (const ins of [64, 63]) {
      const layer = { x: zeros([300, ins]), weight: zeros([128, ins]), g: zeros([300, 128]) };
      const bytes = (fused: object): number =>
        inFamily("panel", () => linearGradients({ ...layer, ...fused }, { x: true, weight: true, bias: true })).bytes;
      const more = 4 * 300 * ins;
      expect(bytes({ times: zeros([300, ins]) })).toBe(bytes({}) + more);
      expect(bytes({ residual: zeros([300, ins]) })).toBe(bytes({}) + more);
    }
  });

  it("counts an autoencoder's step as its five products, in every family", () => {
    const [rows, width, features] = [300, 64, 128];
    const step = (): void => {
      const [x, encoder, encoderBias] = [zeros([rows, width]), zeros([width, features]), zeros([features])];
      const [decoder, decoderBias] = [zeros([features, width]), zeros([width])];
      for (const parameter of [encoder, encoderBias, decoder, decoderBias]) parameter.requiresGrad = true;
      reluAutoencoder(x, { encoder, encoderBias, decoder, decoderBias }, { centered: false }).error.backward();
    };
    for (const family of families) {
      const { flops, uncounted } = inFamily(family, step);
      const sums = flops - 10 * rows * width * features; // of products that are split
      expect(sums).toBeGreaterThanOrEqual(0);
      expect(sums).toBeLessThan(flops / 20);
      expect(uncounted).toEqual([]);
    }
  });

  it("counts a matrix that serves a whole batch once, and one for each of it as often as there are", () => {
    const [a, shared, own] = [zeros([5, 3, 20, 8]), zeros([3, 8, 12]), zeros([5, 3, 8, 12])];
    const products = 5 * 3 * 20 * 8 * 12;
    expect(countsOf(() => a.matmul(shared))).toMatchObject({ flops: 2 * products, bytes: 4 * (5 * 3 * 20 * (8 + 12) + 3 * 8 * 12) });
    expect(countsOf(() => a.matmul(own))).toMatchObject({ flops: 2 * products, bytes: 4 * 5 * 3 * (20 * (8 + 12) + 8 * 12) });
  });

  it("counts the sums of a split product and what they move besides", () => {
    const [a, b] = [zeros([8000, 64]).transpose(0, 1), zeros([8000, 64])];
    const { flops, bytes } = countsOf(() => a.matmul(b));
    const least = 2 * 8000 * 64 * 64;
    expect(flops).toBeGreaterThanOrEqual(least);
    expect(flops).toBeLessThan(1.05 * least);
    expect(bytes).toBeGreaterThanOrEqual(4 * (2 * 8000 * 64 + 64 * 64));
  });

  it("counts attention by the pairs that are looked at, of which causal attention has half", () => {
    for (const family of families) {
      const qkv = [0, 1, 2].map(() => zeros([2, 4, 100, 16])) as [Tensor, Tensor, Tensor];
      const heads = 2 * 4;
      const forward = (causal: boolean) => inFamily(family, () => scaledDotProductAttention(...qkv, { causal }));
      expect(forward(false)).toEqual({ flops: 4 * 16 * heads * 100 * 100, bytes: 4 * heads * (4 * 100 * 16 + 100), uncounted: [] });
      expect(forward(true).flops).toBe(4 * 16 * heads * ((100 * 101) / 2));
      const both = inFamily(family, () => {
        const inputs = qkv.map((x) => zeros(x.shape, { requiresGrad: true })) as [Tensor, Tensor, Tensor];
        scaledDotProductAttention(...inputs, { causal: false })
          .sum()
          .backward();
      });
      expect(both.uncounted).toEqual([]);
      expect(both.flops).toBe((4 + 6 + 8) * 16 * heads * 100 * 100);
    }
  });

  it("counts what elementwise kernels, reductions and look-ups touch, and no operations of theirs", () => {
    const [x, row, table, index] = [zeros([50, 40]), zeros([40]), zeros([1000, 40]), tensor([0, 1, 2, 3, 4, 5, 6], { dtype: "i32" })];
    expect(countsOf(() => x.add(x))).toEqual({ flops: 0, bytes: 4 * 2 * 2000, uncounted: [] });
    expect(countsOf(() => x.mul(row))).toEqual({ flops: 0, bytes: 4 * (2 * 2000 + 40), uncounted: [] });
    expect(countsOf(() => x.exp())).toEqual({ flops: 0, bytes: 4 * 2 * 2000, uncounted: [] });
    expect(countsOf(() => x.sum({ axis: 1 }))).toMatchObject({ bytes: 4 * (2000 + 50) });
    expect(countsOf(() => embedding(index, table)).bytes).toBe(4 * (7 + 2 * 7 * 40));
  });

  it("does not take a view's whole memory for what is read through it", () => {
    const arena = zeros([100_000]);
    const view = arena.narrow(0, { start: 0, length: 640 }).reshape([64, 10]);
    expect(countsOf(() => zeros([5, 64]).matmul(view)).bytes).toBe(4 * (5 * 64 + 640 + 50) + 4 * 5 * 64); // the zeros are filled as well
    expect(countsOf(() => view.add(1)).bytes).toBe(2 * 4 * 640);
  });
});
