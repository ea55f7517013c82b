import fc from "fast-check";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { capture } from "../capture/capture.ts";
import { tensor } from "../create.ts";
import type { Device, KernelFamily } from "../device/device.ts";
import { withMutation } from "../device/kernel.ts";
import { openDevice } from "../device/open.ts";
import { ShapeError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
import { runs, seed, seededValues, valueKind } from "../testing/mod.ts";
import { keepBatchTopk, keepTopk } from "./keep_topk.ts";

let device: Device;
let ownFamily: KernelFamily;
beforeAll(async () => {
  device = await openDevice();
  ownFamily = device.family;
});
afterEach(() => {
  device.family = ownFamily;
});

const upload = (data: ArrayLike<number>, shape: number[]): Tensor => tensor(Float32Array.from(data), { shape });

/** What should stay of a row: by sorting places, ties at the last place by their order or all of them. */
function kept(row: readonly number[], { k, above, allTies = false }: { k: number; above: number; allTies?: boolean }): number[] {
  const rank = (v: number): number => (Number.isNaN(v) ? Number.POSITIVE_INFINITY : v);
  const eligible = row.map((v, i) => ({ v, i })).filter(({ v }) => !(v <= above));
  const sorted = eligible.toSorted((a, b) => Number(Number.isNaN(b.v)) - Number(Number.isNaN(a.v)) || rank(b.v) - rank(a.v) || a.i - b.i);
  const last = sorted[Math.min(k, sorted.length) - 1];
  const stays = allTies && last ? sorted.filter(({ v }) => v === last.v || v > last.v || Number.isNaN(v)) : sorted.slice(0, k);
  const places = new Set(stays.map(({ i }) => i));
  return row.map((v, i) => (places.has(i) ? v : 0));
}

/** −0 as 0: which zero a zero is does not matter. */
const plain = (values: ArrayLike<number>): number[] => Array.from(values, (v) => v + 0);

const rowsOf = (data: ArrayLike<number>, n: number): number[][] =>
  Array.from({ length: data.length / n }, (_, r) => Array.from({ length: n }, (_, i) => data[r * n + i]!));

const sizes: fc.Arbitrary<{ rows: number; n: number }> = fc.record({
  rows: fc.constantFrom(1, 2, 7, 8, 9, 33),
  n: fc.constantFrom(1, 2, 4, 15, 20, 63, 64, 65, 130, 516, 517),
});
const cases = fc.record({
  size: sizes,
  share: fc.double({ min: 0, max: 1, noNaN: true }),
  seed: seed(),
  kind: valueKind("uniform", "integers", "adversarial"),
  above: fc.constantFrom(0, -0.5, Number.NEGATIVE_INFINITY),
  family: fc.constantFrom<KernelFamily>("portable", "tile"),
});
type Case = typeof cases extends fc.Arbitrary<infer T> ? T : never;

const draw = ({ size, seed, kind }: Case): Float32Array => Float32Array.from(seededValues(seed, [size.rows, size.n], kind).data);

async function agrees(c: Case): Promise<void> {
  device.family = c.family;
  const { rows, n } = c.size;
  const k = 1 + Math.floor(c.share * (n - 1));
  const data = draw(c);
  const x = upload(data, [rows, n]);
  x.requiresGrad = true;
  const y = keepTopk(x, k, { above: c.above });
  const want = rowsOf(data, n).flatMap((row) => kept(row, { k, above: c.above }));
  expect(plain(await y.data())).toEqual(plain(want));
  const u = seededValues(c.seed + 1, [rows, n]).data;
  y.backward({ gradient: upload(u, [rows, n]) });
  expect(plain(await x.grad!.data())).toEqual(plain(want.map((v, i) => (v === 0 ? 0 : Math.fround(u[i]!)))));
}

async function batchAgrees(c: Case): Promise<void> {
  device.family = c.family;
  const { rows, n } = c.size;
  const k = 1 + Math.floor(c.share * (n - 1));
  const data = draw(c);
  const { kept: y, threshold } = keepBatchTopk(upload(data, [rows, n]), k, { above: c.above });
  const wanted = rowsOf(data, n).map((row) => kept(row, { k, above: c.above, allTies: true }));
  expect(plain(await y.data())).toEqual(plain(wanted.flat()));
  const thresholds = rowsOf(data, n).map((row) => {
    const sorted = row.filter((v) => v > c.above).toSorted((a, b) => b - a);
    return sorted[Math.min(k, sorted.length) - 1] ?? c.above;
  });
  expect(plain(await threshold.data())).toEqual(plain(thresholds as number[]));
}

describe("keepTopk", () => {
  it("keeps what sorting would keep, of equal values the first, and sends gradients only there", async () => {
    await fc.assert(fc.asyncProperty(cases, agrees), runs(60));
  });

  it("takes infinities, NaN and both zeros", async () => {
    for (const family of ["portable", "tile"] as const) {
      device.family = family;
      const row = [Number.NEGATIVE_INFINITY, -0, 3, Number.NaN, 0, Number.POSITIVE_INFINITY, 1e-42, -2];
      const found = async (k: number, above?: number) => [...(await keepTopk(upload(row, [8]), k, { above }).data())];
      expect(await found(2)).toEqual([0, 0, 0, Number.NaN, 0, Number.POSITIVE_INFINITY, 0, 0]);
      expect((await found(8, 0)).map((v) => (Number.isNaN(v) ? "NaN" : v > 1 ? v : 0))).toEqual([
        0,
        0,
        3,
        "NaN",
        0,
        Number.POSITIVE_INFINITY,
        0,
        0,
      ]);
      expect(await found(5, 100)).toEqual([0, 0, 0, Number.NaN, 0, Number.POSITIVE_INFINITY, 0, 0]);
    }
  });

  it("refuses a k that no row has", () => {
    expect(() => keepTopk(upload([1, 2], [1, 2]), 3)).toThrow(ShapeError);
    expect(() => keepTopk(upload([1, 2], [1, 2]), 0)).toThrow("keepTopk: expected k in 1…2 for the last axis of [1, 2] but found 0");
  });

  it("is caught when a digit is lost, or ties are counted wrongly", async () => {
    for (const n of [65, 64]) {
      const broken = { size: { rows: 9, n }, share: 0.3, seed: 3, kind: "uniform", above: 0, family: "portable" } as const;
      const tied = { ...broken, kind: "integers" } as const;
      const isCaught = (edit: readonly [RegExp, string], c: Case): Promise<void> =>
        withMutation("keep_topk", edit, () => expect(agrees(c)).rejects.toThrow());
      for (const c of [broken, tied]) await agrees(c);
      await isCaught([/digit < 8u/, "digit < 3u"], broken);
      await isCaught([/ties -= number_of\(.*\);/, ""], tied);
      await isCaught([/ties -= u32\(.*\);/g, ""], tied);
      await isCaught([/dy\[i\], x\[i\] != Element\(\)/, "dy[i], x[i] == x[i]"], broken);
    }
  });
});

describe("keepBatchTopk", () => {
  it("keeps what sorting would keep, all equal values at the last place, and tells the threshold", async () => {
    await fc.assert(fc.asyncProperty(cases, batchAgrees), runs(40));
  });

  it("is caught when what may stay is not counted, or a part of a row is not", async () => {
    for (const n of [65, 64]) {
      const few = { size: { rows: 7, n }, share: 0.9, seed: 3, kind: "uniform", above: 0, family: "portable" } as const;
      const enough = { ...few, share: 0.2 };
      for (const c of [few, enough]) await batchAgrees(c);
      const isCaught = (edit: readonly [RegExp, string], c: Case): Promise<void> =>
        withMutation("keep_topk", edit, () => expect(batchAgrees(c)).rejects.toThrow());
      await isCaught([/able \+= number_of\(key != Key\(\)\)/, "able = params.k"], few);
      await isCaught([/var i = part; i < params\.n \/ WIDE/, "var i = part + params.parts; i < params.n / WIDE"], enough);
      await isCaught([/chosen\[i \/ \(params\.n \/ WIDE\)\]/, "chosen[0]"], enough);
    }
  });

  it("works in captured steps with changing data", async () => {
    const step = capture((x: Tensor) => keepBatchTopk(x, 100, { above: 0 }).kept, { poison: true });
    for (let run = 0; run < 3; run++) {
      const data = Float32Array.from(seededValues(run, [1, 700]).data);
      expect([...(await (await step(upload(data, [1, 700]))).data())]).toEqual(kept([...data], { k: 100, above: 0, allTies: true }));
    }
  });
});
