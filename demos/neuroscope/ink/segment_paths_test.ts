import { StrokeTokenizer, writeCursive } from "@cursive/cursive-model";
import { createRng } from "@cursive/tensor";
import { describe, expect, it } from "vitest";
import { segmentPaths } from "./segment_paths.ts";

const tokenizer = new StrokeTokenizer({ bins: "polar-73" });
const ink = (text: string, seed = 1) =>
  tokenizer.segments(tokenizer.encodeStrokes(writeCursive(text, { rng: createRng(seed, "paths") }).points));
/** The last place that a path names. */
const end = (d: string): number[] =>
  d
    .split(/[A-Z ]/)
    .slice(-2)
    .map(Number);

describe("segmentPaths()", () => {
  it("has a path for each movement that ends where the movement ends, smooth or not", () => {
    const segments = ink("minute");
    for (const smooth of [true, false]) {
      const paths = segmentPaths(segments, { smooth, unit: 1000 });
      expect(paths).toHaveLength(segments.length);
      for (const [i, { d }] of paths.entries()) {
        expect(end(d)[0]).toBeCloseTo(1000 * segments[i]!.to[0], 0);
        expect(end(d)[1]).toBeCloseTo(1000 * segments[i]!.to[1], 0);
        expect(d.includes("C")).toBe(smooth && segments[i]!.drawn);
      }
    }
  });

  it("finds the dots of i and j, however the pen made them, and no others", () => {
    for (let seed = 0; seed < 20; seed++) {
      const dots = segmentPaths(ink("jib", seed), { smooth: true, unit: 1000 }).filter(({ dot }) => dot !== null);
      expect(dots).toHaveLength(2);
    }
    const touch = tokenizer.encodeStrokes([[0, 0, 1], [0.1, 0, 1], [0.1, 0, 0], [0.2, -0.2, 1], [0.2, -0.2, 0]]); // biome-ignore format: points
    const found = segmentPaths(tokenizer.segments(touch), { smooth: true, unit: 10 }).flatMap(({ dot }) => dot ?? []);
    expect(found).toHaveLength(1);
    expect(end(found[0]!)).toEqual([expect.closeTo(2, 0), expect.closeTo(-2, 0)]);
  });
});
