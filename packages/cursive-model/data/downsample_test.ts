import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { arbitraryInk, inkOf } from "../testing/ink.ts";
import { downsample, simplify } from "./downsample.ts";
import { type Point, visibleStrokes } from "./word.ts";

const penUp = (ink: readonly Point[]) => ink.filter(([, , pen]) => pen === 0);

describe("downsample", () => {
  it("keeps floor(n (1 - fraction)) points of a stroke at even places, rounded down", () => {
    // of ten points four, at 0, 3, 6 and 9; of seven two, at 0 and 6
    expect(downsample(inkOf("0,0 1,0 2,0 3,0 4,0 5,0 6,0 7,0 8,0 9,0 9,0/"), 0.6)).toEqual(inkOf("0,0 3,0 6,0 9,0 9,0/"));
    expect(downsample(inkOf("0,0 1,0 2,0 3,0 4,0 5,0 6,0"), 0.6)).toEqual(inkOf("0,0 6,0"));
    expect(downsample(inkOf("0,0 1,0 2,0 3,0 4,0 5,0"), 0.4)).toEqual(inkOf("0,0 2,0 5,0")); // at 0, 2.5 and 5
  });

  it("writes a stroke of one point twice, as the original does", () => {
    expect(downsample(inkOf("0,0 0,0/ 1,0 1,0/"), 0.6)).toEqual(inkOf("0,0 0,0 0,0/ 1,0 1,0 1,0/"));
  });

  it("keeps all pen-up points, both ends of each stroke, and as many points as it should", () => {
    fc.assert(
      fc.property(arbitraryInk, fc.integer({ min: 0, max: 100 }), (ink, percent) => {
        const fraction = percent / 100;
        const thin = downsample(ink, fraction);
        expect(penUp(thin)).toEqual(penUp(ink));
        const strokes = visibleStrokes(ink);
        for (const [i, stroke] of visibleStrokes(thin).entries()) {
          const whole = strokes[i]!;
          expect([stroke[0], stroke.at(-1)]).toEqual([whole[0], whole.at(-1)]);
          expect(stroke).toHaveLength(Math.max(2, Math.floor(whole.length * (1 - fraction))));
        }
      }),
    );
  });

  it("refuses a fraction out of range", () => {
    for (const fraction of [-0.1, 1.1, Number.NaN])
      expect(() => downsample([], fraction)).toThrow(`Expected a fraction from 0 to 1 but found ${fraction}`);
  });
});

describe("simplify", () => {
  it("keeps the corners of a line and drops what lies on it", () => {
    expect(simplify(inkOf("0,0 1,0 2,0 2,1 2,2 2,2/ 5,5 5,5/"), 0.01)).toEqual(inkOf("0,0 2,0 2,2 2,2/ 5,5 5,5/"));
  });

  it("finds the turning point of a stroke that goes back over itself", () => {
    expect(simplify(inkOf("0,0 1,0 2,0 1,0 0,0"), 0.01)).toEqual(inkOf("0,0 2,0 0,0"));
  });

  it("keeps pen-up points and stroke ends, and moves no point by more than the tolerance", () => {
    fc.assert(
      fc.property(arbitraryInk, fc.integer({ min: 0, max: 2000 }), (ink, thousandths) => {
        const tolerance = thousandths / 1000;
        const thin = simplify(ink, tolerance);
        expect(penUp(thin)).toEqual(penUp(ink));
        const strokes = visibleStrokes(ink);
        for (const [i, stroke] of visibleStrokes(thin).entries()) {
          const whole = strokes[i]!;
          expect([stroke[0], stroke.at(-1)]).toEqual([whole[0], whole.at(-1)]);
          expect(Math.max(...whole.map((point) => distanceToLine(point, stroke)))).toBeLessThanOrEqual(tolerance + 1e-12);
        }
      }),
    );
  });

  it("keeps ever fewer points as the tolerance grows, down to two a stroke", () => {
    const wave = Array.from({ length: 200 }, (_, i): Point => [i / 100, 0.1 * Math.sin(i / 10), 1]);
    const counts = [0, 0.001, 0.003, 0.01, 0.03, 0.3].map((tolerance) => simplify(wave, tolerance).length);
    expect(counts).toEqual([...counts].sort((a, b) => b - a));
    expect([counts[0], counts.at(-1)]).toEqual([200, 2]);
  });

  it("refuses a negative tolerance", () => {
    expect(() => simplify([], -1)).toThrow("Expected a tolerance of at least 0 but found -1");
  });
});

function distanceToLine([x, y]: readonly [number, number], line: readonly (readonly [number, number])[]): number {
  let least = Math.hypot(x - line[0]![0], y - line[0]![1]);
  for (const [i, [bx, by]] of line.entries()) {
    const [ax, ay] = line[Math.max(0, i - 1)]!;
    const squared = (bx - ax) ** 2 + (by - ay) ** 2;
    const along = squared > 0 ? Math.min(1, Math.max(0, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / squared)) : 0;
    least = Math.min(least, Math.hypot(x - ax - along * (bx - ax), y - ay - along * (by - ay)));
  }
  return least;
}
