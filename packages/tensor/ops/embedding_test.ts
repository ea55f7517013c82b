import fc from "fast-check";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { capture } from "../capture/capture.ts";
import { tensor } from "../create.ts";
import type { Device, KernelFamily } from "../device/device.ts";
import { withMutation } from "../device/kernel.ts";
import { openDevice } from "../device/open.ts";
import type { DType } from "../dtype.ts";
import { DTypeError, ShapeError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
import {
  applyView,
  expectAdjoint,
  expectClose,
  type Nd,
  nd,
  oracle,
  roundingBound,
  runs,
  seed,
  seededIndices,
  seededValues,
  shape,
  type View,
  view,
  viewed,
} from "../testing/mod.ts";
import { embedding } from "./embedding.ts";

let device: Device;
let ownFamily: KernelFamily;
beforeAll(async () => {
  device = await openDevice();
  ownFamily = device.family;
});
afterEach(() => {
  device.family = ownFamily;
});

/** Few places are walked through by `portable`, and sorted by `tile` as many are by both. */
const FAMILIES = ["portable", "tile"] as const;

const upload = (x: Nd, dtype: DType = "f32", requiresGrad = false): Tensor =>
  tensor(dtype === "f32" ? Float32Array.from(x.data) : Int32Array.from(x.data), { shape: x.shape, dtype, requiresGrad });

/** Σ of the gradient's rows that belong to each row of the table, Σ of their absolute values, and the most rows of one sum. */
function gradientOracle(indices: Nd, gradient: Nd, rows: number): { sums: Nd; sizes: Nd; longest: number } {
  const columns = gradient.shape.at(-1)!;
  const [sums, sizes] = [nd([rows, columns]), nd([rows, columns])];
  const counts = new Float64Array(rows);
  indices.data.forEach((v, j) => {
    counts[v]!++;
    for (let c = 0; c < columns; c++) {
      sums.data[v * columns + c]! += gradient.data[j * columns + c]!;
      sizes.data[v * columns + c]! += Math.abs(gradient.data[j * columns + c]!);
    }
  });
  return { sums, sizes, longest: counts.reduce((a, b) => Math.max(a, b), 0) };
}

interface Case {
  readonly indices: Nd;
  readonly columns: number;
  readonly rows: number;
  readonly seed: number;
  readonly family?: KernelFamily;
}

/** Rows bit for bit, the gradient within the error of a sum in any order, exact zeros where nothing is added. */
async function agreesWithTheOracle({ indices, columns, rows, seed, family = ownFamily }: Case): Promise<void> {
  device.family = family;
  const weight = seededValues(seed, [rows, columns]);
  const gradient = seededValues(seed + 1, [...indices.shape, columns]);
  const table = upload(weight, "f32", true);
  const out = embedding(upload(indices, "i32"), table);
  expect(out.shape).toEqual(gradient.shape);
  out.backward({ gradient: upload(gradient) });
  expectClose(await out.data(), oracle.embedding(indices, weight), 0);
  const { sums, sizes, longest } = gradientOracle(indices, gradient, rows);
  const bound = roundingBound(longest, sizes);
  expectClose(
    await table.grad!.data(),
    sums,
    bound.data.map((b, i) => (sizes.data[i] === 0 ? 0 : b)),
  );
}

/** {@link agreesWithTheOracle} where positions are added: their gradient is the sum over all axes before the last of the indices. */
async function agreesWithPositions({ indices, columns, rows, seed, family = ownFamily }: Case): Promise<void> {
  device.family = family;
  const weight = seededValues(seed, [rows, columns]);
  const length = indices.shape.at(-1)!;
  const gradient = seededValues(seed + 1, [...indices.shape, columns]);
  const [table, plus] = [upload(weight, "f32", true), upload(seededValues(seed + 2, [length, columns]), "f32", true)];
  embedding(upload(indices, "i32"), table, { plus }).backward({ gradient: upload(gradient) });
  const places = nd(
    indices.shape,
    indices.data.map((_, j) => j % length),
  );
  for (const [leaf, index, count] of [
    [table, indices, rows],
    [plus, places, length],
  ] as const) {
    // biome-ignore format: pairs
    const { sums, sizes, longest } = gradientOracle(index, gradient, count);
    expectClose(await leaf.grad!.data(), sums, roundingBound(longest, sizes));
  }
}

/** Indices of which a share is one and the same. */
function skewedIndices(seed: number, options: { shape: number[]; rows: number; hot: number }): Nd {
  const { shape, rows, hot } = options;
  const indices = seededIndices(seed, shape, rows);
  const coins = seededValues(seed + 7, shape, "uniform");
  return nd(
    shape,
    indices.data.map((v, i) => ((coins.data[i]! + 1) / 2 < hot ? rows >> 1 : v)),
  );
}

const cases = fc.record({
  shape: shape({ maxRank: 3, maxCount: 700 }),
  rows: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 600 }), fc.constantFrom(2046, 2047, 2048, 5000, 8192, 8193)),
  columns: fc.oneof(fc.constantFrom(1, 2, 3, 4, 5, 8, 12), fc.integer({ min: 1, max: 40 })),
  hot: fc.constantFrom(0, 0.2, 0.9, 1),
  seed: seed(),
  family: fc.constantFrom<KernelFamily>(...FAMILIES),
});

