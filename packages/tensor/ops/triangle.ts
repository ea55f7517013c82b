import { apply } from "../autograd/apply.ts";
import type { Op } from "../autograd/node.ts";
import { kernel } from "../device/kernel.ts";
import { ShapeError } from "../errors.ts";
import { format } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { dense, empty } from "./copy.ts";

/** Which triangle is kept: 1 for the lower one, −1 for the upper one. */
interface Triangle {
  readonly side: 1 | -1;
  readonly diagonal: number;
}

const triangleOp: Op<Triangle> = {
  name: "triangle",
  check([x], { side, diagonal }) {
    const op = side === 1 ? "tril" : "triu";
    if (x!.rank < 2) throw new ShapeError(`${op}: expected at least two axes but found ${format(x!.shape)}`);
    if (!Number.isInteger(diagonal)) throw new ShapeError(`${op}: expected a whole number as the diagonal but found ${diagonal}`);
  },
  forward([x], { side, diagonal }) {
    const out = empty(x!.shape, { dtype: x!.dtype, device: x!.device });
    const [rows, columns] = x!.shape.slice(-2) as [number, number];
    out.device.run(kernel("triangle", "mask"), {
      bindings: { out, x: dense(x!) },
      params: { size: out.size, rows, columns, diagonal, side },
      workgroups: Math.ceil(out.size / 64),
    });
    return [out];
  },
  gradient: ({ gradients, attributes }) => [apply(triangleOp, [gradients[0]!], attributes)],
};

/**
 * The lower triangle of every matrix of `x [..., rows, columns]`, zeros elsewhere. `diagonal` is the last one kept: 0 the main one, above it
 * positive.
 */
export function tril(x: Tensor, options: { diagonal?: number } = {}): Tensor {
  return apply(triangleOp, [x], { side: 1, diagonal: options.diagonal ?? 0 });
}

/** The upper triangle of every matrix of `x [..., rows, columns]`, zeros elsewhere. `diagonal` is the first one kept. */
export function triu(x: Tensor, options: { diagonal?: number } = {}): Tensor {
  return apply(triangleOp, [x], { side: -1, diagonal: options.diagonal ?? 0 });
}
