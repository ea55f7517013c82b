import { type Device, openDevice, type StateDict, tensor } from "@cursive/tensor";
import { expectClose, seededValues } from "@cursive/tensor/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSae, type SaeConfig } from "../create_sae.ts";
import { meanMaxCosine } from "../testing/mean_max_cosine.ts";
import { geometricMedian, meanNorm, meanRow } from "./center.ts";
import { foldDecoderNorm } from "./fold.ts";
import { rateFactor, warmupFactor } from "./schedule.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

describe("rateFactor", () => {
  it("grows, stays and decays, straight or along a cosine, to what is to be left", () => {
    const steps = (decay: "linear" | "cosine"): number[] =>
      Array.from({ length: 9 }, (_, step) => rateFactor(step, 8, { warmupSteps: 1, decaySteps: 4, decay, minFactor: 0.2 }));
    expect(steps("linear").map((v) => Number(v.toFixed(6)))).toEqual([0.5, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2]);
    expect(steps("cosine").map((v) => Number(v.toFixed(3)))).toEqual([0.5, 1, 1, 1, 1, 0.883, 0.6, 0.317, 0.2]);
  });

  it("refuses schedules longer than the run", () => {
    expect(() => rateFactor(0, 10, { warmupSteps: 6, decaySteps: 5 })).toThrow(
      "Expected warm-up and decay within 10 steps but found 6 + 5",
    );
  });

  it("has coefficients start at 0", () => {
    expect([0, 1, 2, 3].map((step) => warmupFactor(step, 2))).toEqual([0, 0.5, 1, 1]);
    expect(warmupFactor(0, 0)).toBe(1);
  });
});

describe("the middle of rows", () => {
  it("is their mean, or the point that an outlier hardly moves", () => {
    const rows = Float32Array.of(0, 0, 1, 0, 0, 1, 1, 1, 1000, 1000);
    expect([...meanRow(rows, 2)]).toEqual([200.4, 200.4]);
    const [x, y] = geometricMedian(rows, 2);
    expect(Math.abs(x! - y!)).toBeLessThan(1e-3);
    expect(x!).toBeLessThan(1.2);
    // No point nearby has a lesser sum of distances.
    const sum = (a: number, b: number): number =>
      Array.from({ length: 5 }, (_, i) => Math.hypot(rows[2 * i]! - a, rows[2 * i + 1]! - b)).reduce((p, q) => p + q);
    for (const [dx, dy] of [
      [0.05, 0],
      [-0.05, 0],
      [0, 0.05],
      [0, -0.05],
    ] as const)
      expect(sum(x! + dx, y! + dy)).toBeGreaterThan(sum(x!, y!));
    // The mean is the last row, where plain Weiszfeld stays: here another point is better, there it is the median itself, and so where all are one.
    expect(geometricMedian(Float32Array.of(0, 0, 0, 0, 0, 0, 4, 0, 1, 0), 2)[0]).toBeLessThan(0.01);
    expect([...geometricMedian(Float32Array.of(-1, 0, 1, 0, 0, -2, 0, 2, 0, 0), 2)]).toEqual([0, 0]);
    expect([...geometricMedian(Float32Array.of(3, 1, 3, 1, 3, 1), 2)]).toEqual([3, 1]);
    expect(meanNorm(Float32Array.of(3, 4, 0, 1), 2)).toBe(3);
  });
});

describe("foldDecoderNorm", () => {
  it.each<Partial<SaeConfig>>([
    { architecture: "standard", decoderConstraint: "none" },
    { architecture: "jumprelu", initialThreshold: 0.3 },
    { architecture: "gated", decoderConstraint: "none" },
  ])("leaves x̂ as it is and decoder rows at norm 1: $architecture", async (config) => {
    const make = (): ReturnType<typeof createSae> => createSae({ dIn: 5, dSae: 12, ...config } as SaeConfig);
    const sae = make();
    let seed = 1;
    for (const [name, p] of sae.namedParameters()) {
      if (name === "threshold") continue;
      p.load({ shape: p.shape, dtype: "f32", data: Float32Array.from(seededValues(seed++, p.shape).data) });
    }
    const x = tensor(Float32Array.from(seededValues(9, [20, 5]).data), { shape: [20, 5] });
    const folded = make();
    folded.loadStateDict(foldDecoderNorm(await sae.stateDict()));
    const before = await sae.decode(sae.encode(x)).data();
    expectClose(await folded.decode(folded.encode(x)).data(), Array.from(before), 1e-4 * Math.max(...before.map(Math.abs)));
    for (const norm of await folded.decoderNorms().data()) expect(norm).toBeCloseTo(1, 5);
  });

  it("leaves rows of zeros alone", () => {
    const state: StateDict = new Map([
      ["W_dec", { shape: [2, 2], dtype: "f32", data: Float32Array.of(0, 0, 3, 4) }],
      ["W_enc", { shape: [2, 2], dtype: "f32", data: Float32Array.of(1, 1, 1, 1) }],
      ["b_enc", { shape: [2], dtype: "f32", data: Float32Array.of(1, 1) }],
    ]);
    const folded = foldDecoderNorm(state);
    expect([...folded.values()].map(({ data }) => Array.from(data, (v) => Number(v.toFixed(6))))).toEqual([
      [0, 0, 0.6, 0.8],
      [1, 5, 1, 5],
      [1, 5],
    ]);
  });
});

describe("meanMaxCosine", () => {
  it("is 1 where all wanted directions are found at any scale, and the best cosine otherwise", () => {
    expect(meanMaxCosine([1, 0, 0, 2], [0, 5, 3, 0, 1, 1], { width: 2 })).toBe(1);
    expect(meanMaxCosine([1, 0], [1, 1, 0, 0], { width: 2 })).toBeCloseTo(Math.SQRT1_2, 12);
    expect(meanMaxCosine([1, 0], [-1, 0], { width: 2 })).toBe(-1);
  });
});
