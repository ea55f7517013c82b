import { kernel } from "../../device/kernel.ts";
import { collapse, eight, rowMajorStrides } from "../../shape.ts";
import type { Tensor } from "../../tensor.ts";
import { dense, empty } from "../copy.ts";
import { expand, reshape } from "../view.ts";
import { type ReduceOptions, reducedShape } from "./fold.ts";

/** A gradient of a reduction's result, repeated along the axes that were reduced: the gradient of a sum. A view. */
export function spread(gradient: Tensor, x: Tensor, options: ReduceOptions): Tensor {
  return expand(reshape(gradient, reducedShape(x.shape, { ...options, keepDims: true }).shape), x.shape);
}

/** The formulas of `shaders/reduce_gradient.wgsl`. */
export const KIND = { extreme: 0, variance: 1, std: 2, norm1: 3, norm2: 4, normMax: 5, logsumexp: 6, product: 7 } as const;

/** What an element's gradient is computed from. */
export interface GradientTerms {
  readonly options: ReduceOptions;
  /** Gradient of the result. */
  readonly gradient: Tensor;
  /** The result. */
  readonly y?: Tensor;
  /** What else the formula wants, one value an output. */
  readonly extra?: Tensor;
  readonly scale?: number;
}

/** The gradient of a reduction whose slope depends on the element; one kernel. */
export function elementGradient(kind: number, x: Tensor, terms: GradientTerms): Tensor {
  const { reduced } = reducedShape(x.shape, terms.options);
  const keptStrides = rowMajorStrides(x.shape.map((n, i) => (reduced.includes(i) ? 1 : n)));
  const outputStrides = keptStrides.map((s, i) => (reduced.includes(i) ? 0 : s));
  const { shape, strides } = collapse(x.shape, [x.strides, outputStrides]);
  const dx = empty(x.shape, { device: x.device });
  x.device.run(kernel("reduce_gradient", "gradient", { KIND: kind }), {
    bindings: {
      dx,
      x: x.whole,
      g: dense(terms.gradient),
      ...(terms.y && { y: terms.y }),
      ...(terms.extra && { extra: terms.extra }),
    },
    params: {
      size: x.size,
      rank: shape.length,
      offset: x.offset,
      scale: terms.scale ?? 1,
      shape: eight(shape, 1),
      strides: eight(strides[0]!, 0),
      outputStrides: eight(strides[1]!, 0),
    },
    workgroups: Math.ceil(x.size / 64),
  });
  return dx;
}
