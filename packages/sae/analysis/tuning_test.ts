import { createRng } from "@cursive/tensor";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { binFactor, type Factor } from "./factor.ts";
import { Tuning } from "./tuning.ts";

const degrees = (angle: number): number => (angle * Math.PI) / 180;

/** Directions that favour the right, pens mostly down, lengths, letters: much as handwriting has them, independent of each other. */
function drawRows(seed: number, count: number) {
  const rng = createRng(seed, "rows");
  const pick = <T>(draw: () => T): T[] => Array.from({ length: count }, draw);
  const theta = pick(() => degrees(rng.uniform() < 0.5 ? 40 * rng.normal() : rng.uniform(-180, 180)));
  const length = pick(() => 0.1 * rng.uniform() ** 3);
  const pen = pick(() => Number(rng.uniform() < 0.8));
  const letter = pick(() => rng.integer(10));
  return { theta, length, pen, letter };
}

function factorsOf({ theta, length, pen, letter }: ReturnType<typeof drawRows>): Factor[] {
  return [
    { name: "theta", kind: "angle", values: theta },
    { name: "length", kind: "scale", values: length },
    { name: "pen", kind: "class", values: pen, labels: ["up", "down"] },
    { name: "letter", kind: "class", values: letter, labels: [..."abcdefghij"] },
  ];
}

/** What a latent does that fires where a strength is above 0. */
function firingsWhere(count: number, strength: (row: number) => number) {
  const rows = Array.from({ length: count }, (_, row) => row).filter((row) => strength(row) > 0);
  return { rows, activations: rows.map(strength) };
}

