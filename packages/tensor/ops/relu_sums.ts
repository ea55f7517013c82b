import { applyAll } from "../autograd/apply.ts";
import type { Op } from "../autograd/node.ts";
import { kernel } from "../device/kernel.ts";
import { ShapeError } from "../errors.ts";
import { format } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { relu } from "./activation.ts";
import { dense, empty } from "./copy.ts";
import { expectDType } from "./elementwise.ts";
import { COMBINE, fold } from "./reduce/fold.ts";
import { countNonzero, sum } from "./reduce.ts";
import { stretchesOf } from "./rows.ts";

/** What {@link reluSums} gives. */
export interface ReluSums {
  /** max(x, 0) `[N, C]` */
  readonly y: Tensor;
  /** Sums of y's columns `[C]`. */
  readonly sums: Tensor;
  /** How many of a column are above 0, `[C]` f32, without gradient. */
  readonly counts: Tensor;
}

const reluSumsOp: Op<object> = {
  name: "reluSums",
  visible: 3,
  check([x]) {
    expectDType("reluSums", x!, ["f32"]);
    if (x!.rank !== 2 || x!.shape[1]! % 4)
      throw new ShapeError(`reluSums: expected [N, C] with C a multiple of 4 but found ${format(x!.shape)}`);
  },
  forward([x]) {
    const { device } = x!;
    const [rows, width] = x!.shape as [number, number];
    const columns = width / 4;
    const stretches = stretchesOf(device, { rows, columns });
    const y = empty([rows, width], { device });
    const partials = empty([stretches, 2 * width], { device });
    device.run(kernel("relu_sums", "forward"), {
      bindings: { x: dense(x!), y, partials },
      params: { rows, columns, stretches },
      workgroups: Math.ceil((columns * stretches) / 64),
    });
    const totals = fold(partials, { kept: [1], reduced: [0], shape: [2, width], length: stretches }, { combine: COMBINE.add });
    return [y, totals.select(0, 0), totals.select(0, 1)];
  },
  gradient({ outputs: [y], gradients: [dy, dSums] }) {
    if (!dy && !dSums) return [null];
    const { device } = y!;
    const [rows, width] = y!.shape as [number, number];
    const dx = empty([rows, width], { device });
    device.run(kernel("relu_sums", "gradient"), {
      bindings: { kept: y!, dx, dy: dy ? dense(dy) : y!, dsums: dSums ? dense(dSums) : y! },
      params: { rows, columns: width / 4, hasDy: Number(Boolean(dy)), hasSums: Number(Boolean(dSums)) },
      workgroups: Math.ceil((rows * width) / 256),
    });
    return [dx];
  },
};

/**
 * ReLU of `[N, C]` together with its columns' sums and counts of positive elements: what an L1-penalised autoencoder needs of its latents, in
 * one pass over them instead of three, and as many in backward. Widths that are no multiple of 4 take the three passes.
 *
 * @example
 * ```ts
 * const { y: features, sums, counts } = reluSums(preActivations); // [B, F] → [B, F], [F], [F]
 * const l1 = sums.sum().mul(coefficient / B);
 * ```
 * @throws ShapeError unless `x` has two axes.
 */
export function reluSums(x: Tensor): ReluSums {
  if (x.rank === 2 && x.shape[1]! % 4) {
    const y = relu(x);
    return { y, sums: sum(y, { axis: 0 }), counts: countNonzero(y.detach(), { axis: 0 }).to("f32") };
  }
  const [y, sums, counts] = applyAll(reluSumsOp, [x], {}) as [Tensor, Tensor, Tensor];
  return { y, sums, counts: counts.detach() };
}
