import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { tensor } from "../create.ts";
import { withMutation } from "../device/kernel.ts";
import { openDevice } from "../device/open.ts";
import { ShapeError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
import { applyView, expectClose, type Nd, oracle, runs, seed, seededValues, shape, type View, view, viewed } from "../testing/mod.ts";
import { tril, triu } from "./triangle.ts";

beforeAll(async () => {
  await openDevice();
});

const upload = (x: Nd, requiresGrad = false): Tensor => tensor(Float32Array.from(x.data), { shape: x.shape, requiresGrad });

interface Input {
  readonly layout: View;
  readonly diagonal: number;
  readonly seed: number;
}

/** Values and gradients of both triangles, bit for bit. */
async function agrees({ layout, diagonal, seed }: Input): Promise<void> {
  const base = seededValues(seed, layout.base);
  const x = viewed(base, layout);
  const triangles = [
    { triangle: tril, exact: oracle.tril },
    { triangle: triu, exact: oracle.triu },
  ];
  for (const { triangle, exact } of triangles) {
    expectClose(await triangle(applyView(upload(base), layout), { diagonal }).data(), exact(x, { diagonal }), 0);
    const leaf = upload(x, true);
    const gradient = seededValues(seed + 1, x.shape);
    triangle(leaf, { diagonal }).backward({ gradient: upload(gradient) });
    expectClose(await leaf.grad!.data(), exact(gradient, { diagonal }), 0);
  }
}

describe("tril() and triu()", () => {
  it("keep their triangle of every matrix in any layout, gradients too", async () => {
    const inputs = shape({ minRank: 2, maxCount: 300 }).chain((shape) =>
      fc.record({ layout: view(shape), diagonal: fc.integer({ min: -5, max: 5 }), seed: seed() }),
    );
    await fc.assert(fc.asyncProperty(inputs, agrees), runs(25));
  });

  it("are noticed when they are off by one", async () => {
    await withMutation("triangle", ["params.diagonal) <= 0", "params.diagonal) < 0"], () =>
      expect(agrees({ layout: { shape: [3, 3], base: [3, 3], steps: [] }, diagonal: 0, seed: 1 })).rejects.toThrow("Expected"),
    );
  });

  it("keep the main diagonal, the dtype, and nothing of what is cut, NaN included", async () => {
    const x = tensor([
      [1, NaN],
      [3, 4],
    ]);
    expect(await x.tril().array()).toEqual([
      [1, 0],
      [3, 4],
    ]);
    expect(
      (await tensor([[true, true]])
        .triu({ diagonal: 1 })
        .array()) as unknown,
    ).toEqual([[0, 1]]);
  });

  it("reach every matrix of more than 65,535 workgroups", async () => {
    const rows = 65_536 * 32 + 1;
    const actual = await tensor(new Float32Array(rows * 2).fill(1), { shape: [rows, 1, 2] })
      .tril()
      .data();
    expect(actual.findIndex((v, i) => v !== (i + 1) % 2)).toBe(-1);
  });

  it("refuse vectors and broken diagonals", () => {
    expect(() => tensor([1, 2]).tril()).toThrow("tril: expected at least two axes but found [2]");
    expect(() => tensor([[1]]).triu({ diagonal: 0.5 })).toThrow(ShapeError);
  });
});
