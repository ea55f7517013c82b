import { createRng } from "@cursive/tensor";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AttentionMap, attentionScores, diagonality, pathMass, readingPath } from "./attention_scores.ts";

/** A map whose row t has the weights that `of` gives it. */
function mapOf(rows: number, keys: number, of: (row: number, key: number) => number, real: number = keys): AttentionMap {
  return { weights: Float64Array.from({ length: rows * keys }, (_, i) => of(Math.floor(i / keys), i % keys)), rows, keys, real };
}

/** Rows of random shares. */
function randomMap(rows: number, keys: number, { real, seed }: { real: number; seed: number }): AttentionMap {
  const rng = createRng(seed, "map");
  const raw = Array.from({ length: rows }, () => Array.from({ length: keys }, () => rng.uniform() ** 4));
  return mapOf(rows, keys, (row, key) => raw[row]![key]! / raw[row]!.reduce((a, b) => a + b, 0), real);
}

/** Diagonality by its definition: every pair of weights. */
function byPairs({ weights, rows, keys, real }: AttentionMap): number {
  let [total, trend] = [0, 0];
  for (let t = 0; t < rows; t++)
    for (let s = 0; s < real; s++) {
      total += weights[t * keys + s]!;
      for (let u = t + 1; u < rows; u++)
        for (let r = 0; r < real; r++) trend += Math.sign(r - s) * weights[t * keys + s]! * weights[u * keys + r]!;
    }
  const m = Math.min(rows, real);
  return ((2 * m) / (m - 1)) * (trend / total ** 2);
}

describe("diagonality", () => {
  it("is 1 for a diagonal and an even staircase, −1 for their mirror images, whatever lies on padding", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 8 }), fc.integer({ min: 1, max: 5 }), fc.integer({ min: 0, max: 3 }), (letters, each, pads) => {
        const stairs = (key: (row: number) => number): AttentionMap =>
          mapOf(letters * each, letters + pads, (row, k) => (k === key(row) ? 0.75 : k === letters ? 0.25 : 0), letters);
        expect(diagonality(stairs((row) => Math.floor(row / each)))).toBeCloseTo(1, 12);
        expect(diagonality(stairs((row) => letters - 1 - Math.floor(row / each)))).toBeCloseTo(-1, 12);
      }),
    );
  });

  it("is 0 where every row looks alike: at all, at one letter, at a few", () => {
    for (const share of [() => 1 / 6, (key: number) => (key === 2 ? 1 : 0), (key: number) => (key > 3 ? 0.5 : 0)])
      expect(diagonality(mapOf(20, 6, (_, key) => share(key)))).toBeCloseTo(0, 12);
  });

  it("is 0.5 in the limit where causality alone makes it rise", () => {
    expect(diagonality(mapOf(400, 400, (row, key) => (key <= row ? 1 / (row + 1) : 0)))).toBeCloseTo(0.5, 2);
  });

  it("is what pairs give one by one, and never beyond 1", () => {
    const drawn = fc.record({
      rows: fc.integer({ min: 2, max: 9 }),
      real: fc.integer({ min: 2, max: 6 }),
      pads: fc.nat(3),
      seed: fc.nat(),
    });
    fc.assert(
      fc.property(drawn, ({ rows, real, pads, seed }) => {
        const map = randomMap(rows, real + pads, { real, seed });
        expect(diagonality(map)).toBeCloseTo(byPairs(map), 10);
        expect(Math.abs(diagonality(map))).toBeLessThanOrEqual(1 + 1e-12);
      }),
    );
  });

  it("cannot be told of one letter, one row, or padding alone", () => {
    expect(diagonality(mapOf(5, 1, () => 1))).toBeNaN();
    expect(diagonality(mapOf(1, 5, () => 0.2))).toBeNaN();
    expect(diagonality(mapOf(5, 3, (_, key) => (key === 2 ? 1 : 0), 2))).toBeNaN();
  });
});

describe("attentionScores", () => {
  it("counts entropy in bits and padding exactly", () => {
    const even = attentionScores(mapOf(7, 8, () => 1 / 8, 6));
    expect(even.entropy).toBeCloseTo(3, 12);
    expect(even.padMass).toBe(0.25);
    expect(even.firstMass).toBe(0.125);
    expect(attentionScores(mapOf(7, 8, (_, key) => (key === 3 ? 1 : 0), 6))).toMatchObject({ entropy: 0, padMass: 0, firstMass: 0 });
    expect(attentionScores(mapOf(2, 4, (row, key) => (key === 3 * row ? 1 : 0), 3)).padMass).toBe(0.5);
  });

  it("refuses weights that do not fit", () => {
    expect(() => attentionScores({ weights: [1, 0, 1], rows: 2, keys: 2, real: 2 })).toThrow("Expected 2 × 2 weights");
  });
});

describe("readingPath", () => {
  it("follows the heads that move on, and lets parked and reversed ones say nothing", () => {
    const stairs = mapOf(12, 4, (row, key) => (key === Math.floor(row / 3) ? 0.7 : 0.1));
    const parked = mapOf(12, 4, (_, key) => (key === 3 ? 1 : 0));
    const reversed = mapOf(12, 4, (row, key) => (key === 3 - Math.floor(row / 3) ? 1 : 0));
    const path = readingPath([parked, stairs, reversed]);
    expect([...path]).toEqual([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]);
    expect(pathMass(stairs, path)).toBeCloseTo(0.7, 12);
    expect(pathMass(parked, path)).toBe(0.25);
  });

  it("never goes back and is the best of all ways that do not", () => {
    const drawn = fc.record({ rows: fc.integer({ min: 1, max: 5 }), real: fc.integer({ min: 1, max: 4 }), seed: fc.nat() });
    fc.assert(
      fc.property(drawn, ({ rows, real, seed }) => {
        const map = randomMap(rows, real + 1, { real, seed });
        const path = [...readingPath([map])];
        expect(path).toEqual(path.toSorted((a, b) => a - b));
        const ways = (row: number, least: number): number =>
          row === rows
            ? 0
            : Math.max(
                ...Array.from({ length: real - least }, (_, i) => map.weights[row * (real + 1) + least + i]! + ways(row + 1, least + i)),
              );
        expect(pathMass(map, path) * rows).toBeCloseTo(ways(0, 0), 12);
      }),
    );
  });

  it("refuses maps of different sizes", () => {
    expect(() => readingPath([])).toThrow("Expected attention maps of one size");
  });
});
