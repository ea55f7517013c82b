import { apply } from "../autograd/apply.ts";
import type { Op } from "../autograd/node.ts";
import { kernel } from "../device/kernel.ts";
import { DTypeError, ShapeError } from "../errors.ts";
import { format } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { dense, empty } from "./copy.ts";
import { rowForm, rowGroups, rowsOf } from "./rows.ts";

/** What becomes of the losses of all places. */
export type Reduction = "mean" | "sum" | "none";

/** Options of {@link crossEntropy}. */
export interface CrossEntropyOptions {
  /** Places with this target cost nothing and do not count in the mean; default −100. */
  readonly ignoreIndex?: number;
  /** Default `"mean"`, over the places that are not ignored. */
  readonly reduction?: Reduction;
}

/** The logits' columns of padding that their gradient gets too, at most; with more they are taken for a slice of something wide. */
const MOST_PADDING = 128;

const crossEntropyOp: Op<Required<CrossEntropyOptions>> = {
  name: "crossEntropy",
  check([logits, targets]) {
    if (logits!.dtype !== "f32" || targets!.dtype !== "i32")
      throw new DTypeError(`crossEntropy: expected f32 logits and i32 targets but found ${logits!.dtype} and ${targets!.dtype}`);
    if (logits!.rank === 0 || format(logits!.shape.slice(0, -1)) !== format(targets!.shape))
      throw new ShapeError(
        `crossEntropy: expected logits [.., V] and targets [..] but found ${format(logits!.shape)} and ${format(targets!.shape)}`,
      );
  },

  /** The loss, and for the gradient the rows' log Σ exp and the number of rows that count. */
  forward([logits, targets], { ignoreIndex, reduction }) {
    const { tensor, rows, length, stride } = rowsOf(logits!);
    const { device } = tensor;
    const form = rowForm(device, { rows, length });
    const [loss, normalizer] = [empty(targets!.shape, { device }), empty([rows], { device })];
    const classes = dense(targets!);
    const params = { rows, length, offset: tensor.offset, stride, ignored: ignoreIndex };
    device.run(kernel("cross_entropy", "forward", form), {
      bindings: { loss, normalizer, logits: tensor.whole, classes },
      params,
      workgroups: rowGroups(rows, form),
    });
    if (reduction === "none") return [loss, normalizer];
    const [result, count] = [empty([], { device }), empty([], { device })];
    device.run(kernel("cross_entropy", "total", { MEAN: reduction === "mean" }), {
      bindings: { result, count, losses: loss, classes },
      params,
      workgroups: 1,
    });
    return [result, normalizer, count];
  },

  gradient({ inputs: [logits, targets], outputs: [, saved_normalizer, saved_count], attributes, gradients }) {
    const { tensor, rows, length, stride } = rowsOf(logits!);
    const { device } = tensor;
    const gradientStride = stride > length && stride - length < MOST_PADDING ? stride : length;
    const { storage } = empty([rows, gradientStride], { device });
    const strides = logits!.shape.map((_, i) => (i === logits!.rank - 1 ? 1 : gradientStride * sizeAfter(targets!.shape, i)));
    const gradient = new Tensor(device, storage, { shape: logits!.shape, strides, dtype: "f32" });
    const form = rowForm(device, { rows, length });
    const MEAN = attributes.reduction === "mean";
    device.run(kernel("cross_entropy", "backward", { ...form, MEAN, PER_ROW: attributes.reduction === "none" }), {
      bindings: {
        gradient: gradient.whole,
        saved_normalizer: saved_normalizer!,
        logits: tensor.whole,
        classes: dense(targets!),
        slope: dense(gradients[0]!),
        ...(saved_count && { saved_count }),
      },
      params: { rows, length, offset: tensor.offset, stride, gradientStride, ignored: attributes.ignoreIndex },
      workgroups: rowGroups(rows, form),
    });
    return [gradient, null];
  },
};

/** Places that one step along an axis passes over. */
function sizeAfter(shape: readonly number[], axis: number): number {
  return shape.slice(axis + 1).reduce((a, b) => a * b, 1);
}

/**
 * Mean of −log softmax(logits)[target], PyTorch's `cross_entropy` for class indices. logits `[.., V]`, targets `[..]` as i32. The softmax is
 * never stored. Rows of the logits may lie further apart than V, which matrix products like; the gradient is laid out likewise.
 *
 * A target that is no class and not `ignoreIndex` makes its loss NaN, for a GPU cannot throw. The mean over no places is NaN.
 *
 * @example
 * ```ts
 * const loss = crossEntropy(logits, targets, { ignoreIndex: -1 }); // [B, T, V], [B, T] → []
 * loss.backward();
 * ```
 * @throws ShapeError if the shapes do not fit, DTypeError for targets that are not i32.
 */
export function crossEntropy(logits: Tensor, targets: Tensor, options: CrossEntropyOptions = {}): Tensor {
  return apply(crossEntropyOp, [logits, targets], { ignoreIndex: -100, reduction: "mean", ...options });
}
