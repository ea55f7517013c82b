import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { kernel, withMutation } from "../device/kernel.ts";
import {
  applyView,
  broadcastPair,
  dimension,
  permutation,
  runs,
  seed,
  seededIndices,
  seededValues,
  shape,
  tallShape,
  type Viewable,
  valueKind,
  view,
  viewed,
} from "./arbitrary.ts";
import { broadcastShape, countOf, type Nd } from "./nd.ts";
import { expand, permute, slice } from "./oracle/shape.ts";

describe("dimension(), shape() and tallShape()", () => {
  it("stay within their limits", () => {
    fc.assert(
      fc.property(dimension({ max: 33 }), shape({ minRank: 1, maxRank: 3, maxCount: 100 }), tallShape(), (n, shape, tall) => {
        expect(n).toBeGreaterThanOrEqual(1);
        expect(n).toBeLessThanOrEqual(33);
        expect(shape.length).toBeGreaterThanOrEqual(1);
        expect(shape.length).toBeLessThanOrEqual(3);
        expect(countOf(shape)).toBeLessThanOrEqual(100);
        expect(tall[0]).toBeGreaterThanOrEqual(65_535);
      }),
    );
  });

  it("draw the neighbours of every tile", () => {
    const drawn = new Set(fc.sample(dimension(), { numRuns: 2000, seed: 1 }));
    for (const tile of [4, 8, 16, 32, 64, 128, 256]) {
      expect([tile - 1, tile, tile + 1].filter((n) => drawn.has(n))).toHaveLength(3);
    }
  });
});

describe("broadcastPair()", () => {
  it("draws shapes that broadcast to the result", () => {
    fc.assert(
      fc.property(broadcastPair(), ({ left, right, result }) => {
        expect(broadcastShape(left, right, result)).toEqual(result);
      }),
    );
  });

  it("draws every sort of pair: equal, stretched on either side and on both, of another rank", () => {
    const pairs = fc.sample(broadcastPair(), { numRuns: 500, seed: 1 });
    const narrower = (a: number[], b: number[]) => countOf(a) < countOf(b);
    expect(pairs.some(({ left, right }) => left.length > 1 && left.join() === right.join())).toBe(true);
    expect(pairs.some(({ left, right }) => narrower(left, right))).toBe(true);
    expect(pairs.some(({ left, right }) => narrower(right, left))).toBe(true);
    expect(pairs.some(({ left, right, result }) => narrower(left, result) && narrower(right, result))).toBe(true);
    expect(pairs.some(({ left, right }) => left.length !== right.length)).toBe(true);
  });
});

describe("view()", () => {
  /** An array with the methods that the engine's tensors have. */
  class Box implements Viewable<Box> {
    readonly value: Nd;
    constructor(value: Nd) {
      this.value = value;
    }
    permute(axes: number[]): Box {
      return new Box(permute(this.value, axes));
    }
    slice(slices: Parameters<typeof slice>[1]): Box {
      return new Box(slice(this.value, slices));
    }
    expand(shape: number[]): Box {
      return new Box(expand(this.value, shape));
    }
  }

  const views = shape({ maxCount: 200 }).chain((shape) => view(shape));

  it("describes how to come from the base to the shape", () => {
    fc.assert(
      fc.property(views, seed(), (drawn, seed) => {
        const base = seededValues(seed, drawn.base);
        expect(viewed(base, drawn).shape).toEqual(drawn.shape);
        expect(applyView(new Box(base), drawn).value).toEqual(viewed(base, drawn));
      }),
    );
  });

  it("draws every layout, and shrinks to the dense one", () => {
    const layouts = new Set(fc.sample(views, { numRuns: 500, seed: 1 }).map(({ steps }) => steps.flatMap(Object.keys).join()));
    for (const layout of ["", "permute", "slice", "expand", "slice,permute", "expand,slice"]) expect(layouts).toContain(layout);
    const failure = fc.check(
      fc.property(views, ({ shape }) => shape.length === 0),
      { seed: 1 },
    );
    expect(failure.counterexample).toEqual([{ shape: [1], base: [1], steps: [] }]);
  });
});

