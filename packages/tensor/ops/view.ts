import { apply, applyAll } from "../autograd/apply.ts";
import type { Op } from "../autograd/node.ts";
import { ShapeError } from "../errors.ts";
import { checkShape, format, normalizeAxes, normalizeAxis, rowMajorStrides, type Shape, sizeOf } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { contiguous, copyInto, empty, full } from "./copy.ts";

/** Another view of the same storage. */
function viewOf(x: Tensor, layout: { shape: Shape; strides: readonly number[]; offset?: number }): Tensor {
  return new Tensor(x.device, x.storage, { dtype: x.dtype, offset: x.offset, ...layout });
}

// ---- reshape ----

const reshapeOp: Op<{ shape: Shape }> = {
  name: "reshape",
  forward([x], { shape }) {
    const strides = reshapedStrides(x!, shape);
    if (strides) return [viewOf(x!, { shape, strides })];
    const copy = contiguous(x!);
    return [viewOf(copy, { shape, strides: rowMajorStrides(shape) })];
  },
  gradient: ({ inputs, gradients }) => [reshape(gradients[0]!, inputs[0]!.shape)],
};

/**
 * The same elements in another shape; one size may be −1. A view wherever the strides allow it, else a copy.
 * @throws ShapeError if the sizes do not multiply up to the number of elements.
 */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const known = sizeOf(shape.filter((n) => n !== -1));
  const full = shape.map((n) => (n === -1 ? x.size / (known || 1) : n));
  checkShape(full, `reshape of ${format(x.shape)}: shape`);
  if (shape.filter((n) => n === -1).length > 1 || sizeOf(full) !== x.size)
    throw new ShapeError(`reshape: cannot view ${format(x.shape)} as ${format(shape)}`);
  return format(full) === format(x.shape) ? x : apply(reshapeOp, [x], { shape: full });
}

/** Strides that show `x` in another shape without a copy, if there are any: each old run of axes must be contiguous where it is split or merged. */
function reshapedStrides(x: Tensor, shape: Shape): number[] | undefined {
  if (x.size === 0) return rowMajorStrides(shape);
  const axes = x.shape.map((n, i) => ({ n, stride: x.strides[i]! })).filter((a) => a.n !== 1);
  const strides = new Array<number>(shape.length).fill(1);
  let old = axes.length - 1;
  let room = 1; // elements of the current run of old axes that the new axes have yet to cover
  let step = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    const n = shape[i]!;
    if (n === 1) continue;
    if (room === 1) {
      if (old < 0) return undefined;
      room = axes[old]!.n;
      step = axes[old]!.stride;
      while (old > 0 && axes[old - 1]!.stride === axes[old]!.stride * axes[old]!.n) room *= axes[--old]!.n;
      old--;
    }
    if (room % n !== 0) return undefined;
    strides[i] = step;
    step *= n;
    room /= n;
  }
  return room === 1 ? strides : undefined;
}

// ---- permute ----

const permuteOp: Op<{ axes: readonly number[] }> = {
  name: "permute",
  forward: ([x], { axes }) => [viewOf(x!, { shape: axes.map((a) => x!.shape[a]!), strides: axes.map((a) => x!.strides[a]!) })],
  gradient({ gradients, attributes: { axes } }) {
    const inverse = new Array<number>(axes.length);
    axes.forEach((a, i) => {
      inverse[a] = i;
    });
    return [permute(gradients[0]!, inverse)];
  },
};

/** The axes in another order; a view. */
export function permute(x: Tensor, axes: readonly number[]): Tensor {
  const order = axes.map((a) => normalizeAxis(a, x.rank));
  if (order.length !== x.rank || new Set(order).size !== x.rank)
    throw new ShapeError(`permute: expected each axis of ${format(x.shape)} once but found ${format(axes)}`);
  return order.every((a, i) => a === i) ? x : apply(permuteOp, [x], { axes: order });
}

/** Two axes swapped; a view. */
export function transpose(x: Tensor, a: number, b: number): Tensor {
  const axes = x.shape.map((_, i) => i);
  const [i, j] = [normalizeAxis(a, x.rank), normalizeAxis(b, x.rank)];
  axes[i] = j;
  axes[j] = i;
  return permute(x, axes);
}

// ---- expand ----

