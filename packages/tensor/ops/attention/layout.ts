import { collapse, rowMajorStrides, sizeOf } from "../../shape.ts";
import { Tensor } from "../../tensor.ts";
import { dense, empty } from "../copy.ts";

/** Where the rows of a `[.., T, D]` tensor lie, in elements; its last axis has stride 1. */
export type Place = readonly [offset: number, outer: number, inner: number, row: number];

/** The leading axes of several `[.., T, D]` tensors, walked together as (outer, inner). */
export interface Heads {
  /** Product of all leading sizes. */
  readonly count: number;
  /** Size of the inner axis. */
  readonly inner: number;
  /** One per tensor. */
  readonly places: readonly Place[];
}

/** Merges the leading axes; undefined where some tensor's strides would need more than two. */
export function headsOf(tensors: readonly Tensor[]): Heads | undefined {
  const leading = tensors[0]!.shape.slice(0, -2);
  const { shape, strides } = collapse(
    leading,
    tensors.map((t) => t.strides.slice(0, -2)),
  );
  if (shape.length > 2) return undefined;
  const places = tensors.map((t, i): Place => {
    const [inner = 0, outer = 0] = strides[i]!.toReversed();
    return [t.offset, outer, inner, t.shape.at(-2) === 1 ? 0 : t.strides.at(-2)!];
  });
  return { count: sizeOf(leading), inner: shape.at(-1) ?? 1, places };
}

/** The tensors as kernels can read them beside `others`: rows without gaps, at most two leading axes. Usual layouts are taken as they are. */
export function readable(tensors: readonly Tensor[], others: readonly Tensor[]): Tensor[] {
  const rows = tensors.map((t) => (hasWholeRows(t) ? t : dense(t)));
  return headsOf([...rows, ...others]) ? rows : rows.map(dense);
}

function hasWholeRows(x: Tensor): boolean {
  return x.strides.at(-1) === 1 || x.shape.at(-1) === 1;
}

/**
 * Memory for `[.., H, T, D]` that lies as `[.., T, H, D]`: putting the heads of a place back together (`transpose(-3, -2)`, then `reshape`)
 * is then free. Fewer than four axes have no heads, and lie as they are.
 */
export function emptyHeads(like: Tensor): Tensor {
  return sideBySide([like])[0]!;
}

/**
 * Memory for the gradients of tensors of one shape that are views and together make up one block of memory, as the pieces of a packed
 * projection do: the same views of one new block. The gradient of `split` then finds the whole without a copy. Undefined if they are not.
 */
export function packedLike(parts: readonly Tensor[]): Tensor[] | undefined {
  const [first, second] = parts as [Tensor, Tensor | undefined];
  const step = second ? second.offset - first.offset : 0;
  const alike = parts.every(
    (t, i) =>
      (i === 0 || t.storage === first.storage) &&
      t.offset === first.offset + i * step &&
      t.shape.every((n, axis) => n === first.shape[axis] && (n === 1 || t.strides[axis] === first.strides[axis])),
  );
  if (!alike || !hasWholeRows(first)) return undefined;
  const axes = [...first.shape.map((size, i) => ({ size, stride: first.strides[i]! })), { size: parts.length, stride: step }];
  let filled = 1;
  for (const { size, stride } of axes.filter((a) => a.size !== 1).sort((a, b) => a.stride - b.stride)) {
    if (stride !== filled) return undefined;
    filled *= size;
  }
  return views(first, { count: parts.length, strides: first.strides, step });
}

/** Memory for several tensors of one shape, lying as `[.., T, part, H, D]`. */
export function sideBySide(parts: readonly Tensor[]): Tensor[] {
  const { shape, rank } = parts[0]!;
  const order = shape.map((_, axis) => axis);
  if (rank >= 4) order.splice(rank - 3, 2, rank - 2, rank - 3);
  const partAxis = rank >= 4 ? rank - 2 : rank - 1;
  const memory = rowMajorStrides(order.map((axis) => shape[axis]!).toSpliced(partAxis, 0, parts.length));
  const [step] = memory.splice(partAxis, 1) as [number];
  const strides = new Array<number>(rank);
  order.forEach((axis, i) => {
    strides[axis] = memory[i]!;
  });
  return views(parts[0]!, { count: parts.length, strides, step });
}

/** One block of memory, seen as tensors `step` elements apart. */
function views(like: Tensor, layout: { count: number; strides: readonly number[]; step: number }): Tensor[] {
  const { shape, device, dtype } = like;
  const { storage } = empty([layout.count * shape[0]!, ...shape.slice(1)], { device });
  return Array.from(
    { length: layout.count },
    (_, i) => new Tensor(device, storage, { shape, strides: layout.strides, offset: i * layout.step, dtype }),
  );
}
