import { apply } from "../autograd/apply.ts";
import type { Op } from "../autograd/node.ts";
import { kernel } from "../device/kernel.ts";
import { collapse, eight, rowMajorStrides, type Shape, sizeOf } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { dense, empty, full } from "./copy.ts";
import { gather } from "./gather.ts";
import { segmentSum } from "./segments.ts";

/** Where scattered elements go: a tensor of `shape`, at the index along `axis` and at their own place along the other axes. */
export interface Target {
  readonly shape: Shape;
  readonly axis: number;
}

/** Places that {@link sumByScan} looks at for each element that sorting would handle, at about equal times. */
const SCAN_PER_SORT = 64;
/** Longest walk of one invocation of {@link sumByScan}. */
const LONGEST_SCAN = 1024;

const scatterSumOp: Op<Target> = {
  name: "scatterSum",
  forward([source, index], { shape, axis }) {
    const { device } = source!;
    const along = index!.shape[axis]!;
    const size = sizeOf(shape);
    if (size === 0 || index!.size === 0) return [full(shape, 0, { device })];
    const cheap = along <= 8 || size * along <= SCAN_PER_SORT * index!.size;
    if (cheap && along <= LONGEST_SCAN) return [sumByScan(source!, index!, { shape, axis })];
    const keys = destinations(index!, { shape, axis });
    return [segmentSum({ index: keys, source: dense(source!), outer: 1, inner: 1, vocab: size }).reshape(shape)];
  },
  gradient: ({ inputs: [, index], gradients, attributes: { axis } }) => [gather(gradients[0]!, index!, { axis }), null],
};

/** Every element of the result looks at all places of the index along its axis. */
function sumByScan(source: Tensor, index: Tensor, { shape, axis }: Target): Tensor {
  const out = empty(shape, { device: source.device });
  source.device.run(kernel("gather", "sum_by_scan"), {
    bindings: { index: index.whole, source: source.whole, out },
    params: {
      size: out.size,
      rank: shape.length,
      indexOffset: index.offset,
      sourceOffset: source.offset,
      axis,
      indexCount: index.shape[axis]!,
      indexStep: index.strides[axis]!,
      sourceStep: source.strides[axis]!,
      shape: eight(shape, 1),
      indexShape: eight(index.shape, 1),
      indexStrides: eight(index.strides, 0),
      sourceStrides: eight(source.strides, 0),
    },
    workgroups: Math.ceil(out.size / 64),
  });
  return out;
}

/** Strides of the target's layout with 0 for the axis: there the index says where to go. */
function targetStrides({ shape, axis }: Target): { strides: number[]; axisStride: number } {
  const strides = rowMajorStrides(shape);
  const axisStride = strides[axis]!;
  strides[axis] = 0;
  return { strides, axisStride };
}

/** For every element of the index, the place in row-major order where it points to; the target's size if it is out of range. */
function destinations(index: Tensor, target: Target): Tensor {
  const keys = empty([index.size], { dtype: "u32", device: index.device });
  const { strides, axisStride } = targetStrides(target);
  const walk = collapse(index.shape, [index.strides, strides]);
  index.device.run(kernel("gather", "destinations"), {
    bindings: { index: index.whole, keys },
    params: {
      size: index.size,
      rank: walk.shape.length,
      axisSize: target.shape[target.axis]!,
      axisStride,
      indexOffset: index.offset,
      limit: sizeOf(target.shape),
      shape: eight(walk.shape, 1),
      indexStrides: eight(walk.strides[0]!, 0),
      strides: eight(walk.strides[1]!, 0),
    },
    workgroups: Math.ceil(index.size / 64),
  });
  return keys;
}

/**
 * Zeros with every element of `source` added at its index along the axis: what {@link gather} is the transpose of. Index and source have
 * one shape. Sums run in a fixed order: short axes are scanned, long ones sorted by where their elements go.
 */
export function scatterSum(index: Tensor, source: Tensor, to: Target): Tensor {
  return apply(scatterSumOp, [source, index], to);
}

const placeOp: Op<Target> = {
  name: "place",
  forward([source, index], to) {
    const { device } = source!;
    const covered = index!.shape[to.axis] === to.shape[to.axis];
    const out = covered ? empty(to.shape, { device }) : full(to.shape, 0, { device });
    const { strides, axisStride } = targetStrides(to);
    const walk = collapse(index!.shape, [index!.strides, strides, source!.strides]);
    device.run(kernel("gather", "put"), {
      bindings: { index: index!.whole, source: source!.whole, out },
      params: {
        size: index!.size,
        rank: walk.shape.length,
        axisSize: to.shape[to.axis]!,
        axisStride,
        offset: 0,
        indexOffset: index!.offset,
        sourceOffset: source!.offset,
        shape: eight(walk.shape, 1),
        indexStrides: eight(walk.strides[0]!, 0),
        strides: eight(walk.strides[1]!, 0),
        sourceStrides: eight(walk.strides[2]!, 0),
      },
      workgroups: Math.ceil(index!.size / 64),
    });
    return [out];
  },
  gradient: ({ inputs: [, index], gradients, attributes: { axis } }) => [gather(gradients[0]!, index!, { axis }), null],
};

/** {@link scatterSum} for an index in range that names no place of the axis twice, as those of sort and topk: a mere move. */
export function place(index: Tensor, source: Tensor, to: Target): Tensor {
  return apply(placeOp, [source, index], to);
}
