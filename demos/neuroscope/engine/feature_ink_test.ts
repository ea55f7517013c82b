import { inkDifference, StrokeTokenizer } from "@cursive/cursive-model";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { drawnInk, handInk, type PaperPoint, strokesOf } from "./feature_ink.ts";

const coarse = new StrokeTokenizer({ bins: "polar-73", decode: "centre" });
const fine = new StrokeTokenizer({ bins: "polar-151" });

describe("handInk", () => {
  it("is the same for a seed, and as much as the model was trained on: some 20 tokens a letter, or more in finer bins", () => {
    const tokens = handInk("minute", { tokenizer: coarse, seed: 1 });
    expect(handInk("minute", { tokenizer: coarse, seed: 1 })).toEqual(tokens);
    expect(handInk("minute", { tokenizer: coarse, seed: 2 })).not.toEqual(tokens);
    expect(tokens.length / 6).toBeGreaterThan(12);
    expect(tokens.length / 6).toBeLessThan(28);
    expect(handInk("minute", { tokenizer: fine, seed: 1 }).length).toBeGreaterThan(1.3 * tokens.length);
  });
});

describe("drawnInk", () => {
  it("keeps strokes apart, and where they are", () => {
    const bar: PaperPoint[] = Array.from({ length: 30 }, (_, i) => [0.4 + i / 100, 0.2]);
    const post: PaperPoint[] = Array.from({ length: 20 }, (_, i) => [0.5, 0.1 + i / 100]);
    const segments = coarse.segments(drawnInk([bar, post], { tokenizer: coarse }));
    const drawn = segments.filter((segment) => segment.drawn);
    expect(segments.every(({ malformed }) => !malformed)).toBe(true);
    expect(drawn.length).toBeGreaterThanOrEqual(2);
    const line = drawn[0]!;
    expect(line.from[1]).toBe(0);
    expect(Math.abs(line.to[0] - 0.29)).toBeLessThan(0.03);
    const down = drawn.at(-1)!;
    expect(Math.abs(down.from[0] - 0.1)).toBeLessThan(0.05);
    expect(down.to[1]).toBeGreaterThan(0.05);
  });

  it("is the same ink however often the pointer reports", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 3, max: 9 }),
        fc.integer({ min: 2, max: 12 }),
        fc.double({ min: 1, max: 3, noNaN: true }),
        (corners, more, turn) => {
          const line: PaperPoint[] = Array.from({ length: corners }, (_, i) => [0.06 * i, 0.05 * Math.sin(turn * i)]);
          const often = line.flatMap((to, i): PaperPoint[] => {
            const from = line[i - 1];
            if (!from) return [to];
            return Array.from({ length: more }, (_, k) => [
              from[0] + ((k + 1) / more) * (to[0] - from[0]),
              from[1] + ((k + 1) / more) * (to[1] - from[1]),
            ]);
          });
          const written = (tokens: number[]) => ({ tokens, segments: coarse.segments(tokens) });
          const [few, many] = [line, often].map((stroke) => written(drawnInk([stroke], { tokenizer: coarse }))) as [
            ReturnType<typeof written>,
            ReturnType<typeof written>,
          ];
          // The bins are 5° and 11 % wide, and cutting a corner elsewhere may choose a neighbour of each.
          expect(inkDifference(few, many).distance).toBeLessThan(0.03);
        },
      ),
      { numRuns: 50 },
    );
  });

  it("is nothing where nothing was drawn, and a dot where the pen was only set down", () => {
    expect(drawnInk([], { tokenizer: coarse })).toEqual([]);
    expect(drawnInk([[]], { tokenizer: coarse })).toEqual([]);
    const [down, up] = coarse.segments(drawnInk([[[0.2, 0.1]]], { tokenizer: coarse }));
    expect([down!.pen, up!.pen]).toEqual([1, 0]);
  });
});

describe("strokesOf", () => {
  it("gives drawn strokes back, a dot too, as nearly as tokens hold them", () => {
    const post: PaperPoint[] = Array.from({ length: 12 }, (_, i) => [0.1, -0.12 + i / 100]);
    const dot: PaperPoint[] = [[0.1, -0.17]];
    const tokens = drawnInk([post, dot], { tokenizer: fine });
    const [line, point, ...none] = strokesOf(tokens, { tokenizer: fine });
    expect(none).toEqual([]);
    for (const [x, y] of point!) expect(Math.hypot(x - point![0]![0], y - point![0]![1])).toBeLessThan(0.01);
    expect(Math.max(...line!.map(([, y]) => y))).toBe(0);
    expect(point![0]![1]).toBeCloseTo(-0.16, 1);
    expect(strokesOf([], { tokenizer: fine })).toEqual([]);
    // Drawn on from there, it is the same ink.
    expect(drawnInk(strokesOf(tokens, { tokenizer: fine }), { tokenizer: fine }).length).toBeGreaterThanOrEqual(tokens.length / 2);
  });
});
