/**
 * What the property tests draw: shapes, layouts and seeds. The numbers themselves come from the seed, so that a failing case shrinks
 * to a small shape instead of to round numbers. Needs fast-check.
 */
import fc from "fast-check";
import { isMutating } from "../device/kernel.ts";
import { countOf, type Nd, replaced } from "./nd.ts";
import { expand, permute, type Slice, slice } from "./oracle/shape.ts";
import type { ValueKind } from "./seeded.ts";

export { seededIndices, seededValues, type ValueKind } from "./seeded.ts";

/** Sizes where kernels change their ways: 1, primes, and the neighbours of every tile and power of two. */
const sizes: readonly number[] = [
  ...new Set([
    1,
    2,
    3,
    5,
    7,
    11,
    13,
    17,
    29,
    37,
    61,
    97,
    127,
    131,
    251,
    257,
    ...[4, 8, 16, 32, 64, 128, 256].flatMap((t) => [t - 1, t, t + 1]),
  ]),
].sort((a, b) => a - b);

/** One dimension: a size where a kernel may go wrong. Shrinks to smaller ones. */
export function dimension({ max = 257 }: { max?: number } = {}): fc.Arbitrary<number> {
  const within = sizes.filter((size) => size <= max);
  return fc.nat(within.length - 1).map((i) => within[i]!);
}

/** What {@linkcode shape} may draw. */
export interface ShapeOptions {
  minRank?: number;
  maxRank?: number;
  /** The most elements altogether. */
  maxCount?: number;
}

/** A shape: where its elements would be too many, its greatest dimensions become the next smaller sizes. */
export function shape({ minRank = 0, maxRank = 4, maxCount = 4096 }: ShapeOptions = {}): fc.Arbitrary<number[]> {
  return fc.array(dimension({ max: maxCount }), { minLength: minRank, maxLength: maxRank }).map((drawn) => {
    let fitting = drawn;
    while (countOf(fitting) > maxCount) {
      const greatest = fitting.indexOf(Math.max(...fitting));
      fitting = replaced(fitting, greatest, sizes[sizes.indexOf(fitting[greatest]!) - 1]!);
    }
    return fitting;
  });
}

/** A tall matrix: more rows than a dispatch may have workgroups in one dimension (65,535), and few columns. */
export function tallShape(): fc.Arbitrary<[rows: number, columns: number]> {
  return fc.tuple(fc.constantFrom(65_535, 65_536, 65_537, 70_001), fc.integer({ min: 1, max: 3 }));
}

/** Two shapes that broadcast, and what they broadcast to: sides have the result's dimensions, some of them 1, or missing in front. */
export function broadcastPair(options: ShapeOptions = {}): fc.Arbitrary<{ left: number[]; right: number[]; result: number[] }> {
  return shape(options).chain((result) => {
    const narrow = fc.array(fc.constantFrom("neither", "left", "right"), { minLength: result.length, maxLength: result.length });
    return fc.record({ narrow, missing: fc.nat(result.length), swap: fc.boolean() }).map(({ narrow, missing, swap }) => {
      const whole = result.map((size, axis) => (axis >= missing && narrow[axis] === "left" ? 1 : size));
      const part = result.map((size, axis) => (narrow[axis] === "right" ? 1 : size)).slice(missing);
      return { left: swap ? part : whole, right: swap ? whole : part, result };
    });
  });
}

/** One way to look at a tensor otherwise. */
export type ViewStep = { permute: number[] } | { slice: Slice[] } | { expand: number[] };

/** How a tensor of some shape comes about as a view: a dense base and the steps from it. */
export interface View {
  shape: number[];
  base: number[];
  steps: ViewStep[];
}

/** What has views: the engine's tensors, and {@linkcode Nd} by the oracles. */
export interface Viewable<T> {
  permute(axes: number[]): T;
  slice(slices: Slice[]): T;
  expand(shape: number[]): T;
}

/** A layout for a shape: dense, permuted, sliced with gaps, expanded from size 1 (stride 0), or two of these in turn. Shrinks to dense. */
export function view(shape: readonly number[]): fc.Arbitrary<View> {
  const twice = simpleView(shape).chain((outer) =>
    simpleView(outer.base).map((inner): View => ({ ...outer, base: inner.base, steps: [...inner.steps, ...outer.steps] })),
  );
  return fc.oneof({ withCrossShrink: true }, simpleView(shape), twice);
}

