import { tensor } from "../create.ts";
import { embedding } from "../ops/embedding.ts";
import { layerNorm } from "../ops/layer_norm.ts";
import { type LinearOptions, linear } from "../ops/linear.ts";
import type { Rng } from "../random/philox.ts";
import type { Shape } from "../shape.ts";
import { sizeOf } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { nextInitRng } from "./init.ts";
import { Module } from "./module.ts";
import { Parameter } from "./parameter.ts";

/** Where a layer's first values come from. */
export interface InitOptions {
  /** Default: a stream of its own, which depends on how many layers were made before. */
  readonly rng?: Rng;
}

const parameter = (shape: Shape, draw: () => number): Parameter =>
  new Parameter(tensor(Float32Array.from({ length: sizeOf(shape) }, draw), { shape }));

/** y = x Wᵀ + b, with PyTorch's layout and initialisation: weight `[out, in]`, both U(±1/√in). */
export class Linear extends Module<[Tensor, LinearOptions?], Tensor> {
  readonly weight: Parameter;
  readonly bias: Parameter | null;

  constructor(inFeatures: number, outFeatures: number, options: InitOptions & { readonly bias?: boolean } = {}) {
    super();
    const rng = options.rng ?? nextInitRng();
    const bound = 1 / Math.sqrt(inFeatures);
    this.weight = parameter([outFeatures, inFeatures], () => rng.uniform(-bound, bound));
    this.bias = options.bias === false ? null : parameter([outFeatures], () => rng.uniform(-bound, bound));
  }

  /** `x [..., in]` → `[..., out]`; the options fuse what follows into the same kernel. */
  override forward(x: Tensor, options: LinearOptions = {}): Tensor {
    return linear(x, this.weight, this.bias, options);
  }
}

/** A table of vectors, `weight [count, width]`, initialised N(0, 1) as in PyTorch. */
export class Embedding extends Module<[Tensor], Tensor> {
  readonly weight: Parameter;

  constructor(count: number, width: number, options: InitOptions = {}) {
    super();
    const rng = options.rng ?? nextInitRng();
    this.weight = parameter([count, width], () => rng.normal());
  }

  /** `indices [...]` (i32) → `[..., width]`. */
  override forward(indices: Tensor): Tensor {
    return embedding(indices, this.weight);
  }
}

/** Normalises the last axis to mean 0 and variance 1, then scales and shifts (Ba et al. 2016). */
export class LayerNorm extends Module<[Tensor], Tensor> {
  readonly weight: Parameter;
  readonly bias: Parameter;
  /** Added to the variance. */
  readonly eps: number;

  constructor(width: number, options: { readonly eps?: number } = {}) {
    super();
    this.eps = options.eps ?? 1e-5;
    this.weight = parameter([width], () => 1);
    this.bias = parameter([width], () => 0);
  }

  /** `x [..., width]` → the same shape. */
  override forward(x: Tensor): Tensor {
    return layerNorm(x, this.weight, this.bias, { eps: this.eps });
  }
}

/** GELU as GPT-2 has it (the tanh form). */
export class Gelu extends Module<[Tensor], Tensor> {
  override forward(x: Tensor): Tensor {
    return x.gelu({ approximate: "tanh" });
  }
}
