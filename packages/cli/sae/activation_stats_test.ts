import { createRng } from "@cursive/tensor";
import fc from "fast-check";
import { expect, it } from "vitest";
import { ActivationStats } from "./activation_stats.ts";

it("gives the same figures, those of the definitions, however the rows are split", () => {
  const drawn = fc.record({
    seed: fc.integer({ min: 0, max: 1e6 }),
    rows: fc.integer({ min: 1, max: 40 }),
    dIn: fc.integer({ min: 1, max: 8 }),
    offset: fc.constantFrom(0, 1000),
    split: fc.nat(40),
  });
  fc.assert(
    fc.property(drawn, ({ seed, rows, dIn, offset, split }) => {
      const rng = createRng(seed, "rows");
      const data = Float32Array.from({ length: rows * dIn }, () => offset + rng.normal());
      const whole = new ActivationStats({ dIn });
      whole.add(data);
      const parts = new ActivationStats({ dIn });
      const at = Math.min(split, rows) * dIn;
      parts.add(data.subarray(0, at));
      parts.add(data.subarray(at));
      expect([parts.mean, parts.variance, parts.meanNorm]).toEqual([whole.mean, whole.variance, whole.meanNorm]);

      const row = (i: number): number[] => [...data.subarray(i * dIn, (i + 1) * dIn)];
      const all = Array.from({ length: rows }, (_, i) => row(i));
      const average = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / rows;
      expect(whole.rows).toBe(rows);
      expect(whole.meanNorm).toBeCloseTo(average(all.map((x) => Math.hypot(...x))), 6);
      for (let d = 0; d < dIn; d++) {
        const mean = average(all.map((x) => x[d]!));
        expect(whole.mean[d]).toBeCloseTo(mean, 9);
        expect(whole.variance[d]).toBeCloseTo(average(all.map((x) => (x[d]! - mean) ** 2)), 6);
      }
    }),
    { numRuns: 50 },
  );
});
