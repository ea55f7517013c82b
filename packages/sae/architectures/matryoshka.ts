import { linear, type Tensor, TensorError } from "@cursive/tensor";
import type { Coefficient } from "../coefficient.ts";
import type { SaeTerms, TermsInput } from "../sae.ts";
import { BatchSelectingSae, type BatchTopKOptions } from "./batchtopk.ts";

/** Sizes and losses of a {@link MatryoshkaSae}. */
export interface MatryoshkaConfig extends BatchTopKOptions {
  readonly architecture: "matryoshka";
  /** Latents of each nested autoencoder, rising; the last is dSae. Default: dSae/8, /4, /2 and dSae. */
  readonly widths?: readonly number[];
}

/**
 * Matryoshka BatchTopK (Bussmann et al., arXiv 2503.17547): the first m latents must explain x on their own for every m of `widths`, so that
 * general features come first and are not split up. Loss = Σ_m mean_B ‖f_{<m}·W_dec,{<m} + b_dec − x‖² + auxCoefficient · AuxK; the sum is
 * SAELens'. `l2` is the term of all latents, `nested` the sum of the others.
 */
export class MatryoshkaSae extends BatchSelectingSae<MatryoshkaConfig> {
  override readonly architecture = "matryoshka";
  readonly widths: readonly number[];

  /** @throws TensorError unless the widths rise to dSae. */
  constructor(config: MatryoshkaConfig) {
    const { dSae } = config;
    const widths = config.widths ?? [...new Set([8, 4, 2, 1].map((part) => Math.max(1, Math.floor(dSae / part))))];
    const rising = widths.every((m, i) => Number.isInteger(m) && m > (widths[i - 1] ?? 0));
    if (!rising || widths.at(-1) !== dSae)
      throw new TensorError(`Expected widths that rise to ${dSae} (dSae) but found [${widths.join(", ")}]`);
    super({ ...config, widths });
    this.widths = widths;
  }

  protected override terms(x: Tensor, step: TermsInput): SaeTerms {
    const { preActivations, features, threshold } = this.select(x, step);
    const sizes = this.widths.map((m, i) => m - (this.widths[i - 1] ?? 0));
    const decoders = this.W_dec.split(sizes, 0);
    let reconstruction: Tensor | undefined;
    const errors = features.split(sizes, 1).map((part, i) => {
      const weight = decoders[i]!.transpose(0, 1);
      reconstruction = reconstruction ? linear(part, weight, null, { residual: reconstruction }) : linear(part, weight, this.b_dec);
      return this.squaredError(reconstruction, x, step);
    });
    const l2 = errors.pop()!;
    const losses: Record<string, Tensor> = errors.length ? { l2, nested: errors.reduce((a, b) => a.add(b)) } : { l2 };
    return this.withAux({ losses, reconstruction: reconstruction!, features, threshold }, { x, preActivations, step });
  }

  override coefficients(): readonly Coefficient[] {
    const of = `Σ_m ‖x̂_m − x‖² for m = ${this.widths.slice(0, -1).join(", ")}`;
    return [{ name: "nested", value: 1, reduction: "mean", of }, ...super.coefficients()];
  }
}
