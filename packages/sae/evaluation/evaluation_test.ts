import { createRng, type Device, type HostTensor, openDevice, type Tensor, tensor } from "@cursive/tensor";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSae } from "../create_sae.ts";
import { ColumnMoments } from "./column_moments.ts";
import { evaluateRows, type RowsEvaluation } from "./evaluate_sae.ts";
import { densityHistogram, FeatureActivity } from "./feature_activity.ts";
import { featureGeometry } from "./feature_geometry.ts";
import { Ratio } from "./ratio.ts";
import { type LabelledRows, rowChunks } from "./row_chunks.ts";
import type { Codec } from "./splice.ts";
import { stability } from "./stability.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

/** Rows with a mean well away from 0, of sequences of 1 to 7, some of them masked. */
interface Rows {
  readonly width: number;
  readonly data: Float32Array;
  readonly sequences: number[];
  readonly mask: number[];
}

function drawRows(seed: number, { count, width }: { count: number; width: number }): Rows {
  const rng = createRng(seed, "rows");
  const center = Array.from({ length: width }, () => 5 * rng.normal());
  const data = Float32Array.from({ length: count * width }, (_, i) => center[i % width]! + rng.normal());
  const sequences: number[] = [];
  for (let s = 0; sequences.length < count; s++) sequences.push(...new Array<number>(1 + rng.integer(7)).fill(s));
  const mask = Array.from({ length: count }, (_, i) => Number(i === 0 || rng.uniform() < 0.8));
  return { width, data, sequences: sequences.slice(0, count), mask };
}

/** The rows in blocks of these sizes, over and over. */
async function* inBlocks({ width, data, sequences, mask }: Rows, sizes: readonly number[]): AsyncGenerator<LabelledRows> {
  for (let from = 0, i = 0; from < sequences.length; i++) {
    const to = Math.min(sequences.length, from + sizes[i % sizes.length]!);
    const rows: HostTensor = { shape: [to - from, width], dtype: "f32", data: data.subarray(from * width, to * width) };
    yield { rows, sequences: sequences.slice(from, to), mask: mask.slice(from, to) };
    from = to;
  }
}

const identity: Codec = { encode: (x) => x, decode: (features) => features };

/** Always gives these numbers. */
function constant(values: ArrayLike<number>): Codec {
  let row: Tensor | undefined;
  return {
    encode: (x) => x.relu(),
    decode: (features) => {
      row ??= tensor(Float32Array.from(values));
      return features.mul(0).sum({ axis: 1, keepDims: true }).add(row);
    },
  };
}

function meanOf({ width, data, mask }: Rows): number[] {
  const kept = mask.flatMap((flag, i) => (flag ? [i] : []));
  return Array.from({ length: width }, (_, d) => kept.reduce((sum, i) => sum + data[i * width + d]!, 0) / kept.length);
}

const sizes = fc.record({ seed: fc.nat(1e6), count: fc.integer({ min: 12, max: 60 }), width: fc.integer({ min: 1, max: 9 }) });

describe("ColumnMoments", () => {
  it("agrees with two passes over all rows, however they are split and merged", () => {
    fc.assert(
      fc.property(sizes, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 }), ({ seed, count, width }, cuts) => {
        const { data } = drawRows(seed, { count, width });
        const parts: ColumnMoments[] = [];
        for (let from = 0, i = 0; from < count; from += cuts[i++ % cuts.length]!) {
          const part = new ColumnMoments(width);
          part.add(data.subarray(from * width, Math.min(count, from + cuts[i % cuts.length]!) * width));
          parts.push(part);
        }
        const merged = new ColumnMoments(width);
        for (const part of parts.reverse()) merged.merge(part);
        for (let d = 0; d < width; d++) {
          const column = Array.from({ length: count }, (_, r) => data[r * width + d]!);
          const mean = column.reduce((a, b) => a + b, 0) / count;
          const variance = column.reduce((sum, v) => sum + (v - mean) ** 2, 0) / count;
          expect(Math.abs(merged.mean[d]! - mean)).toBeLessThanOrEqual(count * 2 ** -52 * (Math.abs(mean) + 1) * 2);
          expect(Math.abs(merged.variance[d]! - variance)).toBeLessThanOrEqual(count * 2 ** -52 * (variance + 1) * 8);
        }
        expect(merged.count).toBe(count);
      }),
    );
  });

  it("keeps a small spread around a large mean, where squares in f64 would lose it", () => {
    const moments = new ColumnMoments(1);
    for (let i = 0; i < 1000; i++) moments.add([1e8 + (i % 2)]);
    expect(moments.variance[0]).toBeCloseTo(0.25, 6);
  });

  it("refuses rows that do not divide and moments of another width", () => {
    expect(() => new ColumnMoments(3).add([1, 2])).toThrow("Expected rows of 3 numbers but found 2 in all");
    expect(() => new ColumnMoments(3).merge(new ColumnMoments(2))).toThrow("Expected moments of 3 columns but found 2");
  });
});

