import { portableCos, portableSin, type Rng } from "@cursive/tensor";
import { downsample, simplify } from "./downsample.ts";
import type { Point } from "./word.ts";

/** One way to vary a line of ink, all numbers drawn. A missing one changes nothing. */
export interface Augmentation {
  /** x grows by this times y. Negative leans to the right, as y grows downwards. */
  shear?: number;
  scaleX?: number;
  scaleY?: number;
  /** In degrees. */
  rotation?: number;
  /** The share of pen-down points to drop, see {@linkcode downsample}. */
  downsample?: number;
  /** How far the line may move when points are left out, in canvas heights, see {@linkcode simplify}. */
  simplify?: number;
}

/** Ranges to draw an {@linkcode Augmentation} from, each `[low, high)`. A missing one is not drawn. */
export type AugmentationRanges = { readonly [K in keyof Augmentation]: readonly [low: number, high: number] };

/** The original's ranges. Its rotation is of hundredths of a degree: it reads radians as degrees. */
export const defaultAugmentation: AugmentationRanges = {
  shear: [-0.45, 0.15],
  scaleX: [0.95, 1.05],
  scaleY: [0.95, 1.05],
  rotation: [-0.08, 0.08],
  downsample: [0.6, 0.7],
};

/**
 * Ranges for small models: gentler shapes, and strokes reduced to the few points that carry them, so that a letter takes about 20 tokens.
 * The tolerance varies, as any fixed one would tie a letter's place in the text to its place in the sequence.
 */
export const coarseAugmentation: AugmentationRanges = {
  shear: [-0.25, 0.05],
  scaleX: [0.95, 1.05],
  scaleY: [0.95, 1.05],
  rotation: [-1, 1],
  simplify: [0.008, 0.012],
};

const order = ["shear", "scaleX", "scaleY", "rotation", "downsample", "simplify"] as const;

/**
 * Draws an augmentation, one number a range.
 *
 * @example
 * ```ts
 * const draws = drawAugmentation(createRng(42, "augment", step), defaultAugmentation);
 * const ink = augment(word.points, draws);
 * ```
 */
export function drawAugmentation(rng: Rng, ranges: AugmentationRanges): Augmentation {
  const draws: Augmentation = {};
  for (const name of order) {
    const range = ranges[name];
    if (range) draws[name] = rng.uniform(range[0], range[1]);
  }
  return draws;
}

/**
 * Varies a line of ink: shear, scale in x, scale in y, rotation about the origin, then fewer points.
 *
 * @throws {RangeError} if `downsample` or `simplify` is out of its range.
 */
export function augment(points: readonly Point[], draws: Augmentation): Point[] {
  const { shear = 0, scaleX = 1, scaleY = 1, rotation = 0 } = draws;
  const cos = portableCos((rotation * Math.PI) / 180);
  const sin = portableSin((rotation * Math.PI) / 180);
  // Down-sampling looks at no coordinate, so it may go first and spare the work on what it drops.
  const kept = draws.downsample === undefined ? points : downsample(points, draws.downsample);
  const moved = kept.map((point): Point => {
    const x = (point[0] + shear * point[1]) * scaleX;
    const y = point[1] * scaleY;
    return [x * cos - y * sin, x * sin + y * cos, point[2]];
  });
  return draws.simplify === undefined ? moved : simplify(moved, draws.simplify);
}
