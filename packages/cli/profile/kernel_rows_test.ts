import type { LaunchTime, WatchedStep } from "@cursive/tensor";
import { describe, expect, it } from "vitest";
import { kernelRows, shortName } from "./kernel_rows.ts";
import { better, leastTime } from "./roofline.ts";

const roofline = { gigaflops: 100, shape: "64³", gigabytesPerSecond: 10 };

function launch(kernel: string, milliseconds: number, cost: { flops?: number; bytes?: number } = {}): LaunchTime {
  return { shader: kernel, entry: "main", kernel, workgroups: [1, 1, 1], start: 0, milliseconds, flops: cost.flops, bytes: cost.bytes };
}

function step(launches: LaunchTime[], program = 0): WatchedStep {
  return { program, start: 0, end: 1, launches };
}

describe("kernelRows()", () => {
  const product = { flops: 1e8, bytes: 1e6 }; // a millisecond by the roofline, for its arithmetic
  const copy = { bytes: 1e7 }; // a millisecond, for its bytes

  it("sums up by kernel for one training step, slowest first, by the median of a launch's runs", () => {
    const runs = [2, 100, 3].map((slow) => step([launch("gemm", slow, product), launch("copy", 1, copy), launch("gemm", 2, product)]));
    const rows = kernelRows(runs, { trainingSteps: 3, roofline });
    expect(rows.map(({ kernel, launches, milliseconds }) => [kernel, launches, milliseconds])).toEqual([
      ["gemm", 2, 5],
      ["copy", 1, 1],
    ]);
    expect(rows.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1);
    expect(rows[0]).toMatchObject({ gigaflops: 2e8 / 5 / 1e6, gigabytesPerSecond: 2e6 / 5 / 1e6, ofRoofline: 2 / 5 });
    expect(rows[1]).toMatchObject({ gigaflops: null, gigabytesPerSecond: 10, ofRoofline: 1 });
  });

  it("leaves open what a kernel with one uncounted launch has done", () => {
    const [row] = kernelRows([step([launch("sort", 1), launch("sort", 1, copy)])], { trainingSteps: 1, roofline });
    expect(row).toMatchObject({ launches: 2, milliseconds: 2, gigaflops: null, gigabytesPerSecond: null, ofRoofline: null });
  });

  it("adds the captured steps of a training step up, those that run only now and then as often as they do", () => {
    const rows = kernelRows([step([launch("a", 4)]), step([launch("a", 4)]), step([launch("b", 6)], 1)], { trainingSteps: 2, roofline });
    expect(rows.map(({ kernel, launches, milliseconds }) => [kernel, launches, milliseconds])).toEqual([
      ["a", 1, 4],
      ["b", 0.5, 3],
    ]);
  });

  it("shows of a kernel's parameters those that are on", () => {
    expect(shortName("gemm_tile.main TM=4 VEC=true GELU=false MAP=0 LANES=10")).toBe("gemm_tile.main TM=4 VEC LANES=10");
  });
});

describe("better()", () => {
  it("takes each roof where it was higher", () => {
    const other = { gigaflops: 120, shape: "512³", gigabytesPerSecond: 8 };
    expect(better(roofline, other)).toEqual({ gigaflops: 120, shape: "512³", gigabytesPerSecond: 10 });
    expect(better(other, roofline)).toEqual(better(roofline, other));
  });
});

describe("leastTime()", () => {
  it("is set by arithmetic above the ridge and by memory below it", () => {
    expect(leastTime({ flops: 1e8, bytes: 1e6 }, roofline)).toBeCloseTo(1);
    expect(leastTime({ flops: 1e6, bytes: 1e7 }, roofline)).toBeCloseTo(1);
    expect(leastTime({ flops: 1e8, bytes: undefined }, roofline)).toBeUndefined();
  });
});