describe("permutation()", () => {
  it("draws every order", () => {
    expect(new Set(fc.sample(permutation(3), { numRuns: 200, seed: 1 }).map(String)).size).toBe(6);
  });
});

describe("seededValues() and seededIndices()", () => {
  const kinds = valueKind("normal", "uniform", "positive", "integers", "adversarial");

  it("give the same numbers for the same seed, each one that f32 holds exactly", () => {
    fc.assert(
      fc.property(shape(), seed(), kinds, (shape, seed, kind) => {
        const values = seededValues(seed, shape, kind);
        expect(values).toEqual(seededValues(seed, shape, kind));
        expect(values.data.find((value) => !Object.is(Math.fround(value), value))).toBeUndefined();
      }),
    );
  });

  it("keep to the kind's range", () => {
    const extremes = (kind: Parameters<typeof seededValues>[2]) => {
      const { data } = seededValues(1, [10_000], kind);
      return [Math.min(...data), Math.max(...data)];
    };
    expect(extremes("uniform")).toEqual([expect.closeTo(-1, 2), expect.closeTo(1, 2)]);
    expect(extremes("positive")).toEqual([expect.closeTo(1 / 16, 3), expect.closeTo(16, 1)]);
    expect(extremes("integers")).toEqual([-8, 8]);
    expect(new Set(seededIndices(1, [100], 5).data)).toEqual(new Set([0, 1, 2, 3, 4]));
  });

  it("make nasty rows of every sort", () => {
    const { data } = seededValues(3, [200, 8], "adversarial");
    const rows = Array.from({ length: 200 }, (_, r) => [...data.subarray(8 * r, 8 * r + 8)]);
    expect(data.some((v) => Object.is(v, -0))).toBe(true);
    expect(rows.some((row) => row.every((v) => v === row[0]))).toBe(true);
    expect(rows.some((row) => row.every((v) => v <= -1e30))).toBe(true);
    expect(rows.some((row) => row.some((v) => Math.abs(v) > 1e29) && row.some((v) => Math.abs(v) < 1e-29))).toBe(true);
    expect(rows.some((row) => row.filter((v) => v === 0).length === 7 && row.includes(1e4))).toBe(true);
  });
});

describe("runs()", () => {
  afterEach(() => vi.unstubAllEnvs());

  it("takes the number given, or what the environment says", () => {
    for (const name of ["FC_RUNS", "FC_RUNS_SHARE", "FC_SEED", "FC_PATH"]) vi.stubEnv(name, undefined);
    expect(runs(7)).toEqual({ numRuns: 7 });
    vi.stubEnv("FC_RUNS_SHARE", "0.2");
    expect(runs(7)).toEqual({ numRuns: 2 });
    vi.stubEnv("FC_RUNS", "500");
    vi.stubEnv("FC_SEED", "-12");
    vi.stubEnv("FC_PATH", "3:0");
    expect(runs(7)).toEqual({ numRuns: 500, seed: -12, path: "3:0" });
  });

  it("spares no run where a kernel is broken on purpose", async () => {
    vi.stubEnv("FC_RUNS_SHARE", "0.2");
    vi.stubEnv("FC_RUNS", undefined);
    const body = async (): Promise<void> => {
      expect(runs(7).numRuns).toBe(7);
      kernel("where", "vectors");
    };
    await withMutation("where", [/^/, "// broken\n"], body);
    expect(runs(7).numRuns).toBe(2);
  });

  it("replays the case that a failure names", () => {
    const property = fc.property(seed(), (n) => n < 1000);
    const failure = fc.check(property, { seed: 5 });
    vi.stubEnv("FC_SEED", `${failure.seed}`);
    vi.stubEnv("FC_PATH", failure.counterexamplePath!);
    expect(fc.check(property, { ...runs(100), endOnFailure: true }).counterexample).toEqual(failure.counterexample);
  });
});
