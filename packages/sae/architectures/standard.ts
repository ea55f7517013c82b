import { type Parameter, reluAutoencoder, type Tensor } from "@cursive/tensor";
import type { Coefficient } from "../coefficient.ts";
import { zeroParameter } from "../init.ts";
import { type EncodeOptions, type SaeCommonConfig, type SaeTerms, SparseAutoencoder, type TermsInput } from "../sae.ts";

/** Sizes and losses of a {@link StandardSae}. */
export interface StandardConfig extends SaeCommonConfig {
  readonly architecture: "standard";
  /** λ. Default 2: for activations with E‖x‖ = √D and widths of tens. Anthropic's of April 2024 is 5, for widths of thousands. */
  readonly l1Coefficient?: number;
  /**
   * `"mean"`: λ is a row's; `"sum"`: the notebook's, where λ counts once for every row of the batch. Default `"mean"`.
   */
  readonly l1Reduction?: "mean" | "sum";
  /** `"decoder-norm"`: Σ f ‖W_dec‖, which leaves nothing to gain from long decoder rows; `"none"`: Σ f. Default: by the constraint. */
  readonly l1Weight?: "decoder-norm" | "none";
}

/**
 * ReLU with an L1 penalty: f = ReLU((x − b_dec)·W_enc + b_enc), loss = mean_B ‖x̂ − x‖² + λ Σ_F f.
 *
 * - `decoderConstraint: "unit-norm"`: Towards Monosemanticity (Bricken et al. 2023).
 * - `decoderConstraint: "none"`, `l1Weight: "decoder-norm"`, `applyBDecToInput: false`: Anthropic's Circuits Updates, April 2024.
 * - `l1Reduction: "sum"`, `decoderConstraint: "none"`, `l1Weight: "none"`: the notebook's, for which the decoder may grow at will.
 */
export class StandardSae extends SparseAutoencoder<Required<StandardConfig>> {
  override readonly architecture = "standard";
  readonly b_enc: Parameter;

  constructor(config: StandardConfig) {
    const { decoderConstraint = "unit-norm" } = config;
    super({
      seed: 0,
      applyBDecToInput: true,
      init: "tied",
      decoderInitNorm: 1,
      l1Coefficient: 2,
      l1Reduction: "mean",
      l1Weight: decoderConstraint === "none" && config.l1Reduction !== "sum" ? "decoder-norm" : "none",
      ...config,
      decoderConstraint,
    });
    this.b_enc = zeroParameter(config.dSae);
  }

  override encode(x: Tensor, { watch = (z) => z }: EncodeOptions = {}): Tensor {
    return watch(this.preActivations(x, this.b_enc)).relu();
  }

  protected override terms(x: Tensor, step: TermsInput): SaeTerms {
    const { applyBDecToInput, l1Coefficient, l1Reduction, l1Weight } = this.config;
    const parameters = { encoder: this.W_enc, encoderBias: this.b_enc, decoder: this.W_dec, decoderBias: this.b_dec };
    const coefficient = l1Reduction === "sum" ? l1Coefficient : l1Coefficient / step.rows;
    const { features, sums, counts, reconstruction, error, total, loss } = reluAutoencoder(x, parameters, {
      centered: applyBDecToInput,
      errorScale: 1 / step.rows,
      totalScale: coefficient,
    }); // (B, F), (F), (F), (B, D), (), (), ()
    const penalty =
      l1Weight === "none"
        ? total
        : sums
            .mul(this.W_dec.norm({ axis: 1 }))
            .sum()
            .mul(coefficient); // f ≥ 0
    const l1 = this.warmedUp(penalty, step);
    return { losses: { l2: error, l1 }, ...(l1 === total && { loss }), reconstruction, features, firings: counts };
  }

  override coefficients(): readonly Coefficient[] {
    const { l1Coefficient, l1Reduction, l1Weight } = this.config;
    return [{ name: "l1", value: l1Coefficient, reduction: l1Reduction, of: l1Weight === "none" ? "Σ_F f" : "Σ_F f·‖W_dec‖" }];
  }
}
