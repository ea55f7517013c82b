import { apply } from "../autograd/apply.ts";
import type { Op } from "../autograd/node.ts";
import { DTypeError, ShapeError } from "../errors.ts";
import { format } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { gemm } from "./gemm/gemm.ts";
import { linearGradients } from "./gemm/linear_gradients.ts";
import { transpose } from "./view.ts";

/** Options of {@link feedForward}. */
export interface FeedForwardOptions {
  /** Added to the result, of its shape. */
  readonly residual?: Tensor | undefined;
}

/** Which of the optional inputs there are. */
interface Attributes {
  readonly hasUpBias: boolean;
  readonly hasDownBias: boolean;
  readonly hasResidual: boolean;
}

/** x `[.., C]`, up `[H, C]`, upBias `[H]`, down `[D, H]`, downBias `[D]`, residual `[.., D]`, or whatever stands for each of them. */
interface Parts<T> {
  readonly x: T;
  readonly up: T;
  readonly down: T;
  readonly upBias: T | undefined;
  readonly downBias: T | undefined;
  readonly residual: T | undefined;
}

/** The inputs, or what belongs to each of them, by name. */
function named<T>([x, up, down, ...rest]: readonly T[], { hasUpBias, hasDownBias, hasResidual }: Attributes): Parts<T> {
  const next = (isThere: boolean): T | undefined => (isThere ? rest.shift() : undefined);
  return { x: x!, up: up!, down: down!, upBias: next(hasUpBias), downBias: next(hasDownBias), residual: next(hasResidual) };
}

/**
 * h = gelu(p) with p = x·Uᵀ + a, y = h·Wᵀ + b + residual: two kernels. With g the gradient of y, that of p is (g·W) ∘ gelu'(p), in one; the
 * others are those of two linear layers.
 */
const feedForwardOp: Op<Attributes> = {
  name: "feedForward",
  check(inputs, attributes) {
    const { x, up, upBias, down, downBias, residual } = named(inputs, attributes);
    for (const t of inputs) if (t.dtype !== "f32") throw new DTypeError(`feedForward: expected f32 tensors but found ${t.dtype}`);
    const expect = (what: string, t: Tensor | undefined, shape: readonly number[]): void => {
      if (t && format(t.shape) !== format(shape))
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
    expect("a residual", residual, [...x.shape.slice(0, -1), out]);
  },

  forward(inputs, attributes) {
    const { x, up, upBias, down, downBias, residual } = named(inputs, attributes);
    const { out: hidden, slopes } = gemm({ a: x, b: transpose(up, 0, 1), bias: upBias, activation: "gelu" });
    const { out } = gemm({ a: hidden, b: transpose(down, 0, 1), bias: downBias, residual, alignRows: true });
    return [out, hidden, slopes!];
  },

  gradient({ inputs, outputs: [, hidden, slopes], gradients: [g], attributes, needs, takePending }) {
    const { x, up, down } = named(inputs, attributes);
    const wants = named(needs, attributes);
    const needsPre = wants.x || wants.up || wants.upBias === true;
    const ofDown = linearGradients(
      { x: hidden!, weight: down, g: g!, times: slopes },
      { x: needsPre, weight: wants.down, bias: wants.downBias ?? false },
    );
    const residual = wants.x ? takePending(0) : undefined;
    const ofUp =
      ofDown.dx &&
      linearGradients({ x, weight: up, g: ofDown.dx, residual }, { x: wants.x, weight: wants.up, bias: wants.upBias ?? false });
    const { hasUpBias, hasDownBias, hasResidual } = attributes;
    return [
      ofUp?.dx ?? null,
      ofUp?.dWeight ?? null,
      ofDown.dWeight,
      ...(hasUpBias ? [ofUp?.dBias ?? null] : []),
      ...(hasDownBias ? [ofDown.dBias] : []),
      ...(hasResidual ? [g!] : []),
    ];
  },
};

/** A linear layer's parameters: weight `[out, in]`, bias `[out]` or null. */
export interface LinearParameters {
  readonly weight: Tensor;
  readonly bias: Tensor | null;
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
  const optional = [first.bias, second.bias, residual].filter((t) => t !== null && t !== undefined);
  return apply(feedForwardOp, [x, first.weight, second.weight, ...optional], {
    hasUpBias: first.bias !== null,
    hasDownBias: second.bias !== null,
    hasResidual: residual !== undefined,
  });
}