describe("Tuning", () => {
  const count = 3000;
  const data = drawRows(1, count);
  const tuning = new Tuning(factorsOf(data));

  it("labels a latent by its direction, with its width", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 359 }), (centre) => {
        const apart = (row: number) => Math.acos(Math.cos(data.theta[row]! - degrees(centre)));
        const { label, factors } = tuning.of(firingsWhere(count, (row) => 1 - apart(row) / degrees(22)));
        const [found, deviation] = /^theta (\d+)° ± (\d+)$/.exec(label!)!.slice(1).map(Number) as [number, number];
        // a triangle of half-width 22° has a standard deviation of 22 / √6 = 9.0; some 60 firings or more tell its mean to 9 / √60 = 1.2
        expect(Math.abs(((found - centre + 540) % 360) - 180)).toBeLessThanOrEqual(5);
        expect(Math.abs(deviation - 9)).toBeLessThanOrEqual(2);
        expect(factors.map(({ clause }) => clause !== null)).toEqual([true, false, false, false]);
      }),
      { numRuns: 30 },
    );
  });

  it("names every factor that matters, most telling first", () => {
    const fires = (row: number) => Number(Math.cos(data.theta[row]! - degrees(142)) > 0.97 && data.pen[row] === 0);
    expect(tuning.of(firingsWhere(count, fires)).label).toMatch(/^theta 14[0-4]° ± [6-9], pen up$/);
    expect(tuning.of(firingsWhere(count, (row) => Number(data.letter[row] === 3 || data.letter[row] === 7))).label).toMatch(
      /^letter (d or h|h or d)$/,
    );
    expect(tuning.of(firingsWhere(count, (row) => Number(data.length[row]! > 0.05))).label).toMatch(/^length 0\.05\d? to 0\.09\d?$/);
  });

  it("gives no label to latents that fire anyhow, rarely or often, weakly or strongly", () => {
    for (let seed = 0; seed < 80; seed++) {
      const rng = createRng(seed, "unrelated");
      const density = 10 ** rng.uniform(-3, 0);
      const strengths = Array.from({ length: count }, () => (rng.uniform() < density ? Math.exp(rng.normal()) : 0));
      expect(tuning.of(firingsWhere(count, (row) => strengths[row]!)).label).toBeNull();
    }
  });

  it("does not name a range that holds most rows, however certain it is", () => {
    const { label, factors } = tuning.of(firingsWhere(count, (row) => Number(data.length[row]! < 0.05)));
    expect(factors[1]!.z).toBeGreaterThan(6);
    expect(label).toBeNull(); // four of five rows
  });

  it("gives none to a latent that is silent, or always the same", () => {
    const silent = tuning.of({ rows: [], activations: [] });
    expect(silent.label).toBeNull();
    expect(silent.factors.every(({ bits, share }) => bits === 0 && share === 0)).toBe(true);
    expect(tuning.of(firingsWhere(count, () => 1)).label).toBeNull();
  });

  it("counts curves and bits as the definitions say, on rows that have a value only", () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 80 }), (seed, rows) => {
        const rng = createRng(seed, "small");
        const values = Array.from({ length: rows }, () => (rng.uniform() < 0.2 ? Number.NaN : rng.integer(3)));
        const strengths = values.map(() => (rng.uniform() < 0.4 ? rng.uniform() + 0.1 : 0));
        const labels = ["a", "b", "c"];
        const [found] = new Tuning([{ name: "letter", kind: "class", values, labels }], { levels: 1 }).of(
          firingsWhere(rows, (row) => strengths[row]!),
        ).factors;
        const known = values.map((_, row) => row).filter((row) => !Number.isNaN(values[row]!));
        // I = H(fires) + H(class) − H(both)
        const entropy = (of: (row: number) => string): number => {
          const keys = known.map(of);
          const counts = [...new Set(keys)].map((key) => keys.filter((other) => other === key).length / keys.length);
          return -counts.reduce((bits, p) => bits + p * Math.log2(p), 0);
        };
        const fires = (row: number) => String(strengths[row]! > 0);
        const both = entropy((row) => `${fires(row)} ${values[row]}`);
        const expected = known.length > 0 ? entropy(fires) + entropy((row) => String(values[row])) - both : 0;
        expect(found!.bits).toBeCloseTo(expected, 10);
        for (const [k, bin] of found!.bins.entries()) {
          const inside = known.filter((row) => values[row] === k);
          const total = inside.reduce((sum, row) => sum + strengths[row]!, 0);
          expect(bin).toMatchObject({ label: labels[k], rows: inside.length, firings: inside.filter((row) => strengths[row]! > 0).length });
          expect(bin.mean).toBeCloseTo(inside.length > 0 ? total / inside.length : 0, 10);
        }
      }),
    );
  });

  it("finds as many bits in shuffled data as in data that are shuffled already", () => {
    const rng = createRng(5, "null");
    const found = Array.from({ length: 60 }, () => {
      const chosen = rng.permutation(count).slice(0, 400);
      return tuning.of({ rows: chosen, activations: Array.from(chosen, () => rng.uniform()) }).factors[0]!;
    });
    // z of 60 such latents: mean 0 ± 1/√60, but the 20 shuffles are shared: ± 1/√20 more; four times both together
    const mean = found.reduce((sum, { z }) => sum + z, 0) / found.length;
    expect(Math.abs(mean)).toBeLessThan(4 * Math.sqrt(1 / 60 + 1 / 20));
  });

  it("gives the same for the same seed, and says what does not fit", () => {
    const firings = firingsWhere(count, (row) => Math.max(0, data.length[row]! - 0.03));
    expect(new Tuning(factorsOf(data)).of(firings)).toEqual(tuning.of(firings));
    expect(new Tuning(factorsOf(data), { seed: 1 }).of(firings).factors[0]!.shuffled).not.toEqual(tuning.of(firings).factors[0]!.shuffled);
    expect(() => tuning.of({ rows: [count], activations: [1] })).toThrow(`Expected a row below ${count} but found ${count}`);
    expect(() => new Tuning([...factorsOf(data), { name: "short", kind: "scale", values: [1] }])).toThrow(
      "values of 'short', one a row, but found 1",
    );
    expect(() => binFactor({ name: "pen", kind: "class", values: [2], labels: ["up", "down"] })).toThrow(
      "Expected a class of 'pen' below 2 but found 2",
    );
  });
});

describe("binFactor", () => {
  it("puts every value into the bin that holds it, quantities into about even bins", () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 12 }), (seed, rows, bins) => {
        const rng = createRng(seed, "values");
        const quantities = Array.from({ length: rows }, () => (rng.uniform() < 0.1 ? Number.NaN : rng.normal()));
        const angles = quantities.map((q) => (Number.isNaN(q) ? q : Math.atan2(Math.sin(9 * q), Math.cos(9 * q))));
        for (const factor of [
          { name: "q", kind: "scale", values: quantities, bins },
          { name: "a", kind: "angle", values: angles, bins },
        ] as const) {
          const binned = binFactor(factor);
          for (const [row, code] of binned.codes.entries()) {
            const value = factor.values[row]!;
            expect(code === 255).toBe(Number.isNaN(value));
            if (code === 255) continue;
            expect(value).toBeGreaterThanOrEqual(binned.bins[code]!.from - 1e-12);
            expect(value).toBeLessThanOrEqual(binned.bins[code]!.to + 1e-12);
          }
          const known = factor.values.filter((value) => !Number.isNaN(value)).length;
          if (factor.kind === "scale")
            for (const n of binned.occupancy)
              expect(Math.abs(n - known / binned.bins.length)).toBeLessThan(known / binned.bins.length / 2 + 2);
        }
      }),
    );
  });
});
