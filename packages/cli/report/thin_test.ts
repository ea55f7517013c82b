import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { StepRow } from "../run/metrics.ts";
import { thinSteps } from "./thin.ts";

const rowsOf = (losses: readonly number[]): StepRow[] =>
  losses.map((loss, i) => ({ step: i + 1, loss, lr: 0.01, milliseconds: 250, tokensPerSecond: 1 }));

describe("thinSteps()", () => {
  it("loses no extreme, no step and no time, in as many points as it may take", () => {
    const losses = fc.array(fc.double({ min: 1, max: 2, noNaN: true }), { minLength: 1, maxLength: 400 });
    fc.assert(
      fc.property(losses, fc.integer({ min: 1, max: 60 }), (all, most) => {
        const { count, bucket, step, seconds, loss } = thinSteps(rowsOf(all), { most });
        expect(step.length).toBeLessThanOrEqual(most);
        expect([count, step.at(-1), seconds.at(-1)]).toEqual([all.length, all.length, all.length / 4]);
        expect(step.slice(0, -1)).toEqual(step.slice(0, -1).map((_, i) => (i + 1) * bucket));
        const [least, greatest] = bucket === 1 ? [loss.mean, loss.mean] : [loss.min!, loss.max!];
        expect(Math.min(...(least as number[]))).toBeCloseTo(Math.min(...all), 3);
        expect(Math.max(...(greatest as number[]))).toBeCloseTo(Math.max(...all), 3);
        for (const [i, mean] of loss.mean.entries()) {
          const part = all.slice(i * bucket, (i + 1) * bucket);
          expect(mean).toBeCloseTo(part.reduce((sum, value) => sum + value) / part.length, 3);
        }
      }),
    );
  });

  it("keeps short runs step by step", () => {
    expect(thinSteps(rowsOf([3, 2, 1])).loss).toEqual({ mean: [3, 2, 1] });
  });

  it("has gaps where nothing was finite, and counts what was", () => {
    const rows = rowsOf([Number.NaN, Number.NaN, 4, Number.POSITIVE_INFINITY, 2, 6]);
    expect(thinSteps(rows, { most: 3 }).loss).toEqual({ mean: [null, 4, 4], min: [null, 4, 2], max: [null, 4, 6] });
    expect(thinSteps([])).toMatchObject({ count: 0, step: [], loss: { mean: [] } });
  });
});
