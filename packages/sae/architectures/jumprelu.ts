import { jumpRelu, jumpReluSums, noGrad, type Parameter, type Tensor, where } from "@cursive/tensor";
import type { Coefficient } from "../coefficient.ts";
import { constantParameter, zeroParameter } from "../init.ts";
import { type EncodeOptions, type SaeCommonConfig, type SaeTerms, SparseAutoencoder, type TermsInput } from "../sae.ts";

/**
 * Sizes and losses of a {@link JumpReluSae}. Defaults depend on `sparsity` and suppose activations with E‖x‖ = √D. The error grows with D and the
 * penalty does not, so these are for widths of tens: for widths of thousands λ is 5 and more, and ε 2 (Anthropic, SAELens).
 */
export interface JumpReluConfig extends SaeCommonConfig {
  readonly architecture: "jumprelu";
  /** `"tanh"`: Anthropic's of January 2025; `"step"`: the paper's, which takes about a billion rows to settle. Default `"tanh"`. */
  readonly sparsity?: "tanh" | "step";
  /** λ. Default 0.5 for tanh, 1 for step. */
  readonly l0Coefficient?: number;
  /** ε: width of the window around a threshold in which it gets gradients. Default 0.5 for tanh, 0.05 for step. */
  readonly bandwidth?: number;
  /** θ at the start. Default 0.1 for tanh, 0.01 for step. */
  readonly initialThreshold?: number;
  /** c in tanh(c·f·‖W_dec‖). Default 4. */
  readonly tanhScale?: number;
  /** λ_P of Σ ReLU(θ − z)·‖W_dec‖ over dead latents, which brings them back. Default 3e-6 for tanh, 0 for step. */
  readonly preActCoefficient?: number;
}

/**
 * JumpReLU: f = z·H(z − θ) with z = (x − b_dec)·W_enc + b_enc and a threshold θ ≥ 0 for each latent.
 *
 * - `"step"` (Rajamanoharan et al., arXiv 2407.14435): loss = mean_B [‖x̂ − x‖² + λ Σ_F H(z − θ)]. The step's gradient reaches θ only.
 * - `"tanh"` (Anthropic's Circuits Updates, January 2025): loss = mean_B [‖x̂ − x‖² + λ Σ_F tanh(c·f·‖W_dec‖) + λ_P Σ_dead ReLU(θ − z)·‖W_dec‖];
 *   through f the penalty reaches encoder and θ, and through the norms the decoder.
 *
 * θ itself is the parameter, held at 0 or above: its logarithm freezes under Adam (SAELens #494).
 */
export class JumpReluSae extends SparseAutoencoder<Required<JumpReluConfig>> {
  override readonly architecture = "jumprelu";
  readonly b_enc: Parameter;
  readonly threshold: Parameter;

  constructor(config: JumpReluConfig) {
    const { sparsity = "tanh" } = config;
    const ofTanh = {
      decoderConstraint: "none",
      decoderInitNorm: 0.1,
      l0Coefficient: 0.5,
      bandwidth: 0.5,
      initialThreshold: 0.1,
      preActCoefficient: 3e-6,
    } as const;
    const ofStep = {
      decoderConstraint: "unit-norm",
      decoderInitNorm: 1,
      l0Coefficient: 1,
      bandwidth: 0.05,
      initialThreshold: 0.01,
      preActCoefficient: 0,
    } as const;
    super({
      seed: 0,
      applyBDecToInput: true,
      init: "tied",
      tanhScale: 4,
      ...(sparsity === "tanh" ? ofTanh : ofStep),
      ...config,
      sparsity,
    });
    this.b_enc = zeroParameter(config.dSae);
    this.threshold = constantParameter(config.dSae, this.config.initialThreshold);
  }

  override encode(x: Tensor, { watch = (z) => z }: EncodeOptions = {}): Tensor {
    return jumpRelu(watch(this.preActivations(x, this.b_enc)), this.threshold, this.config);
  }

  protected override terms(x: Tensor, step: TermsInput): SaeTerms {
    const { sparsity, l0Coefficient, bandwidth, tanhScale, preActCoefficient } = this.config;
    const z = this.preActivations(x, this.b_enc); // (B, F)
    const norms = this.W_dec.norm({ axis: 1 }); // (F)
    const penalty = sparsity === "tanh" ? { tanhScale: norms.mul(tanhScale) } : {};
    const { y: features, sums, missing, counts } = jumpReluSums(z, this.threshold, { bandwidth, ...penalty }); // (B, F), (F), (F), (F)
    const reconstruction = this.decode(features);
    const l2 = this.squaredError(reconstruction, x, step);
    const l0 = this.weighted(sums.sum(), l0Coefficient / step.rows, step);
    const outputs = { reconstruction, features, firings: counts }; // θ ≥ 0: what is above it is above 0
    if (!step.dead || !this.looksAfterDead) return { losses: { l2, l0 }, ...outputs };
    const preAct = missing
      .mul(where(step.dead, norms, 0))
      .sum()
      .mul(preActCoefficient / step.rows);
    return { losses: { l2, l0, preAct }, ...outputs };
  }

  /** Holds the thresholds at 0 or above. */
  override afterStep(): void {
    noGrad(() => this.threshold.copyFrom(this.threshold.detach().relu()));
  }

  override get looksAfterDead(): boolean {
    return this.config.preActCoefficient !== 0;
  }

  override coefficients(): readonly Coefficient[] {
    const { sparsity, l0Coefficient, tanhScale, preActCoefficient } = this.config;
    const of = sparsity === "tanh" ? `Σ_F tanh(${tanhScale}·f·‖W_dec‖)` : "Σ_F H(z − θ)";
    const l0: Coefficient = { name: "l0", value: l0Coefficient, reduction: "mean", of };
    const preAct: Coefficient = { name: "preAct", value: preActCoefficient, reduction: "mean", of: "Σ_dead ReLU(θ − z)·‖W_dec‖" };
    return preActCoefficient === 0 ? [l0] : [l0, preAct];
  }
}