describe("Ratio", () => {
  it("has the usual standard error of a mean where sequences have one row each", () => {
    const values = [1, 4, 2, 8, 5];
    const ratio = new Ratio();
    for (const value of values) ratio.add(value, 1);
    const variance = values.reduce((sum, v) => sum + (v - 4) ** 2, 0) / 4;
    expect(ratio.estimate()).toEqual({ value: 4, standardError: expect.closeTo(Math.sqrt(variance / 5), 14) });
  });

  it("knows no error of a single sequence, and no value of none", () => {
    const ratio = new Ratio();
    expect(ratio.estimate()).toEqual({ value: Number.NaN, standardError: Number.NaN });
    ratio.add(3, 2);
    expect(ratio.estimate()).toEqual({ value: 1.5, standardError: Number.NaN });
  });
});

describe("evaluateRows", () => {
  it("gives the same bits however the rows come, masked ones and cut sequences included", async () => {
    const sae = createSae({ architecture: "standard", dIn: 6, dSae: 10, init: "kaiming", seed: 3 });
    await fc.assert(
      fc.asyncProperty(
        fc.nat(1e6),
        fc.integer({ min: 12, max: 60 }),
        fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1, maxLength: 4 }),
        async (seed, count, blocks) => {
          const rows = drawRows(seed, { count, width: 6 });
          const whole = await evaluateRows(sae, inBlocks(rows, [count]), { chunkRows: 16 });
          expect(await evaluateRows(sae, inBlocks(rows, blocks), { chunkRows: 16 })).toEqual(whole);
        },
      ),
      { numRuns: 8 },
    );
  });

  it("agrees with float64 formulas over all rows at once, whatever the chunks", async () => {
    const sae = createSae({ architecture: "standard", dIn: 5, dSae: 9, init: "kaiming", seed: 4 });
    const rows = drawRows(7, { count: 41, width: 5 });
    const { data, mask, sequences } = rows;
    const x = tensor(data, { shape: [41, 5] });
    const [f, y] = [await sae.encode(x).data(), await sae.decode(sae.encode(x)).data()];
    const kept = mask.flatMap((flag, i) => (flag ? [i] : []));
    const mean = meanOf(rows);
    const at = (values: ArrayLike<number>, row: number, width: number): number[] =>
      Array.from({ length: width }, (_, d) => values[row * width + d]!);
    const dot = (a: number[], b: number[]): number => a.reduce((sum, v, i) => sum + v * b[i]!, 0);
    const minus = (a: number[], b: number[]): number[] => a.map((v, i) => v - b[i]!);
    const average = (of: (row: number) => number): number => kept.reduce((sum, row) => sum + of(row), 0) / kept.length;
    const [X, Y, F] = [(i: number) => at(data, i, 5), (i: number) => at(y, i, 5), (i: number) => at(f, i, 9)];
    const error = (i: number): number => dot(minus(Y(i), X(i)), minus(Y(i), X(i)));
    const norm = (v: number[]): number => Math.sqrt(dot(v, v));
    for (const chunkRows of [7, 64]) {
      const { reconstruction: found, activity, getFreqs } = await evaluateRows(sae, inBlocks(rows, [41]), { chunkRows });
      expect(found.rows).toBe(kept.length);
      expect(found.sequences).toBe(new Set(kept.map((i) => sequences[i])).size);
      const wanted = {
        mse: average(error),
        fve: 1 - average(error) / average((i) => dot(minus(X(i), mean), minus(X(i), mean))),
        l0: average((i) => F(i).filter((v) => v > 0).length),
        l1: average((i) => F(i).reduce((a, b) => a + b, 0)),
        cosine: average((i) => dot(X(i), Y(i)) / (norm(X(i)) * norm(Y(i)))),
        normRatio: average((i) => norm(Y(i)) / norm(X(i))),
        relativeBias: average((i) => dot(Y(i), Y(i))) / average((i) => dot(X(i), Y(i))),
      };
      for (const [name, value] of Object.entries(wanted)) expect(found[name as keyof typeof wanted].value, name).toBeCloseTo(value, 5);
      expect(found.norm.input).toBeCloseTo(
        average((i) => norm(X(i))),
        10,
      );
      expect(found.norm.output).toBeCloseTo(
        average((i) => norm(Y(i))),
        5,
      );
      for (const [j, density] of activity.density.entries()) expect(density).toBe(average((i) => Number(F(i)[j]! > 0)));
      const all = Array.from({ length: 9 }, (_, j) => Array.from({ length: 41 }, (_, i) => Number(F(i)[j]! > 0)));
      expect(getFreqs.freqs).toEqual(all.map((column) => column.reduce((a, b) => a + b, 0) / 41));
      for (const name of ["l0", "mse", "fve", "cosine"] as const) expect(found[name].standardError).toBeGreaterThan(0);
    }
  });

  it("explains nothing by the mean and everything by identity", async () => {
    await fc.assert(
      fc.asyncProperty(sizes, async ({ seed, count, width }) => {
        const rows = drawRows(seed, { count, width });
        const mean = meanOf(rows);
        const evaluate = (codec: Codec): Promise<RowsEvaluation> => evaluateRows(codec, inBlocks(rows, [9]), { chunkRows: 16 });
        const same = (await evaluate(identity)).reconstruction;
        expect([same.fve.value, same.mse.value, same.legacyFve]).toEqual([1, 0, 1]);
        expect(same.cosine.value).toBeCloseTo(1, 12);
        expect(same.normRatio.value).toBe(1);
        expect(same.relativeBias.value).toBe(1);
        const { fve } = (await evaluate(constant(mean))).reconstruction;
        // The mean is rounded to f32: what that adds to the error is Σ (m·2⁻²⁴)² a row, against the rows' spread.
        const spread = await evaluate(constant(new Float64Array(width)));
        const rounding = mean.reduce((sum, m) => sum + (m * 2 ** -24) ** 2, 0) * spread.reconstruction.rows;
        const total = spread.reconstruction.mse.value * spread.reconstruction.rows;
        const aroundMean = total - mean.reduce((sum, m) => sum + m * m, 0) * spread.reconstruction.rows;
        expect(Math.abs(fve.value)).toBeLessThanOrEqual(rounding / aroundMean + 1e-12);
      }),
      { numRuns: 8 },
    );
  });

  it("sees a constant bias, which variances of the error do not", async () => {
    const rows = drawRows(3, { count: 30, width: 4 });
    const off: Codec = { ...identity, decode: (features) => features.add(10) };
    expect((await evaluateRows(off, inBlocks(rows, [30]))).reconstruction.fve.value).toBeLessThan(-10);
  });

  it("sees reconstructions shrink", async () => {
    const rows = drawRows(3, { count: 30, width: 4 });
    const half: Codec = { ...identity, decode: (features) => features.mul(0.5) };
    const { normRatio, relativeBias, cosine } = (await evaluateRows(half, inBlocks(rows, [30]))).reconstruction;
    expect([normRatio.value, relativeBias.value]).toEqual([0.5, 0.5]);
    expect(cosine.value).toBeCloseTo(1, 12);
  });

  it("gives no standard errors without labels, and refuses what it cannot measure", async () => {
    async function* some(parts: readonly LabelledRows[]): AsyncGenerator<LabelledRows> {
      yield* parts;
    }
    const rows: HostTensor = { shape: [2, 2], dtype: "f32", data: Float32Array.of(1, 2, 3, 5) };
    const { reconstruction } = await evaluateRows(identity, some([{ rows }]));
    expect([reconstruction.sequences, reconstruction.mse.standardError]).toEqual([1, Number.NaN]);
    await expect(evaluateRows(identity, some([]))).rejects.toThrow("Expected rows to measure but found none");
    await expect(evaluateRows(identity, some([{ rows, mask: [0, 0] }]))).rejects.toThrow("Expected rows to measure but found none");
    await expect(evaluateRows(identity, some([{ rows, sequences: [1] }]))).rejects.toThrow("Expected 2 labels, one a row, but found 1");
    const wider: HostTensor = { shape: [1, 3], dtype: "f32", data: new Float32Array(3) };
    await expect(evaluateRows(identity, some([{ rows }, { rows: wider }]))).rejects.toThrow("Expected rows of 2 numbers but found 3");
  });
});

