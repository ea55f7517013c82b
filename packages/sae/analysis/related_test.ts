import { createRng, type HostTensor } from "@cursive/tensor";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { logitEffects } from "./logit_effects.ts";
import { LatentCorrelation, nearestLatents } from "./related.ts";

const matrix = (rows: readonly (readonly number[])[]): HostTensor => ({
  shape: [rows.length, rows[0]!.length],
  dtype: "f32",
  data: Float32Array.from(rows.flat()),
});

describe("nearestLatents", () => {
  it("orders latents by the cosine of their rows, whatever their norms", () => {
    const decoder = matrix([
      [1, 0],
      [3, 4],
      [0, 5],
      [-2, 0],
      [0, 0],
      [10, 1],
    ]);
    const found = nearestLatents(decoder, { latent: 0 });
    expect(found.map(({ latent }) => latent)).toEqual([5, 1, 2, 3]);
    for (const [i, value] of [10 / Math.sqrt(101), 0.6, 0, -1].entries()) expect(found[i]!.value).toBeCloseTo(value, 12);
    expect(nearestLatents(decoder, { latent: 0, count: 1 })).toHaveLength(1);
    expect(nearestLatents(decoder, { latent: 4 })).toEqual([]);
  });
});

describe("LatentCorrelation", () => {
  it("gives the correlations of dense columns", () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 2, max: 60 }), (seed, count) => {
        const rng = createRng(seed, "columns");
        const columns = Array.from({ length: 5 }, (_, f) =>
          Array.from({ length: count }, () => (f > 0 && rng.uniform() < 0.4 ? 0.1 + rng.uniform() : 0)),
        );
        const correlation = new LatentCorrelation({ rows: count });
        for (const column of columns) {
          const rows = column.map((_, row) => row).filter((row) => column[row]! > 0);
          correlation.add({ rows, activations: rows.map((row) => column[row]!) });
        }
        const centred = columns.map((column) => column.map((value) => value - column.reduce((a, b) => a + b, 0) / count));
        const dot = (a: number, b: number) => centred[a]!.reduce((sum, value, row) => sum + value * centred[b]![row]!, 0);
        for (const { latent, value } of correlation.of(1)) {
          expect(latent).not.toBe(0); // never varies
          expect(value).toBeCloseTo(dot(1, latent) / Math.sqrt(dot(1, 1) * dot(latent, latent)), 8);
        }
        const values = correlation.of(1).map(({ value }) => value);
        expect(values).toEqual(values.toSorted((a, b) => b - a));
        expect(correlation.of(0)).toEqual([]);
      }),
    );
  });

  it("takes a latent that always fires the same for one that never varies", () => {
    const correlation = new LatentCorrelation({ rows: 3 });
    for (const activations of [
      [0.1, 0.1, 0.1],
      [1, 2, 4],
      [0.3, 0.3, 0.3],
    ])
      correlation.add({ rows: [0, 1, 2], activations });
    expect(correlation.of(1)).toEqual([]);
  });

  it("refuses rows that do not ascend or are not there", () => {
    const correlation = new LatentCorrelation({ rows: 3 });
    expect(() => correlation.add({ rows: [1, 1], activations: [1, 1] })).toThrow("Expected ascending rows below 3 but found 1");
    expect(() => correlation.add({ rows: [3], activations: [1] })).toThrow("Expected ascending rows below 3 but found 3");
    expect(() => correlation.of(0)).toThrow("Expected a latent below 0 but found 0");
  });
});

describe("logitEffects", () => {
  it("is what the logits gain from a step along the decoder row, less their mean", () => {
    const decoder = matrix([
      [1, 0],
      [0.5, -1],
    ]);
    const unembedding = matrix([
      [2, 0],
      [0, 1],
      [1, 2],
    ]);
    // rows less their means: [0.5, −0.5] and [0.75, −0.75]; times diag(1, 3) through W_U: [1, −1.5, −2.5] and 1.5 times that; mean −1
    const effects = logitEffects(decoder, { unembedding, scale: [1, 3] });
    for (const [i, value] of [2, -0.5, -1.5].entries()) {
      expect(effects[0]![i]).toBeCloseTo(value, 12);
      expect(effects[1]![i]).toBeCloseTo(1.5 * value, 12);
    }
  });

  it("is 0 for a row that the last normalisation takes away, and refuses widths that differ", () => {
    const [decoder, unembedding] = [
      matrix([[2, 2]]),
      matrix([
        [2, 0],
        [0, 1],
      ]),
    ];
    expect(Array.from(logitEffects(decoder, { unembedding })[0]!)).toEqual([0, 0]);
    expect(() => logitEffects(decoder, { unembedding, scale: [1] })).toThrow(
      "Expected an unembedding [V, 2] and as many scales but found [2, 2] and 1",
    );
  });
});
