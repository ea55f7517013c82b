import { StrokeTokenizer } from "@cursive/cursive-model";
import { describe, expect, it } from "vitest";
import { boxOf } from "./train_ink.ts";

const tokenizer = new StrokeTokenizer({ bins: "polar-73" });
const segmentsTo = (right: number) => tokenizer.segments(tokenizer.encodeStrokes([[0, 0, 1], [right, 0, 1], [right, 0, 0]])); // biome-ignore format: points

describe("boxOf()", () => {
  it("puts narrow ink into the middle of the paper, and has as much paper as wide ink takes", () => {
    const [left, top, right, bottom] = boxOf(segmentsTo(0.1));
    expect(right - left).toBeCloseTo(0.56, 6);
    expect((left + right) / 2).toBeCloseTo(0.05, 2);
    expect([top, bottom]).toEqual([expect.closeTo(-0.3, 6), expect.closeTo(0.13, 6)]);
    const wide = segmentsTo(0.7);
    const box = boxOf(wide);
    expect(box[0]).toBeCloseTo(-0.03, 6);
    expect(box[2]).toBeCloseTo(Math.max(...wide.map(({ to }) => to[0])) + 0.03, 6);
  });

  it("has paper where nothing is drawn", () => {
    const [left, top, right, bottom] = boxOf([]);
    expect(right).toBeGreaterThan(left);
    expect(bottom).toBeGreaterThan(top);
  });
});
