import { createRng, type Rng } from "@cursive/tensor";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { arbitraryInk, inkOf } from "../testing/ink.ts";
import { type AugmentationRanges, augment, coarseAugmentation, defaultAugmentation, drawAugmentation } from "./augment.ts";
import { downsample, simplify } from "./downsample.ts";
import type { Point } from "./word.ts";

const close = (found: number[][], wanted: number[][]) => {
  expect(found).toHaveLength(wanted.length);
  const flat = wanted.flat();
  expect(Math.max(...found.flat().map((value, i) => Math.abs(value - flat[i]!)))).toBeLessThan(1e-12);
};

describe("augment", () => {
  it("shears, then scales, then turns, computed by hand", () => {
    // (1, 2) sheared by 0.5 is (2, 2), scaled (4, 6), turned by 90° (-6, 4)
    close(augment([[1, 2, 1]], { shear: 0.5, scaleX: 2, scaleY: 3, rotation: 90 }), [[-6, 4, 1]]);
  });

  it("changes nothing without draws", () => {
    fc.assert(
      fc.property(arbitraryInk, (ink) => {
        expect(augment(ink, {})).toEqual(ink);
      }),
    );
  });

  it("moves first and thins last", () => {
    fc.assert(
      fc.property(arbitraryInk, fc.nat(1000), (ink, seed) => {
        const rng = createRng(seed);
        const draws = { shear: rng.uniform(-1, 1), scaleX: 1.1, scaleY: 0.9, rotation: rng.uniform(-30, 30) };
        const moved = augment(ink, draws);
        close(augment(ink, { ...draws, downsample: 0.6 }), downsample(moved, 0.6));
        close(augment(ink, { ...draws, simplify: 0.5 }), simplify(moved, 0.5));
      }),
    );
  });

  it("keeps straight lines straight and pens as they are", () => {
    fc.assert(
      fc.property(fc.nat(1000), (seed) => {
        const { downsample: _, ...draws } = drawAugmentation(createRng(seed), defaultAugmentation);
        const [[ax, ay], [bx, by], [cx, cy, pen]] = augment(inkOf("0.3,-0.2 0.5,0.1 0.7,0.4/"), draws) as [Point, Point, Point];
        expect([(ax + cx) / 2, (ay + cy) / 2, pen]).toEqual([expect.closeTo(bx, 12), expect.closeTo(by, 12), 0]);
      }),
    );
  });
});

describe("drawAugmentation", () => {
  it("draws shear, scales, rotation and down-sampling in this order, and nothing that has no range", () => {
    const asked: [number, number][] = [];
    const rng = { uniform: (low: number, high: number) => asked.push([low, high]) } as unknown as Rng;
    const ranges: AugmentationRanges = { downsample: [0, 1], rotation: [2, 3], shear: [4, 5], scaleY: [6, 7], scaleX: [8, 9] };
    expect(drawAugmentation(rng, ranges)).toEqual({ shear: 1, scaleX: 2, scaleY: 3, rotation: 4, downsample: 5 });
    expect(asked).toEqual([ranges.shear, ranges.scaleX, ranges.scaleY, ranges.rotation, ranges.downsample]);
  });

  it("draws inside the ranges", () => {
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom(defaultAugmentation, coarseAugmentation), (seed, ranges) => {
        const draws = drawAugmentation(createRng(seed), ranges);
        expect(Object.keys(draws)).toEqual(Object.keys(ranges));
        for (const [name, value] of Object.entries(draws)) {
          const [low, high] = ranges[name as keyof AugmentationRanges]!;
          expect(value >= low && value < high).toBe(true);
        }
      }),
    );
  });
});