const expandOp: Op<{ shape: Shape }> = {
  name: "expand",
  forward([x], { shape }) {
    const added = shape.length - x!.rank;
    const strides = shape.map((n, i) => (i < added || (x!.shape[i - added] === 1 && n !== 1) ? 0 : x!.strides[i - added]!));
    return [viewOf(x!, { shape, strides })];
  },
  gradient: ({ inputs, gradients }) => [sumTo(gradients[0]!, inputs[0]!.shape)],
};

/**
 * Broadcasts to a larger shape without copying: new axes and axes of size 1 are repeated by a stride of 0. −1 keeps an axis.
 */
export function expand(x: Tensor, shape: Shape): Tensor {
  const added = shape.length - x.rank;
  const full = shape.map((n, i) => (n === -1 && i >= added ? x.shape[i - added]! : n));
  checkShape(full, `expand of ${format(x.shape)}: shape`);
  if (added < 0 || x.shape.some((n, i) => n !== 1 && n !== full[added + i]))
    throw new ShapeError(`expand: cannot broadcast ${format(x.shape)} to ${format(shape)}`);
  return format(full) === format(x.shape) ? x : apply(expandOp, [x], { shape: full });
}

/** Sums over the axes along which `shape` was broadcast to `x`'s: the gradient of every broadcast. */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  const added = x.rank - shape.length;
  const axes = x.shape.map((_, i) => i).filter((i) => i < added || (shape[i - added] === 1 && x.shape[i] !== 1));
  if (axes.length === 0) return x;
  return reshape(x.sum({ axis: axes, keepDims: true }), shape);
}

// ---- slice ----

interface SliceAttributes {
  readonly starts: readonly number[];
  readonly steps: readonly number[];
  readonly shape: Shape;
}

const sliceForward = (x: Tensor, { starts, steps, shape }: SliceAttributes): Tensor =>
  viewOf(x, {
    shape,
    strides: x.strides.map((s, i) => s * steps[i]!),
    offset: x.offset + x.strides.reduce((sum, s, i) => sum + s * starts[i]!, 0),
  });

const sliceOp: Op<SliceAttributes> = {
  name: "slice",
  forward: ([x], attributes) => [sliceForward(x!, attributes)],
  gradient({ inputs: [x], gradients, attributes }) {
    const out = full(x!.shape, 0, { device: x!.device });
    copyInto(sliceForward(out, attributes), gradients[0]!);
    return [out];
  },
};

/**
 * A view of a box: one `[from, to, step]` per axis from the front; missing ones take everything. Negative places count from the end, null
 * stands for the end, and places beyond the ends are cut, as in NumPy. Steps are positive.
 *
 * @example
 * ```ts
 * x.slice([[], [0, 10]]);        // x[:, 0:10]
 * x.slice([[-3, null], [0, null, 2]]);
 * ```
 */
export function slice(x: Tensor, slices: readonly (readonly (number | null | undefined)[])[]): Tensor {
  if (slices.length > x.rank)
    throw new ShapeError(`slice: expected at most ${x.rank} slices for ${format(x.shape)} but found ${slices.length}`);
  const starts: number[] = [];
  const steps: number[] = [];
  const shape = x.shape.map((n, i) => {
    const [from, to, step] = slices[i] ?? [];
    const place = (v: number | null | undefined, otherwise: number): number =>
      Math.min(n, Math.max(0, v == null ? otherwise : v < 0 ? v + n : v));
    const by = step ?? 1;
    if (!Number.isInteger(by) || by < 1)
      throw new ShapeError(`slice: expected a step of at least 1 but found ${by}; use flip() to go backwards`);
    const start = place(from, 0);
    starts.push(start);
    steps.push(by);
    return Math.max(0, Math.ceil((place(to, n) - start) / by));
  });
  if (format(shape) === format(x.shape)) return x;
  return apply(sliceOp, [x], { starts, steps, shape });
}

/** `length` places of an axis from `start`; a view. */
export function narrow(x: Tensor, axis: number, range: { start: number; length: number }): Tensor {
  const at = normalizeAxis(axis, x.rank);
  const { start, length } = range;
  if (start < 0 || length < 0 || start + length > x.shape[at]!)
    throw new ShapeError(`narrow: ${start} + ${length} is beyond axis ${at} of ${format(x.shape)}`);
  return slice(
    x,
    x.shape.map((_, i) => (i === at ? [start, start + length] : [])),
  );
}

