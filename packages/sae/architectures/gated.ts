import { linear, type Parameter, reluSums, type Tensor, where } from "@cursive/tensor";
import type { Coefficient } from "../coefficient.ts";
import { zeroParameter } from "../init.ts";
import { type EncodeOptions, type SaeCommonConfig, type SaeTerms, SparseAutoencoder, type TermsInput } from "../sae.ts";

/** Sizes and losses of a {@link GatedSae}. */
export interface GatedConfig extends SaeCommonConfig {
  readonly architecture: "gated";
  /** λ. Default 2, for activations with E‖x‖ = √D. */
  readonly l1Coefficient?: number;
}

/**
 * Gated (Rajamanoharan et al., arXiv 2404.16014): one path decides whether a latent fires, another how much, with shared directions:
 * π = (x − b_dec)·W_enc + b_gate, m = e^{r_mag} ⊙ (x − b_dec)·W_enc + b_mag, f = H(π) ⊙ ReLU(m).
 * Loss = mean_B [‖x̂ − x‖² + λ Σ_F ReLU(π)·‖W_dec‖ + ‖x̂_π − x‖²] with x̂_π the decoding of ReLU(π) by the decoder as a constant: the gate,
 * which the step lets no gradient through to, learns from the last two alone. (SAELens does not freeze the decoder there, #544–546.)
 */
export class GatedSae extends SparseAutoencoder<Required<GatedConfig>> {
  override readonly architecture = "gated";
  readonly b_gate: Parameter;
  readonly b_mag: Parameter;
  readonly r_mag: Parameter;

  constructor(config: GatedConfig) {
    const defaults = { seed: 0, applyBDecToInput: true, init: "tied", decoderInitNorm: 1, decoderConstraint: "unit-norm" } as const;
    super({ ...defaults, l1Coefficient: 2, ...config });
    this.b_gate = zeroParameter(config.dSae);
    this.b_mag = zeroParameter(config.dSae);
    this.r_mag = zeroParameter(config.dSae);
  }

  override encode(x: Tensor, options?: EncodeOptions): Tensor {
    return this.#gate(x, options).features;
  }

  protected override terms(x: Tensor, step: TermsInput): SaeTerms {
    const { l1Coefficient, decoderConstraint } = this.config;
    const { gate, features } = this.#gate(x);
    const reconstruction = this.decode(features);
    const { y: open, sums } = reluSums(gate); // (B, F), (F)
    const total = (decoderConstraint === "none" ? sums.mul(this.W_dec.norm({ axis: 1 })) : sums).sum();
    const byGate = linear(open, this.W_dec.detach().transpose(0, 1), this.b_dec.detach());
    const losses = {
      l2: this.squaredError(reconstruction, x, step),
      l1: this.weighted(total, l1Coefficient / step.rows, step),
      aux: this.squaredError(byGate, x, step),
    };
    return { losses, reconstruction, features };
  }

  override coefficients(): readonly Coefficient[] {
    const { l1Coefficient, decoderConstraint } = this.config;
    const of = decoderConstraint === "none" ? "Σ_F ReLU(π)·‖W_dec‖" : "Σ_F ReLU(π)";
    return [
      { name: "l1", value: l1Coefficient, reduction: "mean", of },
      { name: "aux", value: 1, reduction: "mean", of: "‖x̂_π − x‖², decoder frozen" },
    ];
  }

  #gate(x: Tensor, { watch = (z) => z }: EncodeOptions = {}): { gate: Tensor; features: Tensor } {
    const shared = this.preActivations(x, null); // (B, F)
    const gate = shared.add(this.b_gate);
    const magnitude = watch(shared.mul(this.r_mag.exp()).add(this.b_mag)).relu();
    return { gate, features: where(gate.gt(0), magnitude, 0) };
  }
}
