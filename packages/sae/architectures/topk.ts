import { keepTopk, type Parameter, type Tensor, TensorError } from "@cursive/tensor";
import type { Coefficient } from "../coefficient.ts";
import { zeroParameter } from "../init.ts";
import { type EncodeOptions, type SaeCommonConfig, type SaeTerms, SparseAutoencoder, type TermsInput } from "../sae.ts";
import { type AuxConfig, auxCoefficient, auxDefaults, auxLoss } from "./auxiliary.ts";

/** Sizes and losses of a {@link TopKSae}. */
export interface TopKConfig extends SaeCommonConfig, AuxConfig {
  readonly architecture: "topk";
  /** Latents that may fire on a row. Default 8. */
  readonly k?: number;
}

/**
 * TopK (Gao et al., arXiv 2406.04093): f keeps the k greatest of ReLU((x − b_dec)·W_enc + b_enc) in every row, equal ones by their place.
 * Loss = mean_B ‖x̂ − x‖² + auxCoefficient · AuxK.
 */
export class TopKSae extends SparseAutoencoder<Required<TopKConfig>> {
  override readonly architecture = "topk";
  readonly b_enc: Parameter;

  /** @throws TensorError unless 1 ≤ k ≤ dSae. */
  constructor(config: TopKConfig) {
    const defaults = { seed: 0, applyBDecToInput: true, init: "tied", decoderInitNorm: 1, decoderConstraint: "unit-norm", k: 8 } as const;
    super({ ...defaults, ...config, ...auxDefaults(config) });
    const { k, dSae } = this.config;
    if (!Number.isInteger(k) || k < 1 || k > dSae) throw new TensorError(`Expected k in 1…${dSae} (dSae) but found ${k}`);
    this.b_enc = zeroParameter(dSae);
  }

  override encode(x: Tensor, { watch = (z) => z }: EncodeOptions = {}): Tensor {
    return keepTopk(watch(this.preActivations(x, this.b_enc)), this.config.k, { above: 0 });
  }

  protected override terms(x: Tensor, step: TermsInput): SaeTerms {
    const { k, kAux, auxCoefficient } = this.config;
    const preActivations = this.preActivations(x, this.b_enc); // (B, F)
    const features = keepTopk(preActivations, k, { above: 0 });
    const reconstruction = this.decode(features);
    const l2 = this.squaredError(reconstruction, x, step);
    if (!step.dead || !this.looksAfterDead) return { losses: { l2 }, reconstruction, features };
    const aux = auxLoss({ x, reconstruction, preActivations, W_dec: this.W_dec, dead: step.dead, kAux, rows: step.rows });
    return { losses: { l2, aux: aux.mul(auxCoefficient) }, reconstruction, features };
  }

  override get looksAfterDead(): boolean {
    return this.config.auxCoefficient !== 0;
  }

  override coefficients(): readonly Coefficient[] {
    return [auxCoefficient(this.config)];
  }
}
