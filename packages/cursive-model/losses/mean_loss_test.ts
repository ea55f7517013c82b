import { createRng } from "@cursive/tensor";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type LossMeasure, type LossSums, MeanLoss } from "./mean_loss.ts";

function measureOf(sequences: readonly LossSums[]): LossMeasure {
  const mean = new MeanLoss();
  for (const sequence of sequences) mean.add(sequence);
  return mean.measure();
}

/** Sequences of 1 to 20 targets whose losses hang together. */
function drawSequences(seed: number, count: number): LossSums[] {
  const rng = createRng(seed);
  return Array.from({ length: count }, () => {
    const [length, level] = [1 + rng.integer(20), 2 + rng.normal()];
    const losses = Array.from({ length }, () => level + 0.3 * rng.normal());
    return { loss: losses.reduce((a, b) => a + b, 0), count: length, hits: rng.integer(length + 1) };
  });
}

describe("MeanLoss", () => {
  it("weighs every target alike, whichever sequence it is from", () => {
    const { loss, bits, perplexity, accuracy, count, sequences } = measureOf([
      { loss: 3, count: 1, hits: 1 },
      { loss: 0, count: 0, hits: 0 },
      { loss: 3, count: 3, hits: 2 },
    ]);
    expect({ loss, accuracy, count, sequences }).toEqual({ loss: 1.5, accuracy: 0.75, count: 4, sequences: 2 });
    expect(bits).toBeCloseTo(1.5 / Math.log(2), 14);
    expect(perplexity).toBeCloseTo(Math.E ** 1.5, 13);
  });

  it("has the usual standard error of a mean where sequences have one target each", () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 2, max: 30 }), (seed, size) => {
        const sequences = drawSequences(seed, size).map(({ loss }) => ({ loss, count: 1, hits: 0 }));
        const mean = sequences.reduce((a, { loss }) => a + loss, 0) / size;
        const variance = sequences.reduce((a, { loss }) => a + (loss - mean) ** 2, 0) / (size - 1);
        expect(measureOf(sequences).standardError).toBeCloseTo(Math.sqrt(variance / size), 12);
      }),
    );
  });

  it("says how far the mean varies from draw to draw, which a count of targets would not", () => {
    const draws = Array.from({ length: 400 }, (_, seed) => measureOf(drawSequences(seed, 60)));
    const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
    const losses = draws.map(({ loss }) => loss);
    const spread = Math.sqrt(mean(losses.map((loss) => (loss - mean(losses)) ** 2)));
    const told = mean(draws.map(({ standardError }) => standardError));
    // The spread of 400 draws is known to 1/√800, 3.5 %; three times that, and a little for the bias of a ratio.
    expect(Math.abs(told / spread - 1)).toBeLessThan(0.12);
    const asIfIndependent = mean(draws.map(({ count }) => Math.sqrt((1 + 0.09) / count)));
    expect(asIfIndependent / spread).toBeLessThan(0.5);
  });

  it("knows no error of one sequence, and no mean of none", () => {
    expect(measureOf([{ loss: 2, count: 2, hits: 1 }]).standardError).toBeNaN();
    expect(measureOf([]).loss).toBeNaN();
  });
});
