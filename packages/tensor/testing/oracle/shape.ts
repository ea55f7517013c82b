/** Oracles of the ops that only move elements. */
import { at, broadcastTo, build, countOf, frontAxis, type Nd, nd, replaced } from "../nd.ts";

/** `axes[i]` says which axis of `x` becomes axis i. */
export function permute(x: Nd, axes: readonly number[]): Nd {
  const front = axes.map((axis) => frontAxis(axis, x.shape.length));
  const source = new Array<number>(front.length);
  return build(
    front.map((axis) => x.shape[axis]!),
    (index) => {
      for (let i = 0; i < front.length; i++) source[front[i]!] = index[i]!;
      return at(x, source);
    },
  );
}

/** Two axes exchanged. */
export function transpose(x: Nd, first: number, second: number): Nd {
  const axes = x.shape.map((_, i) => i);
  const [a, b] = [frontAxis(first, axes.length), frontAxis(second, axes.length)];
  [axes[a], axes[b]] = [b, a];
  return permute(x, axes);
}

/** The same elements in row-major order under another shape; one size may be −1: what is left. */
export function reshape(x: Nd, shape: readonly number[]): Nd {
  const known = countOf(shape.filter((size) => size !== -1));
  return nd(
    shape.map((size) => (size === -1 ? x.data.length / known : size)),
    x.data,
  );
}

/** Axes of size 1 stretched and new ones added in front; −1 keeps a size. */
export function expand(x: Nd, shape: readonly number[]): Nd {
  const skip = shape.length - x.shape.length;
  return broadcastTo(
    x,
    shape.map((size, i) => (size === -1 ? x.shape[i - skip]! : size)),
  );
}

/** Start (inclusive), end (exclusive) and step of one axis as Python writes them: negative ones count from the end, null and missing mean all. */
export type Slice = readonly [start?: number | null, end?: number | null, step?: number];

/** One slice an axis, from the first on; axes without one are kept whole. Steps are positive. */
export function slice(x: Nd, slices: readonly Slice[]): Nd {
  const ranges = x.shape.map((size, axis) => {
    const [start, end, step = 1] = slices[axis] ?? [];
    const place = (value: number) => Math.min(Math.max(value < 0 ? value + size : value, 0), size);
    const first = place(start ?? 0);
    return { first, step, size: Math.max(0, Math.ceil((place(end ?? size) - first) / step)) };
  });
  return build(
    ranges.map(({ size }) => size),
    (index) =>
      at(
        x,
        ranges.map(({ first, step }, axis) => first + step * index[axis]!),
      ),
  );
}

/** `padding[axis]` is how many elements of `value` to put before and after. */
export function pad(x: Nd, padding: readonly (readonly [before: number, after: number])[], { value = 0 }: { value?: number } = {}): Nd {
  return build(
    x.shape.map((size, axis) => padding[axis]![0] + size + padding[axis]![1]),
    (index) => {
      const source = index.map((i, axis) => i - padding[axis]![0]);
      return source.every((i, axis) => i >= 0 && i < x.shape[axis]!) ? at(x, source) : value;
    },
  );
}

/** Arrays end to end along an axis. */
export function cat(arrays: readonly Nd[], { axis = 0 }: { axis?: number } = {}): Nd {
  const front = frontAxis(axis, arrays[0]!.shape.length);
  const shape = replaced(
    arrays[0]!.shape,
    front,
    arrays.reduce((sum, x) => sum + x.shape[front]!, 0),
  );
  return build(shape, (index) => {
    let offset = index[front]!;
    for (const x of arrays) {
      if (offset < x.shape[front]!) return at(x, replaced(index, front, offset));
      offset -= x.shape[front]!;
    }
    throw new RangeError(`Expected an index within [${shape}] but found [${index}]`);
  });
}

/** Arrays of one shape side by side along a new axis. */
export function stack(arrays: readonly Nd[], { axis = 0 }: { axis?: number } = {}): Nd {
  const front = frontAxis(axis, arrays[0]!.shape.length + 1);
  return cat(
    arrays.map((x) => nd(x.shape.toSpliced(front, 0, 1), x.data)),
    { axis: front },
  );
}

/** The order along some axes turned round. */
export function flip(x: Nd, axis: number | readonly number[]): Nd {
  const axes = [axis].flat().map((a) => frontAxis(a as number, x.shape.length));
  return build(x.shape, (index) =>
    at(
      x,
      index.map((i, a) => (axes.includes(a) ? x.shape[a]! - 1 - i : i)),
    ),
  );
}

/** The lower triangles of matrices `[..., M, N]`: 0 where column − row > diagonal. */
export function tril(x: Nd, { diagonal = 0 }: { diagonal?: number } = {}): Nd {
  return build(x.shape, (index) => (index.at(-1)! - index.at(-2)! > diagonal ? 0 : at(x, index)));
}

/** The upper triangles of matrices `[..., M, N]`: 0 where column − row < diagonal. */
export function triu(x: Nd, { diagonal = 0 }: { diagonal?: number } = {}): Nd {
  return build(x.shape, (index) => (index.at(-1)! - index.at(-2)! < diagonal ? 0 : at(x, index)));
}
