import { apply } from "../autograd/apply.ts";
import type { Op } from "../autograd/node.ts";
import { DTypeError, ShapeError } from "../errors.ts";
import { format } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { gemm } from "./gemm/gemm.ts";
import { linearGradients } from "./gemm/linear_gradients.ts";
import { squeeze, transpose, unsqueeze } from "./view.ts";

/** Options of {@link linear}. */
export interface LinearOptions {
  /** Applied to `x·Wᵀ + b`: GELU in its tanh form. */
  readonly activation?: "gelu";
  /** Added to the result, of its shape. */
  readonly residual?: Tensor;
}

interface LinearAttributes {
  readonly hasBias: boolean;
  readonly hasResidual: boolean;
  readonly activation: "gelu" | undefined;
}

/** The inputs by name: x [.., in], weight [out, in], bias [out], residual [.., out]. */
function named(inputs: readonly Tensor[], { hasBias, hasResidual }: LinearAttributes) {
  const [x, weight, ...rest] = inputs as [Tensor, Tensor, ...Tensor[]];
  return { x, weight, bias: hasBias ? rest[0] : undefined, residual: hasResidual ? rest.at(-1) : undefined };
}

/**
 * y = activation(x·Wᵀ + b) + residual in one kernel; with an activation its slopes are a second, hidden output.
 * With g the gradient of x·Wᵀ + b: dx = g·W, dW = gᵀ·x, db = Σ g; dresidual is the incoming gradient.
 */
const linearOp: Op<LinearAttributes> = {
  name: "linear",
  forward(inputs, attributes) {
    const { x, weight, bias, residual } = named(inputs, attributes);
    const { activation } = attributes;
    const { out, slopes } = gemm({ a: x, b: transpose(weight, 0, 1), bias, residual, activation, alignRows: activation === undefined });
    return slopes ? [out, slopes] : [out];
  },
  gradient(context) {
    const { inputs, attributes, needs } = context;
    const { x, weight } = named(inputs, attributes);
    const dy = context.gradients[0]!;
    const g = attributes.activation ? dy.mul(context.outputs[1]!) : dy;
    const residual = needs[0] ? context.takePending(0) : undefined;
    const wanted = { x: needs[0]!, weight: needs[1]!, bias: attributes.hasBias && needs[2]! };
    const { dx, dWeight, dBias } = linearGradients({ x, weight, g, residual }, wanted);
    return [dx, dWeight, ...(attributes.hasBias ? [dBias] : []), ...(attributes.hasResidual ? [dy] : [])];
  },
};

/**
 * A linear layer: `x [.., in] · weightᵀ + bias → [.., out]` with weight `[out, in]` and bias `[out]` or null, then GELU or a residual if asked
 * for, in one kernel.
 *
 * @example
 * ```ts
 * const hidden = linear(x, fc.weight, fc.bias, { activation: "gelu" });        // [B, T, 4 C]
 * const y = linear(hidden, projection.weight, projection.bias, { residual: x }); // [B, T, C]
 * ```
 * @throws ShapeError if sizes do not match.
 */
export function linear(x: Tensor, weight: Tensor, bias: Tensor | null, options: LinearOptions = {}): Tensor {
  const { activation, residual } = options;
  check(x, weight, bias, residual);
  if (x.rank === 1) {
    const row = linear(unsqueeze(x, 0), weight, bias, { ...options, ...(residual && { residual: unsqueeze(residual, 0) }) });
    return squeeze(row, 0);
  }
  const inputs = [x, weight, ...(bias ? [bias] : []), ...(residual ? [residual] : [])];
  return apply(linearOp, inputs, { hasBias: bias !== null, hasResidual: residual !== undefined, activation });
}

function check(x: Tensor, weight: Tensor, bias: Tensor | null, residual: Tensor | undefined): void {
  for (const t of [x, weight, bias, residual]) {
    if (t && t.dtype !== "f32") throw new DTypeError(`linear: expected f32 tensors but found ${t.dtype}`);
  }
  if (weight.rank !== 2) throw new ShapeError(`linear: expected a weight [out, in] but found ${format(weight.shape)}`);
  const [size, inner] = weight.shape as [number, number];
  if (x.shape.at(-1) !== inner)
    throw new ShapeError(`linear: expected x [.., ${inner}] for weight ${format(weight.shape)} but found ${format(x.shape)}`);
  if (bias && format(bias.shape) !== format([size]))
    throw new ShapeError(`linear: expected bias [${size}] for weight ${format(weight.shape)} but found ${format(bias.shape)}`);
  const out = [...x.shape.slice(0, -1), size];
  if (residual && format(residual.shape) !== format(out))
    throw new ShapeError(`linear: expected residual ${format(out)} for x ${format(x.shape)} but found ${format(residual.shape)}`);
}