describe("embedding", () => {
  it("picks rows bit for bit and sums their gradients, at any size of table and any frequency of indices", async () => {
    const property = fc.asyncProperty(cases, async ({ shape, rows, columns, hot, seed, family }) => {
      await agreesWithTheOracle({ indices: skewedIndices(seed, { shape, rows, hot }), columns, rows, seed, family });
    });
    await fc.assert(property, runs(60));
  });

  it("sums the gradients of tokens and positions", async () => {
    const property = fc.asyncProperty(cases, async ({ shape, rows, columns, hot, seed, family }) => {
      if (shape.length > 0) await agreesWithPositions({ indices: skewedIndices(seed, { shape, rows, hot }), columns, rows, seed, family });
    });
    await fc.assert(property, runs(40));
  });

  it("agrees on both sides of the length from which on places are sorted, also if they are all one", async () => {
    for (const places of [4095, 4096, 4097])
      for (const hot of [0.1, 1]) {
        await agreesWithTheOracle({
          indices: skewedIndices(places, { shape: [places], rows: 77, hot }),
          columns: 8,
          rows: 77,
          seed: places,
        });
        const shape = places === 4096 ? [16, 256] : [1, places];
        await agreesWithPositions({ indices: skewedIndices(places, { shape, rows: 77, hot }), columns: 8, rows: 77, seed: places });
      }
  });

  it("finds the first and the last row of the table, and no other", async () => {
    const ends = nd([3, 4], [0, 8, 8, 0, 0, 0, 8, 0, 8, 0, 0, 8]);
    for (const family of FAMILIES)
      for (const columns of [1, 4, 40]) {
        await agreesWithTheOracle({ indices: ends, columns, rows: 9, seed: 1, family });
        await agreesWithPositions({ indices: ends, columns, rows: 9, seed: 1, family });
      }
  });

  it("has a gradient that is the adjoint of the picking", async () => {
    const property = fc.asyncProperty(cases, async ({ shape, rows, columns, hot, seed, family }) => {
      device.family = family;
      const indices = skewedIndices(seed, { shape, rows, hot });
      const direction = seededValues(seed + 1, [rows, columns]);
      const cotangent = seededValues(seed + 2, [...shape, columns]);
      const table = upload(seededValues(seed, [rows, columns]), "f32", true);
      embedding(upload(indices, "i32"), table).backward({ gradient: upload(cotangent) });
      const derivative = oracle.embedding(indices, direction); // picking is linear
      expectAdjoint({ derivative, cotangent, gradients: [{ data: await table.grad!.data() }], directions: [direction] });
    });
    await fc.assert(property, runs(20));
  });

  it("takes views: strided, expanded and shifted indices, tables and gradients", async () => {
    const layouts = fc
      .tuple(shape({ minRank: 1, maxRank: 3, maxCount: 90 }), fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }))
      .chain(([shape, rows, columns]) =>
        fc.record({
          rows: fc.constant(rows),
          indexView: view(shape),
          tableView: view([rows, columns]),
          gradientView: view([...shape, columns]),
          seed: seed(),
        }),
      );
    const on = (x: Nd, layout: View, dtype: DType = "f32"): Tensor => applyView(upload(x, dtype), layout);
    const property = fc.asyncProperty(layouts, async ({ rows, indexView, tableView, gradientView, seed }) => {
      const indexBase = seededIndices(seed, indexView.base, rows);
      const tableBase = seededValues(seed, tableView.base);
      const gradientBase = seededValues(seed + 1, gradientView.base);
      const table = on(tableBase, tableView).detach();
      table.requiresGrad = true;
      const out = embedding(on(indexBase, indexView, "i32"), table);
      out.backward({ gradient: on(gradientBase, gradientView) });
      const indices = viewed(indexBase, indexView);
      expectClose(await out.data(), oracle.embedding(indices, viewed(tableBase, tableView)), 0);
      const { sums, sizes, longest } = gradientOracle(indices, viewed(gradientBase, gradientView), rows);
      expectClose(await table.grad!.data(), sums, roundingBound(longest, sizes));
    });
    await fc.assert(property, runs(30));
  });

  it("takes u32 indices too", async () => {
    const table = tensor([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    const out = embedding(tensor(new Uint32Array([2, 0])), table);
    expect(await out.array()).toEqual([
      [5, 6],
      [1, 2],
    ]);
  });

  it("sums a batch of which a fifth is one token", async () => {
    const indices = skewedIndices(3, { shape: [32, 1000], rows: 455, hot: 0.2 });
    await agreesWithTheOracle({ indices, columns: 64, rows: 455, seed: 3 });
  });

  it("sums by a radix sort where the table is large", async () => {
    const indices = skewedIndices(5, { shape: [30_000], rows: 100_000, hot: 0.3 });
    await agreesWithTheOracle({ indices, columns: 4, rows: 100_000, seed: 5 });
  });

  it("goes beyond 65,535 workgroups", async () => {
    const indices = skewedIndices(6, { shape: [1_400_001], rows: 5, hot: 0.5 });
    await agreesWithTheOracle({ indices, columns: 3, rows: 5, seed: 6 });
  });

  it("gives NaN for an index outside of the table, whose gradient goes nowhere", async () => {
    for (const [columns, family] of [3, 4].flatMap((n) => FAMILIES.map((f) => [n, f] as const))) {
      device.family = family;
      const table = upload(seededValues(1, [3, columns]), "f32", true);
      const out = embedding(tensor(new Int32Array([-1, 2, 3, 2_000_000_000])), table);
      out.backward({ gradient: upload(nd([4, columns], new Float64Array(4 * columns).fill(1))) });
      const values = await out.data();
      const row = await table.slice([[2, 3]]).data();
      const nan = new Array<number>(columns).fill(Number.NaN);
      expect([...values]).toEqual([...nan, ...row, ...nan, ...nan]);
      expect([...(await table.grad!.data())]).toEqual([...new Array<number>(2 * columns).fill(0), ...new Array<number>(columns).fill(1)]);
    }
  });

  it("gives empty results for no indices and no columns, and a gradient of zeros", async () => {
    const table = upload(seededValues(1, [3, 4]), "f32", true);
    const out = embedding(tensor(new Int32Array(0), { shape: [2, 0] }), table);
    expect(out.shape).toEqual([2, 0, 4]);
    out.backward({ gradient: upload(nd([2, 0, 4])) });
    expect([...(await table.grad!.data())]).toEqual(new Array<number>(12).fill(0));
    expect(embedding(tensor(new Int32Array([1])), tensor(new Float32Array(0), { shape: [3, 0] })).shape).toEqual([1, 0]);
  });

  it.each(FAMILIES)("gives the same bits again (%s)", async (family) => {
    device.family = family;
    const gradients = async (): Promise<Uint32Array> => {
      const table = upload(seededValues(1, [97, 5]), "f32", true);
      const indices = skewedIndices(2, { shape: [3001], rows: 97, hot: 0.4 });
      embedding(upload(indices, "i32"), table).backward({ gradient: upload(seededValues(3, [3001, 5])) });
      return new Uint32Array((await table.grad!.data()).buffer);
    };
    expect(await gradients()).toEqual(await gradients());
  });

  it("takes one dispatch, and for the gradient one as well, or five where places are sorted and the table is below 2048 rows", () => {
    const table = upload(seededValues(1, [2047, 8]), "f32", true);
    const plus = upload(seededValues(4, [500, 8]), "f32", true);
    const count = (body: () => void): number => {
      const before = device.stats().dispatches;
      body();
      return device.stats().dispatches - before;
    };
    const backward = (places: number, options: { plus?: Tensor } = {}): number => {
      const indices = upload(seededIndices(2, [places / 500, 500], 2047), "i32");
      const gradient = upload(seededValues(3, [places / 500, 500, 8]));
      let out = table;
      expect(count(() => (out = embedding(indices, table, options)))).toBe(1);
      return count(() => {
        out.backward({ gradient });
        table.grad = plus.grad = null;
      });
    };
    device.family = "portable";
    expect([backward(500), backward(500, { plus }), backward(4000, { plus })]).toEqual([1, 1, 1]);
    expect([backward(4500), backward(4500, { plus })]).toEqual([5, 6]);
    device.family = "tile";
    expect([backward(500), backward(4000, { plus })]).toEqual([5, 6]);
  });

  it.each(FAMILIES)("can be captured (%s): new indices need no new plan, and no memory is read before it is written", async (family) => {
    device.family = family;
    const weight = seededValues(1, [40, 6]);
    const table = upload(weight, "f32", true);
    const step = capture(
      (indices: Tensor, gradient: Tensor) => {
        table.grad = null;
        const out = embedding(indices, table);
        out.backward({ gradient });
        return { out, grad: table.grad! };
      },
      { poison: true },
    );
    for (let run = 0; run < 5; run++) {
      const indices = skewedIndices(run, { shape: [7, 30], rows: 40, hot: run / 5 });
      const gradient = seededValues(run + 9, [7, 30, 6]);
      const { out, grad } = await step(upload(indices, "i32"), upload(gradient));
      expectClose(await out.data(), oracle.embedding(indices, weight), 0);
      const { sums, sizes, longest } = gradientOracle(indices, gradient, 40);
      expectClose(await grad.data(), sums, roundingBound(longest, sizes));
    }
  });

  it("refuses indices that are no integers and tables that are no matrices", () => {
    const table = upload(seededValues(1, [3, 4]));
    expect(() => embedding(tensor([1, 2]), table)).toThrow(DTypeError);
    expect(() => embedding(tensor(new Int32Array([1])), table.reshape([3, 2, 2]))).toThrow(ShapeError);
  });
});

