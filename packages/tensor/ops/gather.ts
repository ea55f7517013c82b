import { apply } from "../autograd/apply.ts";
import type { Op } from "../autograd/node.ts";
import { kernel } from "../device/kernel.ts";
import { DTypeError, ShapeError } from "../errors.ts";
import { collapse, eight, format, normalizeAxis } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { add } from "./binary.ts";
import { empty } from "./copy.ts";
import { checkIndex, MISSING } from "./index_select.ts";
import { scatterSum } from "./scatter.ts";
import { narrow } from "./view.ts";

export { indexSelect } from "./index_select.ts";

const gatherOp: Op<{ axis: number }> = {
  name: "gather",
  forward([x, index], { axis }) {
    const out = empty(index!.shape, { dtype: x!.dtype, device: x!.device });
    const strides = x!.strides.map((s, i) => (i === axis ? 0 : s));
    const walk = collapse(index!.shape, [strides, index!.strides]);
    x!.device.run(kernel("gather", "pick"), {
      bindings: { index: index!.whole, table: x!.whole, out },
      params: {
        size: out.size,
        rank: walk.shape.length,
        axisSize: x!.shape[axis]!,
        axisStride: x!.strides[axis]!,
        offset: x!.offset,
        indexOffset: index!.offset,
        missing: MISSING[x!.dtype],
        shape: eight(walk.shape, 1),
        strides: eight(walk.strides[0]!, 0),
        indexStrides: eight(walk.strides[1]!, 0),
      },
      workgroups: Math.ceil(out.size / 64),
    });
    return [out];
  },
  gradient: ({ inputs: [x, index], gradients, attributes: { axis } }) => [
    scatterSum(index!, gradients[0]!, { shape: x!.shape, axis }),
    null,
  ],
};

/**
 * Along the axis the element that the index names, along the other axes the one at the same place, as torch's `gather`: for axis 1,
 * `out[i, j] = x[i, index[i, j]]`. The result has the index's shape, which may be smaller than x's along the other axes. An index outside of
 * the axis gives NaN (in integer tensors the smallest i32, the largest u32, false): a GPU cannot throw.
 *
 * @example
 * ```ts
 * const picked = logProbabilities.gather(targets.unsqueeze(-1), { axis: -1 });   // [B, T, V], [B, T, 1] → [B, T, 1]
 * ```
 * @throws DTypeError if the index does not hold integers, ShapeError if it does not fit x.
 */
export function gather(x: Tensor, index: Tensor, options: { axis: number }): Tensor {
  return apply(gatherOp, [x, index], { axis: checkFit("gather", { x, index, axis: options.axis }) });
}

/**
 * x with every element of `source` added where {@link gather} would have read it, as torch's `scatter_add`: for axis 1,
 * `out[i, index[i, j]] += source[i, j]`. Indices may repeat: what goes to one place is added up in a fixed order, so equal inputs give equal
 * bits. Elements whose index is outside of the axis are left out. The source may be larger than the index; the rest of it is not used.
 *
 * @throws DTypeError if the index does not hold integers or x and source are not f32, ShapeError if the shapes do not fit.
 */
export function scatterAdd(x: Tensor, index: Tensor, source: Tensor, options: { axis: number }): Tensor {
  const axis = checkFit("scatterAdd", { x, index, axis: options.axis });
  if (x.dtype !== "f32" || source.dtype !== "f32")
    throw new DTypeError(`scatterAdd: expected f32 but found ${x.dtype} and ${source.dtype}`);
  if (source.rank !== index.rank || index.shape.some((n, i) => n > source.shape[i]!))
    throw new ShapeError(`scatterAdd: index ${format(index.shape)} is larger than source ${format(source.shape)}`);
  const used = index.shape.reduce((part, length, i) => narrow(part, i, { start: 0, length }), source);
  return add(x, scatterSum(index, used, { shape: x.shape, axis }));
}

function checkFit(op: string, { x, index, axis }: { x: Tensor; index: Tensor; axis: number }): number {
  checkIndex(op, index);
  if (x.rank === 0 || index.rank !== x.rank)
    throw new ShapeError(`${op}: expected an index with as many axes as ${format(x.shape)} (at least 1) but found ${format(index.shape)}`);
  const at = normalizeAxis(axis, x.rank);
  if (index.shape.some((n, i) => i !== at && n > x.shape[i]!))
    throw new ShapeError(`${op}: index ${format(index.shape)} is larger than ${format(x.shape)} on an axis other than ${at}`);
  return at;
}
