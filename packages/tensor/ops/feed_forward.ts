import { apply } from "../autograd/apply.ts";
import type { Op } from "../autograd/node.ts";
import { DTypeError, ShapeError } from "../errors.ts";
import { format } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { gemm } from "./gemm/gemm.ts";
import { parameterGradients } from "./gemm/parameter_gradients.ts";
import { transpose } from "./view.ts";

/** Options of {@link feedForward}. */
export interface FeedForwardOptions {
  /** Added to the result, of its shape. */
  readonly residual?: Tensor | undefined;
}

/**
 * h = gelu(p) with p = x·Uᵀ + a, y = h·Wᵀ + b + residual: two kernels. With g the gradient of y, that of p is (g·W) ∘ gelu'(p), in one; the
 * others are those of two linear layers.
 */
const feedForwardOp: Op<null> = {
  name: "feedForward",
  check(inputs) {
    const [x, up, upBias, down, downBias, residual] = inputs as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor | undefined];
    for (const t of inputs) if (t.dtype !== "f32") throw new DTypeError(`feedForward: expected f32 tensors but found ${t.dtype}`);
    const expect = (what: string, t: Tensor, shape: readonly number[]): void => {
      if (format(t.shape) !== format(shape))
        throw new ShapeError(`feedForward: expected ${what} ${format(shape)} for x ${format(x.shape)} but found ${format(t.shape)}`);
    };
    if (x.rank < 2) throw new ShapeError(`feedForward: expected x [.., C] of two axes or more but found ${format(x.shape)}`);
    if (up.rank !== 2 || down.rank !== 2)
      throw new ShapeError(`feedForward: expected weights of two axes but found ${format(up.shape)} and ${format(down.shape)}`);
    const [hidden, out] = [up.shape[0]!, down.shape[0]!];
    expect("the first weight", up, [hidden, x.shape.at(-1)!]);
    expect("the first bias", upBias, [hidden]);
    expect("the second weight", down, [out, hidden]);
    expect("the second bias", downBias, [out]);
    if (residual) expect("a residual", residual, [...x.shape.slice(0, -1), out]);
  },

  forward([x, up, upBias, down, downBias, residual]) {
    const { out: hidden, pre } = gemm({ a: x!, b: transpose(up!, 0, 1), bias: upBias, activation: "gelu" });
    const { out } = gemm({ a: hidden, b: transpose(down!, 0, 1), bias: downBias, residual, alignRows: true });
    return [out, hidden, pre!];
  },

  gradient({ inputs: [x, up, , down], outputs: [, hidden, pre], gradients: [g], needs, takePending }) {
    const ofDown = parameterGradients({ x: hidden!, g: g! }, { needsWeight: needs[3]!, needsBias: needs[4]! });
    const residual = needs.length > 5 ? [g!] : [];
    if (!needs.slice(0, 3).some(Boolean)) return [null, null, null, ofDown.dWeight, ofDown.dBias, ...residual];
    const dPre = gemm({ a: g!, b: down!, geluSlopeAt: pre! }).out;
    const ofUp = parameterGradients({ x: x!, g: dPre }, { needsWeight: needs[1]!, needsBias: needs[2]! });
    const dx = needs[0] ? gemm({ a: dPre, b: up!, residual: takePending(0) }).out : null;
    return [dx, ofUp.dWeight, ofUp.dBias, ofDown.dWeight, ofDown.dBias, ...residual];
  },
};

/** A linear layer's parameters: weight `[out, in]`, bias `[out]`. */
export interface LinearParameters {
  readonly weight: Tensor;
  readonly bias: Tensor;
}

/**
 * The transformer's feed-forward layer: linear, GELU in its tanh form, linear, x `[.., C]` → `[.., C]`. The same as two calls of `linear`, in
 * fewer launches backward.
 *
 * @example
 * ```ts
 * const y = feedForward(x, [mlp.c_fc, mlp.c_proj], { residual: x });
 * ```
 * @throws ShapeError if sizes do not match, DTypeError for anything but f32.
 */
export function feedForward(
  x: Tensor,
  [first, second]: readonly [LinearParameters, LinearParameters],
  options: FeedForwardOptions = {},
): Tensor {
  const { residual } = options;
  const inputs = [x, first.weight, first.bias, second.weight, second.bias, ...(residual ? [residual] : [])];
  return apply(feedForwardOp, inputs, null);
}
