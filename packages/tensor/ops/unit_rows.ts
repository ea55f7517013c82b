import { kernel } from "../device/kernel.ts";
import { AutogradError, ShapeError } from "../errors.ts";
import { format } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { dense, empty } from "./copy.ts";
import { expectDType } from "./elementwise.ts";

/**
 * Each row of `x` without its part along the row of `directions`: x − (x·w / ‖w‖²) w; where a direction is 0, x itself. Both `[N, D]`. For
 * gradients of rows whose norms are held: no gradient of its own.
 *
 * @example
 * ```ts
 * weight.grad = rejectRows(weight.grad, weight);
 * ```
 * @throws ShapeError unless both have two axes and one shape.
 */
export function rejectRows(x: Tensor, directions: Tensor): Tensor {
  for (const t of [x, directions]) expectDType("rejectRows", t, ["f32"]);
  if (x.rank !== 2 || format(x.shape) !== format(directions.shape))
    throw new ShapeError(
      `rejectRows: expected two tensors [N, D] of one shape but found ${format(x.shape)} and ${format(directions.shape)}`,
    );
  const out = empty(x.shape, { device: x.device });
  const [rows, columns] = x.shape as [number, number];
  const [rowStride, columnStride] = x.strides as [number, number];
  x.device.run(kernel("unit_rows", "reject"), {
    bindings: { x: x.whole, w: dense(directions), out },
    params: { rows, columns, offset: x.offset, rowStride, columnStride },
    workgroups: Math.ceil(rows / 64),
  });
  return out;
}

/**
 * Scales each row of `x [N, D]` to norm 1, in place and without history; rows of zeros stay as they are.
 *
 * @throws ShapeError unless `x` has two axes and is dense, AutogradError for a computed tensor, whose history would no longer match.
 */
export function normalizeRows(x: Tensor): void {
  expectDType("normalizeRows", x, ["f32"]);
  if (x.rank !== 2 || !x.isDense) throw new ShapeError(`normalizeRows: expected a dense tensor [N, D] but found ${format(x.shape)}`);
  if (x.tape) throw new AutogradError("normalizeRows: expected a tensor outside of the tape");
  const [rows, columns] = x.shape as [number, number];
  x.device.run(kernel("unit_rows", "normalize"), {
    bindings: { rows: x },
    params: { rows, columns },
    workgroups: Math.ceil(rows / 64),
  });
}