describe("rowChunks", () => {
  it("fills the last chunk up with zeros", async () => {
    const rows = drawRows(1, { count: 12, width: 2 });
    const counts: number[] = [];
    for await (const { count, data } of rowChunks(inBlocks(rows, [5]), { chunkRows: 8 })) {
      counts.push(count);
      expect(data.length).toBe(16);
      expect(data.subarray(count * 2).every((v) => v === 0)).toBe(true);
    }
    expect(counts).toEqual([8, 4]);
  });
});

describe("FeatureActivity", () => {
  it("counts rows, strengths and sequences, apart from rows that are masked", () => {
    const activity = new FeatureActivity(3);
    // A sequence of four rows in two parts, and one of one row.
    activity.add([1, 0, 2, 0, 0, 4], { sequences: [5, 5] });
    activity.add([3, 0, 0, 9, 9, 9, 0, 0, 6], { sequences: [5, 5, 6], wanted: [1, 0, 1] });
    const found = activity.result();
    expect(found.rows).toBe(4);
    expect(found.density).toEqual([0.5, 0, 0.75]);
    expect(found.meanActivation).toEqual([2, 0, 4]);
    expect(found.maxActivation).toEqual([3, 0, 6]);
    expect(found.firingsPerSequence).toEqual([2, 0, 1.5]);
    expect([found.dead, found.alive, found.resolvable]).toEqual([1, 2, 0.25]);
    expect(found.dense.over10Percent).toEqual({ latents: 2, shareOfFirings: 1 });
  });

  it("shows densities from what the rows resolve up to 1, each latent that fires in one bin", () => {
    const { edges, counts } = densityHistogram([0, 0.001, 0.00999, 0.5, 1], { rows: 1000 });
    expect([edges[0], edges.at(-1), edges.length]).toEqual([-3, 0, 13]);
    expect(counts).toEqual([1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 1]);
  });
});