describe("The properties notice a broken kernel", () => {
  const skewed: Case = { indices: skewedIndices(4, { shape: [3, 500], rows: 30, hot: 0.5 }), rows: 30, columns: 4, seed: 4 };
  const walked: Case = {
    indices: skewedIndices(4, { shape: [3, 500], rows: 2000, hot: 0.5 }),
    rows: 2000,
    columns: 8,
    seed: 4,
    family: "portable",
  };
  const large: Case = {
    indices: skewedIndices(4, { shape: [900], rows: 5000, hot: 0.5 }),
    rows: 5000,
    columns: 4,
    seed: 4,
    family: "tile",
  };

  it.each([
    ["embedding", "row % params.n", "(row + 1u) % params.n"],
    ["counting_sort", "table[base + c * params.bins] = before", "table[base + c * params.bins] = here"],
    ["counting_sort", "before += partial[p * BINS + id.x]", "before += 0u"],
    ["counting_sort", "first_of[digit] + rank", "first_of[digit]"],
    ["segments", "select(1u, 0u, begin < first)", "0u"],
    ["segments", "place + 4u <= stop", "place + 4u <= stop + 1u"],
    ["segments", "var t = first + 1u", "var t = first + 2u"],
  ] as const)("%s with '%s' as '%s'", async (shader, find, replace) => {
    await withMutation(shader, [find, replace], () => expect(agreesWithTheOracle({ ...skewed, family: "tile" })).rejects.toThrow());
  });

  it.each([
    ["segments", "j += params.period", "j += params.period + 1u"],
    ["segments", "out4[at] += value", "out4[at] = value"],
    ["segments", "write_out(out + v * params.columns, vec4f(0.0))", "write_out(out + v * params.columns, vec4f(1e-30))"],
    ["segments", "if (v < params.vocab) {", "if (v + 1u < params.vocab) {"],
    ["segments", "let source = column_place(params.n, column)", "let source = 0u"],
  ] as const)("%s with '%s' as '%s', where places are walked through", async (shader, find, replace) => {
    await agreesWithTheOracle(walked);
    await agreesWithPositions(walked);
    await withMutation(shader, [find, replace], () => expect(agreesWithTheOracle(walked)).rejects.toThrow());
  });

  it.each([
    ["segments", "sum += row;", "sum = row;"],
    ["segments", "write_periodic(column + t * params.columns, sum)", "write_periodic(column + t, sum)"],
    ["segments", "out4[at] += value", "out4[at] = value"],
  ] as const)("%s with '%s' as '%s', where positions were added", async (shader, find, replace) => {
    await withMutation(shader, [find, replace], () => expect(agreesWithPositions(walked)).rejects.toThrow());
  });

  it.each([
    ["segments", "low = middle + 1u", "low = middle + 2u"],
    ["segments", "write_sum(v, column, vec4f(0.0))", "write_sum(v, column, vec4f(1e-30))"],
    ["counting_sort", "return order[row * params.n + i]", "return i"],
  ] as const)("%s with '%s' as '%s', where the table is large", async (shader, find, replace) => {
    await agreesWithTheOracle(large);
    await withMutation(shader, [find, replace], () => expect(agreesWithTheOracle(large)).rejects.toThrow());
  });

  it("adds positions to rows in one kernel, to the bits of an addition, and hands the gradient to both", () =>
    fc.assert(
      fc.asyncProperty(
        fc.record({
          batch: fc.integer({ min: 1, max: 3 }),
          length: fc.integer({ min: 1, max: 9 }),
          columns: fc.constantFrom(1, 3, 4, 8, 20),
          fit: fc.constantFrom("rows", "one row", "everything", "a column", "a view"),
          seed: seed(),
        }),
        async ({ batch, length, columns, fit, seed }) => {
          const shapes = {
            rows: [1, length, columns],
            "one row": [columns],
            everything: [batch, length, columns],
            "a column": [length, 1],
          };
          const values = seededValues(seed, fit === "a view" ? [length + 3, columns] : shapes[fit]);
          const leaves = [upload(seededValues(seed + 1, [7, columns]), "f32", true), upload(values, "f32", true)] as const;
          const indices = upload(seededIndices(seed + 2, [batch, length], 7), "i32");
          const positions = (leaf: Tensor): Tensor => (fit === "a view" ? leaf.slice([[2, length + 2]]).unsqueeze(0) : leaf);
          const cotangent = upload(seededValues(seed + 3, [batch, length, columns]));
          const both = async (sum: (weight: Tensor, plus: Tensor) => Tensor): Promise<unknown> => {
            for (const leaf of leaves) leaf.grad = null;
            const y = sum(leaves[0], positions(leaves[1]));
            y.backward({ gradient: cotangent });
            return Promise.all([y, ...leaves.map((leaf) => leaf.grad!)].map((t) => t.data()));
          };
          const one = await both((weight, plus) => embedding(indices, weight, { plus }));
          expect(one).toEqual(await both((weight, plus) => embedding(indices, weight).add(plus)));
        },
      ),
      runs(40),
    ));

  it("takes one launch for positions, and refuses what does not fit", () => {
    const [indices, weight] = [upload(nd([2, 3], [0, 1, 2, 3, 4, 5]), "i32"), upload(seededValues(1, [7, 8]))];
    const before = device.stats().dispatches;
    embedding(indices, weight, { plus: upload(seededValues(2, [3, 8])) });
    expect(device.stats().dispatches - before).toBe(1);
    const misfit = upload(seededValues(2, [2, 2, 3, 8]));
    expect(() => embedding(indices, weight, { plus: misfit })).toThrow("expected plus to fit [2, 3, 8] but found [2, 2, 3, 8]");
  });

  it("is caught with the position of another row", async () => {
    const [indices, weight, plus] = [
      upload(nd([2, 3], [0, 1, 2, 3, 4, 5]), "i32"),
      upload(seededValues(1, [7, 8])),
      upload(seededValues(2, [3, 8])),
    ];
    const expected = await embedding(indices, weight).add(plus).data();
    await withMutation("embedding", ["row % params.period", "row / params.period"], async () => {
      expect(await embedding(indices, weight, { plus }).data()).not.toEqual(expected);
    });
  });
});
