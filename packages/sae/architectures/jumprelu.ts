import { apply, noGrad, type Op, type Parameter, type Tensor, where } from "@cursive/tensor";
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

interface Window {
  readonly bandwidth: number;
}

/** Σ_B of `g` where z is within ε/2 of θ: the rectangle kernel K((z − θ)/ε) of the straight-through estimators. `[F]` */
function nearThreshold(g: Tensor, { z, theta, bandwidth }: { z: Tensor; theta: Tensor; bandwidth: number }): Tensor {
  return where(
    z
      .sub(theta)
      .abs()
      .lt(bandwidth / 2),
    g,
    0,
  ).sum({ axis: 0 });
}

/** z·H(z − θ); ∂/∂z = H(z − θ), ∂/∂θ = −(θ/ε) K((z − θ)/ε) (Rajamanoharan et al., arXiv 2407.14435, eq. 11). */
const jumpReluOp: Op<Window> = {
  name: "jumpRelu",
  forward: ([z, theta]) => [where(z!.gt(theta!), z!, 0)],
  gradient({ inputs, gradients: [g], needs, attributes: { bandwidth } }) {
    const [z, theta] = inputs as [Tensor, Tensor];
    const dz = needs[0] ? where(z.gt(theta), g!, 0) : null;
    const dTheta = needs[1]
      ? nearThreshold(g!, { z, theta, bandwidth })
          .mul(theta)
          .mul(-1 / bandwidth)
      : null;
    return [dz, dTheta];
  },
};

/** H(z − θ); ∂/∂z = 0, ∂/∂θ = −(1/ε) K((z − θ)/ε) (eq. 12). */
const stepOp: Op<Window> = {
  name: "step",
  forward: ([z, theta]) => [z!.gt(theta!).to("f32")],
  gradient({ inputs, gradients: [g], needs, attributes: { bandwidth } }) {
    const [z, theta] = inputs as [Tensor, Tensor];
    return [null, needs[1] ? nearThreshold(g!, { z, theta, bandwidth }).mul(-1 / bandwidth) : null];
  },
};

/** JumpReLU of pre-activations `[B, F]` with thresholds `[F]`, and its straight-through gradient. */
export function jumpRelu(z: Tensor, theta: Tensor, window: Window): Tensor {
  return apply(jumpReluOp, [z, theta], window);
}

/** The Heaviside step with a gradient to the threshold only. */
export function stepAbove(z: Tensor, theta: Tensor, window: Window): Tensor {
  return apply(stepOp, [z, theta], window);
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
    const { sparsity, l0Coefficient, tanhScale, preActCoefficient } = this.config;
    const z = this.preActivations(x, this.b_enc); // (B, F)
    const features = jumpRelu(z, this.threshold, this.config);
    const reconstruction = this.decode(features);
    const l2 = this.squaredError(reconstruction, x, step);
    const norms = this.W_dec.norm({ axis: 1 }); // (F)
    const active = sparsity === "tanh" ? features.mul(norms.mul(tanhScale)).tanh().sum() : stepAbove(z, this.threshold, this.config).sum();
    const l0 = this.weighted(active, l0Coefficient / step.rows, step);
    if (!step.dead || !this.looksAfterDead) return { losses: { l2, l0 }, reconstruction, features };
    const missing = this.threshold.sub(z).relu().sum({ axis: 0 }); // (F)
    const preAct = missing
      .mul(where(step.dead, norms, 0))
      .sum()
      .mul(preActCoefficient / step.rows);
    return { losses: { l2, l0, preAct }, reconstruction, features };
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
