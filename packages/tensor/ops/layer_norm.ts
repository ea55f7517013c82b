import { apply } from "../autograd/apply.ts";
import type { Op } from "../autograd/node.ts";
import { kernel } from "../device/kernel.ts";
import { DTypeError, ShapeError } from "../errors.ts";
import { format } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { dense, empty } from "./copy.ts";
import { COMBINE, fold } from "./reduce/fold.ts";
import { rowForm, rowGroups, rowsOf } from "./rows.ts";

/** Options of {@link layerNorm}. */
export interface LayerNormOptions {
  /** Added to the variance; default 1e-5. */
  readonly eps?: number;
}

interface Attributes {
  readonly eps: number;
  readonly hasWeight: boolean;
  readonly hasBias: boolean;
}

/** Inputs are x, then weight and bias where there are any. */
function parts(inputs: readonly Tensor[], { hasWeight, hasBias }: Attributes): { x: Tensor; weight?: Tensor; bias?: Tensor } {
  return { x: inputs[0]!, weight: hasWeight ? inputs[1] : undefined, bias: hasBias ? inputs.at(-1) : undefined };
}

const layerNormOp: Op<Attributes> = {
  name: "layerNorm",
  check(inputs, attributes) {
    const { x, weight, bias } = parts(inputs, attributes);
    if (x.rank === 0) throw new ShapeError("layerNorm: expected x with a last axis to normalise but found a scalar");
    for (const [what, p] of Object.entries({ weight, bias }))
      if (p && (p.rank !== 1 || p.shape[0] !== x.shape.at(-1)))
        throw new ShapeError(`layerNorm: expected ${what} [${x.shape.at(-1)}] for x ${format(x.shape)} but found ${format(p.shape)}`);
    for (const t of inputs) if (t.dtype !== "f32") throw new DTypeError(`layerNorm: expected f32 tensors but found ${t.dtype}`);
  },

  /** y, and for the gradient the rows' means and 1 / standard deviations. */
  forward(inputs, attributes) {
    const { x, weight, bias } = parts(inputs, attributes);
    const { tensor, rows, length, stride } = rowsOf(x);
    const { device } = x;
    const [y, mean, rstd] = [empty(x.shape, { device }), empty([rows], { device }), empty([rows], { device })];
    const form = rowForm(device, { rows, length });
    device.run(kernel("layer_norm", "forward", { ...form, WEIGHT: weight !== undefined, BIAS: bias !== undefined }), {
      bindings: { y, mean, rstd, x: tensor.whole, ...(weight && { weight: dense(weight) }), ...(bias && { bias: dense(bias) }) },
      params: { rows, length, xOffset: tensor.offset, xStride: stride, eps: attributes.eps },
      workgroups: rowGroups(rows, form),
    });
    return [y, mean, rstd];
  },

  gradient({ inputs, outputs, attributes, gradients, needs, takePending }) {
    const { x, weight } = parts(inputs, attributes);
    const [saved_mean, saved_rstd] = [outputs[1]!, outputs[2]!];
    const saved = { x: rowsOf(x), dy: rowsOf(gradients[0]!), saved_mean, saved_rstd };
    const result: (Tensor | null)[] = [needs[0] ? inputGradient(saved, weight, takePending(0)) : null];
    if (needs.slice(1).some(Boolean)) {
      const { dWeight, dBias } = parameterGradients(saved);
      if (attributes.hasWeight) result.push(dWeight);
      if (attributes.hasBias) result.push(dBias);
    }
    return result;
  },
};

interface Saved {
  readonly x: ReturnType<typeof rowsOf>;
  readonly dy: ReturnType<typeof rowsOf>;
  readonly saved_mean: Tensor;
  readonly saved_rstd: Tensor;
}

/** What both backward kernels are given. */
function shared({ x, dy, saved_mean, saved_rstd }: Saved) {
  return {
    bindings: { x: x.tensor.whole, dy: dy.tensor.whole, saved_mean, saved_rstd },
    params: {
      rows: x.rows,
      length: x.length,
      xOffset: x.tensor.offset,
      xStride: x.stride,
      dyOffset: dy.tensor.offset,
      dyStride: dy.stride,
    },
  };
}

/** Plus what others have given x, as the residual stream around a normalised branch does. */
function inputGradient(saved: Saved, weight: Tensor | undefined, pending: Tensor | undefined): Tensor {
  const { tensor, rows, length } = saved.x;
  const added = pending && rowsOf(pending);
  const dx = empty(tensor.shape, { device: tensor.device });
  const { bindings, params } = shared(saved);
  const form = rowForm(tensor.device, { rows, length });
  tensor.device.run(kernel("layer_norm", "backward", { ...form, WEIGHT: weight !== undefined, PENDING: added !== undefined }), {
    bindings: { ...bindings, dx, ...(weight && { weight: dense(weight) }), ...(added && { pending: added.tensor.whole }) },
    params: { ...params, pendingOffset: added?.tensor.offset ?? 0, pendingStride: added?.stride ?? 0 },
    workgroups: rowGroups(rows, form),
  });
  return dx;
}

/** Most rows that one invocation adds up by itself. */
const LONGEST_CHUNK = 256;

/** Both at once: partial sums over stretches of rows, then one fold of these. Columns are padded, so that both results lie at aligned places. */
function parameterGradients(saved: Saved): { dWeight: Tensor; dBias: Tensor } {
  const { tensor, rows, length } = saved.x;
  const { device } = tensor;
  const width = Math.ceil(length / 64) * 64;
  const busy = (device.isSoftware ? 2048 : 65_536) / width; // splits that keep the adapter busy
  const wanted = Math.max(1, Math.min(Math.floor(rows / 16), Math.ceil(busy)), Math.ceil(rows / LONGEST_CHUNK));
  const chunk = Math.max(1, Math.ceil(rows / wanted));
  const splits = Math.max(1, Math.ceil(rows / chunk));
  const partial = empty([splits, 2 * width], { device });
  const { bindings, params } = shared(saved);
  device.run(kernel("layer_norm", "parameters"), {
    bindings: { ...bindings, partial },
    params: { ...params, width, splits, chunk },
    workgroups: (width * splits) / 64,
  });
  const folded = fold(partial, { kept: [1], reduced: [0], shape: [2 * width], length: splits }, { combine: COMBINE.add });
  const column = (offset: number): Tensor => new Tensor(device, folded.storage, { shape: [length], dtype: "f32", offset });
  return { dWeight: column(0), dBias: column(width) };
}

/**
 * Normalises the last axis to mean 0 and variance 1, then scales and shifts: (x − mean) / √(variance + eps) · weight + bias (Ba, Kiros and
 * Hinton, arXiv 1607.06450). x `[.., C]`, weight and bias `[C]` or null.
 *
 * @example
 * ```ts
 * layerNorm(x, weight, null); // [B, T, C], without a bias
 * ```
 * @throws ShapeError if weight or bias are not of the last axis' size.
 */
export function layerNorm(x: Tensor, weight: Tensor | null = null, bias: Tensor | null = null, options: LayerNormOptions = {}): Tensor {
  const inputs = [x, weight, bias].filter((t) => t !== null);
  return apply(layerNormOp, inputs, { eps: options.eps ?? 1e-5, hasWeight: weight !== null, hasBias: bias !== null });
}
