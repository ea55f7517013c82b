import { full, keepBatchTopk, noGrad, type Parameter, stack, type Tensor, TensorError, where } from "@cursive/tensor";
import type { Coefficient } from "../coefficient.ts";
import { zeroParameter } from "../init.ts";
import { type EncodeOptions, type SaeCommonConfig, type SaeOutput, type SaeTerms, SparseAutoencoder, type TermsInput } from "../sae.ts";
import { type AuxConfig, auxCoefficient, auxDefaults, auxLoss } from "./auxiliary.ts";

/** Sizes and losses that {@link BatchTopKSae} and its relatives share. */
export interface BatchTopKOptions extends SaeCommonConfig, AuxConfig {
  /** Latents that fire on a row on average; may be a fraction. Default 8. */
  readonly k?: number;
  /** Rows that compete for the places. Default, and for 0: all rows that `forward` is given. */
  readonly selectionRows?: number;
  /** How fast the inference threshold follows the batches' (SAELens' `topk_threshold_lr`). Default 0.01. */
  readonly thresholdRate?: number;
}

/** Sizes and losses of a {@link BatchTopKSae}. */
export interface BatchTopKConfig extends BatchTopKOptions {
  readonly architecture: "batchtopk";
}

/** What a batch's competition gave. */
interface Selected {
  readonly preActivations: Tensor;
  readonly features: Tensor;
  readonly threshold: Tensor;
}

/** The selection of BatchTopK with its threshold for inference; what is decoded and lost is the subclass'. */
export abstract class BatchSelectingSae<C extends BatchTopKOptions> extends SparseAutoencoder<C & Required<BatchTopKOptions>> {
  readonly b_enc: Parameter;
  /** `[]`: running mean over batches of the least activation above 0 that stayed; negative until there is one. */
  readonly topkThreshold: Tensor;

  /** @throws TensorError unless 0 < k ≤ dSae. */
  constructor(config: C) {
    const defaults = { seed: 0, applyBDecToInput: true, init: "tied", decoderInitNorm: 1, decoderConstraint: "unit-norm" } as const;
    super({ ...defaults, k: 8, selectionRows: 0, thresholdRate: 0.01, ...config, ...auxDefaults(config) });
    const { k, dSae } = this.config;
    if (!(k > 0 && k <= dSae)) throw new TensorError(`Expected k in (0, ${dSae}] (dSae) but found ${k}`);
    this.b_enc = zeroParameter(dSae);
    this.topkThreshold = full([], -1, { device: this.W_dec.device });
  }

  /** JumpReLU at the threshold that training has found, so that a row's features do not depend on its neighbours. */
  override encode(x: Tensor, { watch = (z) => z }: EncodeOptions = {}): Tensor {
    const preActivations = watch(this.preActivations(x, this.b_enc));
    return where(preActivations.gt(this.topkThreshold.clamp({ min: 0 })), preActivations, 0);
  }

  override buffers(): Readonly<Record<string, Tensor>> {
    return { topk_threshold: this.topkThreshold };
  }

  /** Moves the threshold towards that of the batch, the mean of its chunks'. Where no latent fires there is none, and it stays. */
  override afterStep(outputs: readonly Pick<SaeOutput, "threshold">[]): void {
    const seen = outputs.flatMap(({ threshold }) => threshold ?? []);
    if (seen.length === 0) return;
    noGrad(() => {
      const mean = meanAboveZero(stack(seen));
      const { topkThreshold: before } = this;
      const moved = where(before.lt(0), mean, before.add(mean.sub(before).mul(this.config.thresholdRate)));
      before.copyFrom(where(mean.gt(0), moved, before));
    });
  }

  override get looksAfterDead(): boolean {
    return this.config.auxCoefficient !== 0;
  }

  override coefficients(): readonly Coefficient[] {
    return [auxCoefficient(this.config)];
  }

  /** The k·R greatest pre-activations of every R rows, those above 0. */
  protected select(x: Tensor, step: TermsInput): Selected {
    const { k, selectionRows, dSae } = this.config;
    const preActivations = this.preActivations(x, this.b_enc); // (B, F)
    const rows = x.shape[0]!;
    if (!selectionRows && step.rows !== rows)
      throw new TensorError(
        `Expected selectionRows for a batch of ${step.rows} rows in chunks of ${rows}: all of them would have to compete`,
      );
    const together = selectionRows || rows;
    if (rows % together)
      throw new TensorError(`Expected a multiple of ${together} rows (selectionRows) but found ${rows}: that many compete for activations`);
    const count = Math.max(1, Math.floor(k * together));
    const { kept, threshold } = keepBatchTopk(preActivations.reshape([rows / together, together * dSae]), count, { above: 0 });
    return { preActivations, features: kept.reshape([rows, dSae]), threshold: noGrad(() => meanAboveZero(threshold)) };
  }

  /** The losses and, where there are dead latents to look after, AuxK with them. */
  protected withAux(terms: SaeTerms, { x, preActivations, step }: { x: Tensor; preActivations: Tensor; step: TermsInput }): SaeTerms {
    const { kAux, auxCoefficient } = this.config;
    if (!step.dead || !this.looksAfterDead) return terms;
    const { reconstruction } = terms;
    const aux = auxLoss({ x, reconstruction, preActivations, W_dec: this.W_dec, dead: step.dead, kAux, rows: step.rows });
    return { ...terms, losses: { ...terms.losses, aux: aux.mul(auxCoefficient) } };
  }
}

/** The mean of those above 0, `[]`; 0 where there are none. */
function meanAboveZero(x: Tensor): Tensor {
  return x.sum().div(x.gt(0).to("f32").sum().clamp({ min: 1 }));
}

/**
 * BatchTopK (Bussmann et al., arXiv 2412.06410): the k·B greatest of ReLU((x − b_dec)·W_enc + b_enc) in the whole batch stay, so that rows
 * share their places; at inference a threshold does it. Loss = mean_B ‖x̂ − x‖² + auxCoefficient · AuxK.
 */
export class BatchTopKSae extends BatchSelectingSae<BatchTopKConfig> {
  override readonly architecture = "batchtopk";

  protected override terms(x: Tensor, step: TermsInput): SaeTerms {
    const { preActivations, features, threshold } = this.select(x, step);
    const reconstruction = this.decode(features);
    const losses = { l2: this.squaredError(reconstruction, x, step) };
    return this.withAux({ losses, reconstruction, features, threshold }, { x, preActivations, step });
  }
}
