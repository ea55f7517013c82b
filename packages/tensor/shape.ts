import { ShapeError } from "./errors.ts";

/** Sizes of a tensor's axes. */
export type Shape = readonly number[];

/** Most axes a tensor may have: strided kernels carry that many sizes and strides. */
export const MAX_RANK = 8;

/** Number of elements of a shape. */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const n of shape) size *= n;
  return size;
}

/** Strides of a row-major layout, in elements. */
export function rowMajorStrides(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = step;
    step *= shape[i]!;
  }
  return strides;
}

/** `[2, 3]` as people write it. */
export function format(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

/** An axis counted from the front; negative ones count from the back. */
export function normalizeAxis(axis: number, rank: number, what = "axis"): number {
  const at = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || at < 0 || at >= Math.max(rank, 1))
    throw new ShapeError(`Expected ${what} in ${-rank}…${rank - 1} but found ${axis}`);
  return at;
}

/** Several axes, sorted and without repeats; undefined means all of them. */
export function normalizeAxes(axes: number | readonly number[] | undefined, rank: number): number[] {
  if (axes === undefined) return Array.from({ length: rank }, (_, i) => i);
  const list = (typeof axes === "number" ? [axes] : axes).map((a) => normalizeAxis(a, rank));
  if (new Set(list).size !== list.length) throw new ShapeError(`Expected different axes but found ${format(axes as number[])}`);
  return list.sort((a, b) => a - b);
}

/** The shape that several shapes broadcast to, by NumPy's rule. `op` names the op in the error. */
export function broadcastShapes(op: string, ...shapes: Shape[]): number[] {
  const rank = Math.max(...shapes.map((s) => s.length));
  const out = new Array<number>(rank).fill(1);
  for (const shape of shapes) {
    for (let i = 0; i < shape.length; i++) {
      const at = rank - shape.length + i;
      const n = shape[i]!;
      if (n === 1 || n === out[at]) continue;
      if (out[at] !== 1)
        throw new ShapeError(
          `${op}: shapes ${shapes.map(format).join(" and ")} do not broadcast: sizes ${out[at]} and ${n} differ on axis ${at}`,
        );
      out[at] = n;
    }
  }
  return out;
}

/** Checks a shape given by a user. */
export function checkShape(shape: Shape, what = "shape"): void {
  if (shape.length > MAX_RANK) throw new ShapeError(`Expected ${what} of at most ${MAX_RANK} axes but found ${format(shape)}`);
  for (const n of shape)
    if (!Number.isSafeInteger(n) || n < 0) throw new ShapeError(`Expected ${what} of integers ≥ 0 but found ${format(shape)}`);
}

/** An iteration space with one stride list per operand. */
export interface Walk {
  readonly shape: readonly number[];
  readonly strides: readonly (readonly number[])[];
}

/**
 * Merges neighbouring axes that every operand walks without a jump, and drops axes of size 1: fewer divisions in the kernel, and
 * contiguous operands end up with a single axis.
 */
export function collapse(shape: Shape, strides: readonly (readonly number[])[]): Walk {
  const outShape: number[] = [];
  const outStrides: number[][] = strides.map(() => []);
  for (let i = 0; i < shape.length; i++) {
    const n = shape[i]!;
    if (n === 1) continue;
    const last = outShape.length - 1;
    if (last >= 0 && strides.every((s, k) => outStrides[k]![last] === s[i]! * n)) {
      outShape[last] = outShape[last]! * n;
      for (let k = 0; k < strides.length; k++) outStrides[k]![last] = strides[k]![i]!;
    } else {
      outShape.push(n);
      for (let k = 0; k < strides.length; k++) outStrides[k]!.push(strides[k]![i]!);
    }
  }
  return { shape: outShape, strides: outStrides };
}

/** Pads a list to the eight words of an `array<vec4u, 2>` parameter. */
export function eight(values: readonly number[], fill: number): number[] {
  return [...values, ...new Array<number>(MAX_RANK - values.length).fill(fill)];
}