describe("featureGeometry and stability", () => {
  it("finds norms, angles and neighbours", () => {
    const state = new Map<string, HostTensor>([
      ["W_dec", { shape: [3, 2], dtype: "f32", data: Float32Array.of(3, 4, 1, 0, 0, -2) }],
      ["W_enc", { shape: [2, 3], dtype: "f32", data: Float32Array.of(3, 0, 1, 4, 1, 0) }],
      ["b_enc", { shape: [3], dtype: "f32", data: Float32Array.of(1, 2, 3) }],
    ]);
    const found = featureGeometry(state);
    expect(found.decoderNorm).toEqual([5, 1, 2]);
    expect(found.encoderNorm).toEqual([5, 1, 1]);
    expect(found.encoderBias).toEqual([1, 2, 3]);
    expect(found.encoderDecoderCosine.map((c) => c + 0)).toEqual([expect.closeTo(1, 14), 0, 0]);
    expect(found.nearestDecoder.index).toEqual([1, 0, 1]);
    expect(found.nearestDecoder.cosine[0]).toBeCloseTo(0.6, 14);
    expect(() => featureGeometry(new Map())).toThrow("Expected W_enc but found no weights");
  });

  it("finds a dictionary in itself whatever the order, lengths and company", async () => {
    const a = await createSae({ architecture: "topk", dIn: 8, dSae: 12, seed: 1 }).stateDict();
    const data = a.get("W_dec")!.data as Float32Array;
    const reversed = Float32Array.from({ length: 12 * 8 }, (_, i) => 3 * data[(11 - Math.floor(i / 8)) * 8 + (i % 8)]!);
    const more = Float32Array.from([...reversed, ...new Float32Array(8)]);
    const b = new Map([["W_dec", { shape: [13, 8], dtype: "f32", data: more } as HostTensor]]);
    const { mmcs, found, nearest } = stability(a, b);
    expect(mmcs.aInB).toBeCloseTo(1, 7);
    expect(mmcs.bInA).toBeCloseTo(12 / 13, 7);
    expect([found.aInB, found.bInA]).toEqual([1, 12 / 13]);
    expect(nearest.index).toEqual(Array.from({ length: 12 }, (_, i) => 11 - i));
    const other = await createSae({ architecture: "topk", dIn: 8, dSae: 12, seed: 2 }).stateDict();
    expect(stability(a, other).mmcs.aInB).toBeLessThan(0.9);
    // b's latent 0 is a's 11, and b's 12 is a row of zeros.
    const without = stability(a, b, {
      alive: { a: Array.from({ length: 12 }, (_, f) => f < 10), b: Array.from({ length: 13 }, (_, f) => f > 1) },
    });
    expect(without.mmcs).toEqual({ aInB: expect.closeTo(1, 7), bInA: expect.closeTo(10 / 11, 7) });
    expect(without.nearest.index).toEqual([11, 10, 9, 8, 7, 6, 5, 4, 3, 2, -1, -1]);
    const hidden = stability(a, b, { alive: { a: new Uint8Array(12).fill(1), b: Array.from({ length: 13 }, (_, f) => f > 0) } });
    expect(hidden.mmcs.aInB).toBeLessThan(0.99); // a's latent 11 is not found
    expect(stability(a, b, { alive: { a: new Uint8Array(12), b: new Uint8Array(13) } }).mmcs).toEqual({
      aInB: Number.NaN,
      bInA: Number.NaN,
    });
    expect(() => stability(a, b, { alive: { a: [1], b: [1] } })).toThrow("Expected 12 flags, one a latent, but found 1");
  });
});
