import { describe, expect, it } from "vitest";
import { isEarlyStep, nextEarlyStep } from "./samples.ts";

describe("early steps", () => {
  it("are 1, 10, 30, 100, 300 and so on", () => {
    const found = Array.from({ length: 3001 }, (_, step) => step).filter(isEarlyStep);
    expect(found).toEqual([1, 10, 30, 100, 300, 1000, 3000]);
  });

  it("are found from any step before", () => {
    for (const [step, next] of [[0, 1], [1, 10], [9, 10], [10, 30], [999, 1000], [3000, 10_000]] as const) expect(nextEarlyStep(step)).toBe(next); // biome-ignore format: a table
  });
});
