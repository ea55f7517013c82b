import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { tensor } from "../create.ts";
import { withMutation } from "../device/kernel.ts";
import { openDevice } from "../device/open.ts";
import { AutogradError, ShapeError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
import { dotBound, epsilon, expectClose, map, mapRows, type Nd, nd, oracle, runs, seed, seededValues, zip } from "../testing/mod.ts";
import { normalizeRows, rejectRows } from "./unit_rows.ts";

beforeAll(async () => {
  await openDevice();
});

const upload = (x: Nd): Tensor => tensor(Float32Array.from(x.data), { shape: x.shape });
const shapes = fc.record({
  rows: fc.constantFrom(1, 3, 63, 64, 65, 300),
  columns: fc.constantFrom(1, 2, 7, 16, 65),
  seed: seed(),
  turned: fc.boolean(),
});
type Case = typeof shapes extends fc.Arbitrary<infer T> ? T : never;

async function rejects({ rows, columns, seed, turned }: Case): Promise<void> {
  const [x, w] = [seededValues(seed, [rows, columns]), seededValues(seed + 1, [rows, columns])];
  if (rows > 2) w.data.fill(0, columns, 2 * columns); // a direction of zeros takes nothing out
  const dot = (a: Nd, b: Nd): Nd => oracle.sum(oracle.mul(a, b), { axis: 1, keepDims: true });
  const part = zip(dot(x, w), dot(w, w), (along, norm) => (norm > 0 ? along / norm : 0));
  const given = turned ? upload(oracle.transpose(x, 0, 1)).transpose(0, 1) : upload(x);
  const sizes = zip(dot(oracle.abs(x), oracle.abs(w)), dot(w, w), (along, norm) => (norm > 0 ? along / norm : 0));
  const bound = zip(dotBound(columns + 4, oracle.mul(sizes, oracle.abs(w))), x, (b, v) => 2 * b + 2 * epsilon * Math.abs(v));
  expectClose(await rejectRows(given, upload(w)).data(), oracle.sub(x, oracle.mul(part, w)), bound);
}

describe("rejectRows", () => {
  it("takes each row's part along its direction out, whatever the layout", async () => {
    await fc.assert(fc.asyncProperty(shapes, rejects), runs(30));
  });

  it("is caught when the norm is left out", async () => {
    await withMutation("unit_rows", ["along / norm", "along"], () =>
      expect(rejects({ rows: 3, columns: 7, seed: 1, turned: false })).rejects.toThrow("within their bounds"),
    );
  });

  it("refuses other shapes", () => {
    expect(() => rejectRows(tensor([[1, 2]]), tensor([[1], [2]]))).toThrow(ShapeError);
  });
});

describe("normalizeRows", () => {
  it("scales rows to norm 1 in place, and leaves zeros", async () => {
    const property = fc.asyncProperty(shapes, async ({ rows, columns, seed }) => {
      const x = map(seededValues(seed, [rows, columns]), (v) => 3 * v);
      if (rows > 1) x.data.fill(0, 0, columns);
      const given = upload(x);
      normalizeRows(given);
      const wanted = mapRows(x, 1, (row) => row.map((v) => v / Math.max(Math.hypot(...row), 1e-8)));
      expectClose(
        await given.data(),
        wanted,
        map(wanted, (v) => (columns + 8) * 2 * epsilon * Math.abs(v)),
      );
    });
    await fc.assert(property, runs(30));
  });

  it("refuses computed tensors and views with gaps", () => {
    const leaf = upload(nd([2, 2], [1, 2, 3, 4]));
    leaf.requiresGrad = true;
    expect(() => normalizeRows(leaf.mul(2))).toThrow(AutogradError);
    expect(() => normalizeRows(leaf.detach().transpose(0, 1))).toThrow(ShapeError);
  });
});
