import type { KernelFamily } from "../../device/device.ts";
import { kernel } from "../../device/kernel.ts";
import type { DType } from "../../dtype.ts";
import { DTypeError } from "../../errors.ts";
import { collapse, eight, normalizeAxes, type Shape, sizeOf } from "../../shape.ts";
import type { Tensor } from "../../tensor.ts";
import { empty } from "../copy.ts";

/** Over which axes to reduce (default: all), and whether they stay with size 1. */
export interface ReduceOptions {
  readonly axis?: number | readonly number[];
  readonly keepDims?: boolean;
}

/** What is done to each element before the fold; the numbers are the shader's. `reference` is a tensor with one element an output. */
export const MAP = {
  none: 0,
  abs: 1,
  square: 2,
  squaredDeviation: 3,
  exp: 4,
  zeroAsOne: 5,
  isZero: 6,
  key: 7,
  place: 8,
  equals: 9,
  truth: 10,
} as const;

/** How elements are folded; `max` is that of unsigned integers. */
export const COMBINE = { add: 0, multiply: 1, addIntegers: 2, max: 3 } as const;

/** What is done to each total after the fold. */
export const FINISH = { none: 0, scale: 1, sqrt: 2, log: 3, value: 4, invert: 5, not: 6 } as const;

/** Flags that say what elements are and which is wanted: the greatest, or the `least`, of themselves or of their `abs`olute values. */
export const ORDER = { i32: 1, u32: 2, least: 4, abs: 8 } as const;

/** The flag of a dtype; none for f32. */
export function orderOf(dtype: DType): number {
  return dtype === "f32" ? 0 : dtype === "i32" ? ORDER.i32 : ORDER.u32;
}

/** A check for ops that make no sense on integers. */
export function expectFloat(name: string): (inputs: readonly Tensor[]) => void {
  return ([x]) => {
    if (x!.dtype !== "f32") throw new DTypeError(`${name}: expected an f32 tensor but found ${x!.dtype}; convert with to("f32")`);
  };
}

/** One reduction, as `shaders/reduce.wgsl` knows it. */
export interface Fold {
  readonly map?: number;
  readonly combine: number;
  readonly finish?: number;
  readonly order?: number;
  /** Factor on a sum, for `FINISH.scale` and `FINISH.sqrt`. */
  readonly scale?: number;
  /** One value an output, dense. */
  readonly reference?: Tensor;
  readonly dtype?: DType;
}

/** The axes that stay and those that go, and the shape of the result. */
export interface ReducedShape {
  readonly kept: readonly number[];
  readonly reduced: readonly number[];
  readonly shape: Shape;
  /** Elements folded into one. */
  readonly length: number;
}

/** Splits a shape by {@link ReduceOptions}. */
export function reducedShape(shape: Shape, { axis, keepDims = false }: ReduceOptions): ReducedShape {
  const reduced = shape.length === 0 ? [] : normalizeAxes(axis, shape.length);
  const kept = shape.map((_, i) => i).filter((i) => !reduced.includes(i));
  const result = keepDims ? shape.map((n, i) => (reduced.includes(i) ? 1 : n)) : kept.map((i) => shape[i]!);
  return { kept, reduced, shape: result, length: sizeOf(reduced.map((i) => shape[i]!)) };
}

/** Launches a reduction of any view over some of its axes. Long ones go in several stages; see {@link plan}. */
export function fold(x: Tensor, { kept, reduced, shape }: ReducedShape, how: Fold): Tensor {
  const { map = MAP.none, combine, finish = combine === COMBINE.add ? FINISH.scale : FINISH.none } = how;
  const outer = collapse(
    kept.map((i) => x.shape[i]!),
    [kept.map((i) => x.strides[i]!)],
  );
  const inner = collapse(
    reduced.map((i) => x.shape[i]!),
    [reduced.map((i) => x.strides[i]!)],
  );
  const outputs = sizeOf(outer.shape);
  const length = sizeOf(inner.shape);
  const rowsAreNear = (inner.strides[0]!.at(-1) ?? 0) < (outer.strides[0]!.at(-1) ?? Number.POSITIVE_INFINITY);
  const { form, lanes, workgroup, splits, chunk } = plan({
    outputs,
    length,
    rowsAreNear,
    family: x.device.family,
    subgroupSize: x.device.subgroupSize,
  });
  const last = splits === 1;
  const out = empty(last ? shape : [splits, outputs], { dtype: how.dtype ?? x.dtype, device: x.device });
  x.device.run(
    kernel("reduce", "reduce", {
      FORM: form,
      LANES: lanes,
      WORKGROUP: workgroup,
      MAP: map,
      COMBINE: combine,
      FINISH: last ? finish : combine === COMBINE.add ? FINISH.scale : FINISH.none,
      ORDER: how.order ?? 0,
      FLAT: inner.shape.length <= 1,
    }),
    {
      bindings: { out, x: x.whole, ...(how.reference && { reference: how.reference }) },
      params: {
        outputs,
        length,
        splits,
        chunk,
        offset: x.offset,
        keptRank: outer.shape.length,
        reducedRank: inner.shape.length,
        scale: last ? (how.scale ?? 1) : 1,
        keptShape: eight(outer.shape, 1),
        keptStrides: eight(outer.strides[0]!, 0),
        reducedShape: eight(inner.shape, 1),
        reducedStrides: eight(inner.strides[0]!, 0),
      },
      workgroups: Math.ceil((outputs * splits * lanes) / workgroup),
    },
  );
  return last ? out : fold(out, { kept: [1], reduced: [0], shape, length: splits }, { ...how, map: MAP.none, finish });
}

/** Elements that one lane may fold: keeps its chains short, which bounds the rounding error, and its running time even. */
const LONGEST_LANE = 1024;
/** Rows shorter than this are folded by one lane each: most lanes of a group would idle. */
const SHORTEST_ROW = 32;
/** With so many outputs a software adapter is busy with one lane each, and spares itself the work between lanes. */
const MANY_OUTPUTS = 1024;

/**
 * How a reduction runs: the kernel's form, and into how many stretches each output's elements are cut, so that there is work for
 * everyone also where outputs are few. A stretch is worth another stage only if it is long.
 */
function plan(about: { outputs: number; length: number; rowsAreNear: boolean; family: KernelFamily; subgroupSize: number }): {
  form: number;
  lanes: number;
  workgroup: number;
  splits: number;
  chunk: number;
} {
  const { outputs, length, family } = about;
  // Without subgroups of a fixed size the panel family falls back on the portable form.
  const bySubgroup = family === "panel" && about.subgroupSize > 0 && outputs < MANY_OUTPUTS;
  const shared = about.rowsAreNear && length >= SHORTEST_ROW && (family === "tile" || bySubgroup);
  const form = !shared ? 0 : family === "panel" ? 1 : 2;
  const lanes = form === 0 ? 1 : form === 1 ? about.subgroupSize : length <= 2048 ? 64 : 256;
  const workgroup = Math.max(64, lanes);
  const [busy, shortestLane] = family === "tile" ? [65_536, 64] : [2048, 256];
  const wanted = Math.min(Math.ceil(busy / (lanes * Math.max(1, outputs))), Math.floor(length / (shortestLane * lanes)));
  const needed = Math.ceil(length / (LONGEST_LANE * lanes));
  const chunk = Math.ceil(length / Math.max(1, wanted, needed));
  return { form, lanes, workgroup, chunk, splits: Math.max(1, Math.ceil(length / Math.max(1, chunk))) };
}