/** One place of an axis, without the axis. */
export function select(x: Tensor, axis: number, index: number): Tensor {
  const at = normalizeAxis(axis, x.rank);
  const start = index < 0 ? index + x.shape[at]! : index;
  return squeeze(narrow(x, at, { start, length: 1 }), at);
}

// ---- split ----

const splitOp: Op<{ axis: number; sizes: readonly number[] }> & { visible: number } = {
  name: "split",
  visible: Number.POSITIVE_INFINITY,
  forward([x], { axis, sizes }) {
    let start = 0;
    return sizes.map((size) => {
      const offset = x!.offset + start * x!.strides[axis]!;
      start += size;
      return viewOf(x!, { shape: x!.shape.map((n, i) => (i === axis ? size : n)), strides: x!.strides, offset });
    });
  },
  gradient({ inputs: [x], gradients, attributes: { axis, sizes } }) {
    const joined = joinAdjacent(gradients, { axis, shape: x!.shape });
    if (joined) return [joined];
    const out = gradients.includes(null) ? full(x!.shape, 0, { device: x!.device }) : empty(x!.shape, { device: x!.device });
    let start = 0;
    sizes.forEach((length, i) => {
      if (gradients[i]) copyInto(narrow(out, axis, { start, length }), gradients[i]);
      start += length;
    });
    return [out];
  },
};

/**
 * Where the pieces' gradients already lie side by side in one storage as the pieces do (flash attention writes dQ, dK and dV so), the whole
 * is there without a copy.
 */
function joinAdjacent(parts: readonly (Tensor | null)[], whole: { axis: number; shape: Shape }): Tensor | undefined {
  const first = parts[0];
  if (!first) return undefined;
  let offset = first.offset;
  for (const part of parts) {
    if (!part || part.storage !== first.storage || part.offset !== offset) return undefined;
    if (part.strides.some((s, i) => s !== first.strides[i] && part.shape[i] !== 1)) return undefined;
    offset += part.shape[whole.axis]! * first.strides[whole.axis]!;
  }
  const strides = rowMajorStrides(whole.shape);
  if (first.strides.some((s, i) => s !== strides[i] && whole.shape[i] !== 1)) return undefined;
  return viewOf(first, { shape: whole.shape, strides });
}

/** Pieces along an axis, of one size (the last may be smaller) or of the sizes listed; views. */
export function split(x: Tensor, sizes: number | readonly number[], axis = 0): Tensor[] {
  const at = normalizeAxis(axis, x.rank);
  const n = x.shape[at]!;
  const list =
    typeof sizes === "number" ? Array.from({ length: Math.ceil(n / sizes) }, (_, i) => Math.min(sizes, n - i * sizes)) : [...sizes];
  if (list.reduce((a, b) => a + b, 0) !== n)
    throw new ShapeError(`split: expected sizes that add up to ${n} on axis ${at} of ${format(x.shape)} but found ${format(list)}`);
  return applyAll(splitOp, [x], { axis: at, sizes: list });
}

/** `count` pieces of equal size along an axis (the last may be smaller); views. */
export function chunk(x: Tensor, count: number, axis = 0): Tensor[] {
  return split(x, Math.ceil(x.shape[normalizeAxis(axis, x.rank)]! / count), axis);
}

// ---- squeeze and friends, by reshape ----

/** Without the given axes of size 1, or without all of them. */
export function squeeze(x: Tensor, axis?: number | readonly number[]): Tensor {
  const axes = axis === undefined ? x.shape.map((_, i) => i).filter((i) => x.shape[i] === 1) : normalizeAxes(axis, x.rank);
  return reshape(
    x,
    x.shape.filter((n, i) => !(axes.includes(i) && n === 1)),
  );
}

/** With a new axis of size 1 before `axis`. */
export function unsqueeze(x: Tensor, axis: number): Tensor {
  const at = normalizeAxis(axis, x.rank + 1);
  return reshape(x, [...x.shape.slice(0, at), 1, ...x.shape.slice(at)]);
}

/** Axes `start` to `end` merged into one. */
export function flatten(x: Tensor, start = 0, end = -1): Tensor {
  if (x.rank === 0) return reshape(x, [1]);
  const [from, to] = [normalizeAxis(start, x.rank), normalizeAxis(end, x.rank)];
  return reshape(x, [...x.shape.slice(0, from), sizeOf(x.shape.slice(from, to + 1)), ...x.shape.slice(to + 1)]);
}