/** A layout by at most one step. */
function simpleView(shape: readonly number[]): fc.Arbitrary<View> {
  const dense: View = { shape: [...shape], base: [...shape], steps: [] };
  if (shape.length === 0) return fc.constant(dense);
  const permuted = permutation(shape.length).map((axes): View => {
    const base = [...shape];
    axes.forEach((axis, i) => {
      base[axis] = shape[i]!;
    });
    return { ...dense, base, steps: [{ permute: axes }] };
  });
  const cut = fc.record({ axis: fc.nat(shape.length - 1), before: fc.nat(3), after: fc.nat(3), step: fc.integer({ min: 1, max: 3 }) });
  const sliced = cut.map(({ axis, before, after, step }): View => {
    const end = before + (shape[axis]! - 1) * step + 1;
    const slices = shape.map((_, i): Slice => (i === axis ? [before, end, step] : []));
    return { ...dense, base: replaced(shape, axis, end + after), steps: [{ slice: slices }] };
  });
  const stretch = fc.array(fc.boolean(), { minLength: shape.length, maxLength: shape.length });
  const expanded = stretch.map(
    (axes): View => ({ ...dense, base: shape.map((n, i) => (axes[i] ? 1 : n)), steps: [{ expand: [...shape] }] }),
  );
  return fc.oneof({ withCrossShrink: true }, fc.constant(dense), permuted, sliced, expanded);
}

/** The axes 0 … rank − 1 in any order. */
export function permutation(rank: number): fc.Arbitrary<number[]> {
  const axes = Array.from({ length: rank }, (_, i) => i);
  return fc.shuffledSubarray(axes, { minLength: rank, maxLength: rank });
}

/** The view of a tensor that has the base's shape. */
export function applyView<T extends Viewable<T>>(base: T, { steps }: View): T {
  let result = base;
  for (const step of steps) {
    if ("permute" in step) result = result.permute(step.permute);
    else if ("slice" in step) result = result.slice(step.slice);
    else result = result.expand(step.expand);
  }
  return result;
}

/** What the view of an array that has the base's shape holds. */
export function viewed(base: Nd, { steps }: View): Nd {
  let result = base;
  for (const step of steps) {
    if ("permute" in step) result = permute(result, step.permute);
    else if ("slice" in step) result = slice(result, step.slice);
    else result = expand(result, step.expand);
  }
  return result;
}

/** Seeds for {@linkcode seededValues}. Shrink to 0. */
export function seed(): fc.Arbitrary<number> {
  return fc.nat(2 ** 31 - 1);
}

/** One of some kinds of numbers. Shrinks to the first. */
export function valueKind(...kinds: [ValueKind, ...ValueKind[]]): fc.Arbitrary<ValueKind> {
  return fc.constantFrom(...kinds);
}

/** What to hand to `fc.assert` beside a property. */
export interface Runs {
  numRuns: number;
  seed?: number;
  path?: string;
}

/**
 * How often to run a property that shall notice a broken kernel, which ends where it does. One draw in a dozen may have what it takes (for
 * mixed-up axes, three of different sizes): in 60 draws there is none once in 200 times, in as many as these once in 10¹¹.
 */
export const untilNoticed = 300;

/**
 * How often to run a property: n times, or as the environment says. `FC_RUNS` overrides the number; `FC_SEED` and `FC_PATH` replay
 * what a failure's message names. `FC_RUNS_SHARE=0.2` makes do with a fifth, for runtimes where every run is slow; but a property that
 * shall notice a broken kernel keeps all its chances.
 *
 * @example
 * ```ts
 * await fc.assert(fc.asyncProperty(shape(), seed(), async (shape, seed) => { … }), runs(25));
 * // FC_SEED=-1432 FC_PATH=7:0:1 pnpm test softmax
 * ```
 */
export function runs(n: number): Runs {
  const { FC_RUNS, FC_RUNS_SHARE, FC_SEED, FC_PATH } = globalThis.process?.env ?? {};
  const share = FC_RUNS_SHARE === undefined || isMutating() ? 1 : Number(FC_RUNS_SHARE);
  return {
    numRuns: FC_RUNS === undefined ? Math.ceil(n * share) : Number(FC_RUNS),
    ...(FC_SEED === undefined ? {} : { seed: Number(FC_SEED) }),
    ...(FC_PATH === undefined ? {} : { path: FC_PATH }),
  };
}
