import { apply } from "../autograd/apply.ts";
import type { Op } from "../autograd/node.ts";
import { kernel } from "../device/kernel.ts";
import { DTypeError, ShapeError } from "../errors.ts";
import { format, normalizeAxis, sizeOf } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { dense, empty } from "./copy.ts";
import { inFours, type Rows } from "./rows.ts";
import { segmentSum } from "./segments.ts";

/** What an index beyond the axis reads: NaN, or a value as conspicuous as the dtype has. As bits. */
export const MISSING: Readonly<Record<Tensor["dtype"], number>> = { f32: 0x7fc00000, i32: 0x80000000, u32: 0xffffffff, bool: 0 };

/** @throws DTypeError if `index` does not hold integers. */
export function checkIndex(op: string, index: Tensor): void {
  if (index.dtype !== "i32" && index.dtype !== "u32")
    throw new DTypeError(`${op}: expected an index of i32 or u32 but found ${index.dtype}`);
}

/**
 * Rows of `table` [outer, vocab, inner] picked by `index`: [outer, n, inner], as a flat run of memory with the shape `shape`. With `plus` [period,
 * inner] its rows are added in turn; then outer is 1.
 */
export function pick(table: Tensor, index: Tensor, layout: { axis: number; shape: readonly number[]; plus?: Rows }): Tensor {
  const { axis, shape, plus } = layout;
  const inner = sizeOf(table.shape.slice(axis + 1));
  const vec = inFours(inner, plus?.tensor.offset ?? 0, plus?.stride ?? 0) ? 4 : 1;
  const out = empty(shape, { dtype: table.dtype, device: table.device });
  const size = out.size / vec;
  table.device.run(kernel("embedding", "pick", { VEC: vec, PLUS: plus !== undefined }), {
    bindings: {
      index: dense(index),
      [`table${vec}`]: dense(table),
      [`out${vec}`]: out,
      ...(plus && { [`plus${vec}`]: plus.tensor.whole }),
    },
    params: {
      size,
      n: index.size,
      vocab: table.shape[axis]!,
      columns: inner / vec,
      missing: MISSING[table.dtype],
      period: plus?.rows ?? 1,
      plusOffset: (plus?.tensor.offset ?? 0) / vec,
      plusRow: (plus?.stride ?? 0) / vec,
    },
    workgroups: Math.ceil(size / 64),
  });
  return out;
}

const selectedShape = (x: Tensor, index: Tensor, axis: number): number[] => [
  ...x.shape.slice(0, axis),
  ...index.shape,
  ...x.shape.slice(axis + 1),
];

/** The axis gives way to all axes of the index: both indexSelect (an index of one axis) and embedding (axis 0 of a table). */
export const selectOp: Op<{ axis: number }> = {
  name: "indexSelect",
  forward: ([x, index], { axis }) => [pick(x!, index!, { axis, shape: selectedShape(x!, index!, axis) })],
  gradient: ({ inputs: [x, index], gradients, attributes: { axis } }) => [
    indexSum(index!, gradients[0]!, { axis, size: x!.shape[axis]! }),
    null,
  ],
};

/** `out[…, v, …] = Σ source[…, j, …]` over the places j of the index that hold v: what selecting is the transpose of. */
const indexSumOp: Op<{ axis: number; size: number }> = {
  name: "indexSum",
  forward([source, index], { axis, size }) {
    const before = source!.shape.slice(0, axis);
    const after = source!.shape.slice(axis + index!.rank);
    const sums = segmentSum({
      index: dense(index!),
      source: dense(source!),
      outer: sizeOf(before),
      inner: sizeOf(after),
      vocab: size,
    });
    return [sums.reshape([...before, size, ...after])];
  },
  gradient: ({ inputs: [, index], gradients, attributes: { axis } }) => [apply(selectOp, [gradients[0]!, index!], { axis }), null],
};

/** Sums slices of `source` by index into an axis of `size` places; the gradient of {@link indexSelect}. */
export function indexSum(index: Tensor, source: Tensor, options: { axis: number; size: number }): Tensor {
  return apply(indexSumOp, [source, index], options);
}

/**
 * Whole slices of an axis in the order of `index` [n] (i32 or u32): `[…, V, …]` → `[…, n, …]`, as torch's `index_select`. An index
 * outside of 0…V−1 gives NaN (in integer tensors the smallest i32, the largest u32, false): a GPU cannot throw.
 *
 * @example
 * ```ts
 * const columns = weight.indexSelect(tensor(new Int32Array([3, 1, 1])), { axis: 1 });
 * ```
 * @throws DTypeError if the index does not hold integers, ShapeError if it has not one axis.
 */
export function indexSelect(x: Tensor, index: Tensor, options: { axis: number }): Tensor {
  checkIndex("indexSelect", index);
  if (index.rank !== 1) throw new ShapeError(`indexSelect: expected an index of one axis but found shape ${format(index.shape)}`);
  if (x.rank === 0) throw new ShapeError("indexSelect: expected a tensor with an axis to select from but found a scalar");
  return apply(selectOp, [x, index], { axis: normalizeAxis(options.axis, x.rank) });
}
