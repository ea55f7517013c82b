import { apply } from "../autograd/apply.ts";
import type { Op } from "../autograd/node.ts";
import { DTypeError, ShapeError } from "../errors.ts";
import { format } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { launchBackward, launchForward } from "./layer_norm/launch.ts";

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
    const { y, mean, rstd } = launchForward(parts(inputs, attributes), attributes);
    return [y, mean, rstd];
  },

  gradient({ inputs, outputs, attributes, gradients, needs, takePending }) {
    const { x, weight } = parts(inputs, attributes);
    const { dx, dWeight, dBias } = launchBackward(
      { x, weight, mean: outputs[1]!, rstd: outputs[2]!, dy: gradients[0]! },
      { needsX: needs[0]!, needsParameters: needs.slice(1).some(Boolean), pending: needs[0] ? takePending(0) : undefined },
    );
    return [dx, ...(attributes.hasWeight ? [dWeight] : []), ...(attributes.hasBias ? [dBias] : [])];
  },
};

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
  const { eps = 1e-5 } = options;
  return apply(layerNormOp, inputs, { eps, hasWeight: weight !== null, hasBias: bias !== null });
}
