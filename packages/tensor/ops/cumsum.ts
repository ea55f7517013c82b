import { apply } from "../autograd/apply.ts";
import type { Op } from "../autograd/node.ts";
import { kernel } from "../device/kernel.ts";
import { DTypeError } from "../errors.ts";
import { collapse, eight, normalizeAxis, sizeOf } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { empty } from "./copy.ts";

interface Attributes {
  readonly axis: number;
  readonly reverse: boolean;
}

const cumsumOp: Op<Attributes> = {
  name: "cumsum",
  check([x]) {
    if (x!.dtype === "bool") throw new DTypeError('cumsum: expected f32, i32 or u32 but found bool; convert with to("i32")');
  },
  forward: ([x], attributes) => [runningSum(x!, attributes)],
  gradient: ({ gradients, attributes: { axis, reverse } }) => [apply(cumsumOp, [gradients[0]!], { axis, reverse: !reverse })],
};

/** Elements that one invocation adds up in turn. */
const CHUNK = 256;

/** Long axes go in blocks: their totals first, then running sums of these, then every block from where the one before it ended. */
function runningSum(x: Tensor, { axis, reverse }: Attributes): Tensor {
  const { device, dtype } = x;
  const y = empty(x.shape, { dtype, device });
  const others = <T>(list: readonly T[]): T[] => list.filter((_, i) => i !== axis);
  const { shape, strides } = collapse(others(x.shape), [others(x.strides), others(y.strides)]);
  const rows = sizeOf(shape);
  const length = x.shape[axis] ?? 1;
  const blocks = Math.ceil(length / CHUNK);
  const params = {
    rows,
    length,
    blocks,
    chunk: CHUNK,
    reverse: Number(reverse),
    rank: shape.length,
    inputOffset: x.offset,
    inputStep: x.strides[axis] ?? 1,
    step: y.strides[axis] ?? 1,
    shape: eight(shape, 1),
    inputStrides: eight(strides[0]!, 0),
    strides: eight(strides[1]!, 0),
  };
  const workgroups = Math.ceil((rows * blocks) / 64);
  const INTEGER = dtype !== "f32";
  let before: Tensor | undefined;
  if (blocks > 1) {
    const total = empty([rows, blocks], { dtype, device });
    device.run(kernel("cumsum", "totals", { INTEGER }), { bindings: { x: x.whole, total }, params, workgroups });
    before = runningSum(total, { axis: 1, reverse: false });
  }
  const scan = kernel("cumsum", "scan", { INTEGER, BLOCKS: blocks > 1 });
  device.run(scan, { bindings: { x: x.whole, y, ...(before && { before }) }, params, workgroups });
  return y;
}

/**
 * Running sum along an axis: element i of the result is the sum of elements 0 … i.
 *
 * @example
 * ```ts
 * probabilities.cumsum({ axis: -1 }); // for sampling from the top of a distribution
 * ```
 */
export function cumsum(x: Tensor, options: { axis: number }): Tensor {
  return apply(cumsumOp, [x], { axis: normalizeAxis(options.axis, x.rank), reverse: false });
}
