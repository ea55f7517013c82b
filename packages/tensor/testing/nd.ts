/** A dense row-major array of float64: what the oracles compute with. Booleans are 0 and 1, indices whole numbers. */
export interface Nd {
  readonly shape: number[];
  readonly data: Float64Array;
}

/**
 * An array from its elements in row-major order; zeros without them.
 *
 * @throws {RangeError} if there are not as many elements as the shape has.
 * @example
 * ```ts
 * nd([2, 2], [1, 2, 3, 4]); // rows [1, 2] and [3, 4]
 * ```
 */
export function nd(shape: readonly number[], data?: ArrayLike<number>): Nd {
  const count = countOf(shape);
  if (data !== undefined && data.length !== count)
    throw new RangeError(`Expected ${count} elements for [${shape}] but found ${data.length}`);
  return { shape: [...shape], data: data === undefined ? new Float64Array(count) : Float64Array.from(data) };
}

/** An array of no dimensions. */
export function scalar(value: number): Nd {
  return nd([], [value]);
}

/** The array whose element at an index is what `element` gives for it. The index is reused between calls: copy it to keep it. */
export function build(shape: readonly number[], element: (index: readonly number[]) => number): Nd {
  const result = nd(shape);
  const index = new Array<number>(shape.length).fill(0);
  for (let flat = 0; flat < result.data.length; flat++) {
    result.data[flat] = element(index);
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis]! === shape[axis]; axis--) index[axis] = 0;
  }
  return result;
}

/** The element at an index. */
export function at(x: Nd, index: readonly number[]): number {
  return x.data[flatten(index, x.shape)]!;
}

/** The place of an index in row-major order. */
export function flatten(index: readonly number[], shape: readonly number[]): number {
  let flat = 0;
  for (let axis = 0; axis < shape.length; axis++) flat = flat * shape[axis]! + index[axis]!;
  return flat;
}

/** How many elements a shape has. */
export function countOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** An axis counted from the front. Negative ones count from the back. */
export function frontAxis(axis: number, rank: number): number {
  const front = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(front) || front < 0 || front >= rank)
    throw new RangeError(`Expected an axis of ${rank} dimensions but found ${axis}`);
  return front;
}

/** A copy of a list with one place changed. */
export function replaced(list: readonly number[], place: number, value: number): number[] {
  return list.map((old, i) => (i === place ? value : old));
}

/** The shape that shapes broadcast to: aligned at the right, sizes of 1 stretch. */
export function broadcastShape(...shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, i) => {
    const sizes = shapes.map((shape) => shape[shape.length - rank + i] ?? 1).filter((size) => size !== 1);
    if (new Set(sizes).size > 1) throw new RangeError(`Expected shapes that broadcast but found [${shapes.join("] and [")}]`);
    return sizes[0] ?? 1;
  });
}

/** The array stretched to a shape that it broadcasts to. */
export function broadcastTo(x: Nd, shape: readonly number[]): Nd {
  const skip = shape.length - x.shape.length;
  if (skip === 0 && x.shape.every((size, axis) => size === shape[axis])) return nd(shape, x.data);
  return build(shape, (index) =>
    at(
      x,
      x.shape.map((size, axis) => (size === 1 ? 0 : index[skip + axis]!)),
    ),
  );
}

/** Every element by itself. */
export function map(x: Nd, f: (value: number) => number): Nd {
  return { shape: [...x.shape], data: x.data.map((value) => f(value)) };
}

/** Elements of two arrays together, broadcast. */
export function zip(a: Nd, b: Nd, f: (a: number, b: number) => number): Nd {
  const shape = broadcastShape(a.shape, b.shape);
  const left = broadcastTo(a, shape);
  const right = broadcastTo(b, shape);
  return { shape, data: left.data.map((value, i) => f(value, right.data[i]!)) };
}

/** Every row along an axis by itself. The rows that come back are all of one length, which becomes the axis' size. */
export function mapRows(x: Nd, axis: number, f: (row: Float64Array) => ArrayLike<number>): Nd {
  const front = frontAxis(axis, x.shape.length);
  const size = x.shape[front]!;
  const inner = countOf(x.shape.slice(front + 1)); // distance between neighbours along the axis
  const outer = countOf(x.shape.slice(0, front));
  const rows = Array.from({ length: outer * inner }, (_, r) => {
    const start = Math.floor(r / inner) * size * inner + (r % inner);
    return f(Float64Array.from({ length: size }, (_, i) => x.data[start + i * inner]!));
  });
  const length = rows[0]?.length ?? size;
  const result = nd(replaced(x.shape, front, length));
  rows.forEach((row, r) => {
    const start = Math.floor(r / inner) * length * inner + (r % inner);
    for (let i = 0; i < length; i++) result.data[start + i * inner] = row[i]!;
  });
  return result;
}
