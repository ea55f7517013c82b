import {
  fromHost,
  type HostTensor,
  linear,
  Module,
  mseLoss,
  normalizeRows,
  type Parameter,
  rejectRows,
  type StateDict,
  type Tensor,
  TensorError,
} from "@cursive/tensor";
import type { Coefficient } from "./coefficient.ts";
import { initialWeights, type WeightInit } from "./init.ts";

/** What every architecture is made with. B rows of activations, D their width, F latents. */
export interface SaeCommonConfig {
  /** D: width of the activations. */
  readonly dIn: number;
  /** F: latents. */
  readonly dSae: number;
  /** Selects the initial weights. Default 0. */
  readonly seed?: number;
  /**
   * `"unit-norm"`: rows of W_dec have norm 1; the optimizer takes the gradient's part along them out, steps and scales them back
   * (Towards Monosemanticity). `"none"`: they are free, for losses that weigh latents by their decoder norm, and for the notebook.
   */
  readonly decoderConstraint?: "unit-norm" | "none";
  /** Subtract b_dec from the input before encoding. Default true. */
  readonly applyBDecToInput?: boolean;
  /** `"tied"`: W_enc is W_dec transposed; `"kaiming"`: the notebook's, each drawn on its own. Default `"tied"`. */
  readonly init?: WeightInit;
  /** Norm of W_dec's rows at the start. Default 1. */
  readonly decoderInitNorm?: number;
}

/** What a training step tells the autoencoder besides the activations. */
export interface StepInput {
  /** Rows of the whole batch, where `x` is a chunk of it: losses of the chunks then add up to that of the batch. Default: x's. */
  readonly rows?: number;
  /** `[]`: factor of the sparsity coefficient while it warms up. A tensor, so that a captured step follows it. */
  readonly sparsityScale?: Tensor;
  /** `[F]` bool: latents that have not fired for long. Without it no loss for them is computed. */
  readonly dead?: Tensor;
}

/** Options of {@link SparseAutoencoder.encode}. */
export interface EncodeOptions {
  /** Sees what goes into the nonlinearity, `[.., F]`, and gives what does; of a gated autoencoder its magnitudes. */
  readonly watch?: (preActivations: Tensor) => Tensor;
}

/** What {@link SparseAutoencoder.forward} gives. */
export interface SaeOutput {
  /** `[]`: the sum of `losses`. */
  readonly loss: Tensor;
  /** Each term by its name, as it enters the loss; `l2`, the mean over rows of ‖x̂ − x‖², is always there. */
  readonly losses: Readonly<Record<string, Tensor>>;
  /** x̂ `[B, D]` */
  readonly reconstruction: Tensor;
  /** f `[B, F]`, as in training. */
  readonly features: Tensor;
  /** `[F]` f32: on how many rows each latent fired, where that came for free. */
  readonly firings?: Tensor;
  /** `[]`: the least activation above 0 that stayed, where rows compete for places, 0 where none did; what {@link SparseAutoencoder.afterStep} learns from. */
  readonly threshold?: Tensor;
}

/** What an architecture computes from a batch; {@link SparseAutoencoder.forward} makes the output of it. */
export type SaeTerms = Omit<SaeOutput, "loss"> & {
  /** The sum of `losses`, where a kernel has it already. */
  readonly loss?: Tensor;
};

/** A step with its defaults filled in. */
export interface TermsInput extends StepInput {
  readonly rows: number;
}

/**
 * A sparse autoencoder: x̂ = f·W_dec + b_dec with features f = σ((x − b_dec)·W_enc + b), few of them not 0. Architectures differ in σ, in
 * the losses, and in how these reach the encoder. Parameters have SAELens' names and shapes: `W_enc [D, F]`, `W_dec [F, D]`, `b_enc [F]`,
 * `b_dec [D]`. Made by `createSae`.
 */
export abstract class SparseAutoencoder<C extends SaeCommonConfig = SaeCommonConfig> extends Module<
  [x: Tensor, step?: StepInput],
  SaeOutput
> {
  abstract readonly architecture: string;
  readonly config: C & Required<SaeCommonConfig>;
  readonly W_enc: Parameter;
  readonly W_dec: Parameter;
  readonly b_dec: Parameter;

  /** @throws TensorError if a size is not a positive whole number. */
  constructor(config: C & Required<SaeCommonConfig>) {
    super();
    for (const name of ["dIn", "dSae"] as const) {
      const size = config[name];
      if (!Number.isInteger(size) || size < 1) throw new TensorError(`Expected ${name} to be a positive whole number but found ${size}`);
    }
    this.config = config;
    const { W_enc, W_dec, b_dec } = initialWeights(config);
    this.W_enc = W_enc;
    this.W_dec = W_dec;
    this.b_dec = b_dec;
  }

  /** x `[.., D]` to features `[.., F]`, as at inference. */
  abstract encode(x: Tensor, options?: EncodeOptions): Tensor;

  /** The losses of a batch `[B, D]`, and what they were computed from. */
  protected abstract terms(x: Tensor, step: TermsInput): SaeTerms;

  /** What the losses are weighted with, in the units that they have. */
  abstract coefficients(): readonly Coefficient[];

  /** Features `[.., F]` to x̂ `[.., D]`. */
  decode(features: Tensor): Tensor {
    return linear(features, this.W_dec.transpose(0, 1), this.b_dec);
  }

  /** A training step's losses for activations `[B, D]`; hooks do not run. */
  override forward(x: Tensor, step: StepInput = {}): SaeOutput {
    const { dIn } = this.config;
    if (x.rank !== 2 || x.shape[1] !== dIn) throw new TensorError(`Expected activations [B, ${dIn}] but found [${x.shape.join(", ")}]`);
    const terms = this.terms(x, { ...step, rows: step.rows ?? x.shape[0]! });
    return { ...terms, loss: terms.loss ?? Object.values(terms.losses).reduce((sum, term) => sum.add(term)) };
  }

  /**
   * What an architecture keeps in order besides the weights. Called after each optimizer step, in a captured step inside of it, with what
   * `forward` gave for the batch, or for each chunk of it.
   */
  afterStep(_outputs: readonly Pick<SaeOutput, "threshold">[]): void {}

  /** Whether there is a loss that brings dead latents back: only then a step is told which those are. */
  get looksAfterDead(): boolean {
    return false;
  }

  /** Tensors that are part of the state without being trained, by name. */
  buffers(): Readonly<Record<string, Tensor>> {
    return {};
  }

  /** Takes that part of W_dec's gradient out which would only change its rows' norms: ∇ − (∇·ŵ) ŵ. */
  projectDecoderGradient(): void {
    const { W_dec } = this;
    if (!W_dec.grad) throw new TensorError("Expected a gradient of W_dec but found none: call backward() first");
    W_dec.grad = rejectRows(W_dec.grad, W_dec);
  }

  /** Scales W_dec's rows to norm 1, in place. */
  normalizeDecoder(): void {
    normalizeRows(this.W_dec);
  }

  /** ‖W_dec‖ of each latent, `[F]`, as constants. */
  decoderNorms(): Tensor {
    return this.W_dec.detach().norm({ axis: 1 });
  }

  override async stateDict(): Promise<StateDict> {
    const state = await super.stateDict();
    for (const [name, buffer] of Object.entries(this.buffers()))
      state.set(name, { shape: [...buffer.shape], dtype: buffer.dtype, data: await buffer.data() } as HostTensor);
    return state;
  }

  /** Overwrites parameters and buffers. Buffers may be missing, as in files of other tools; then they stay as they are. */
  override loadStateDict(state: ReadonlyMap<string, HostTensor>): void {
    const buffers = Object.entries(this.buffers());
    const names = new Set(buffers.map(([name]) => name));
    super.loadStateDict(new Map([...state].filter(([name]) => !names.has(name))));
    for (const [name, buffer] of buffers) {
      const host = state.get(name);
      if (host) buffer.copyFrom(fromHost(host, { device: buffer.device, dtype: buffer.dtype }));
    }
  }

  /** (x − b_dec)·W_enc + bias. The bias takes b_dec's part, −b_dec·W_enc, so that x is left as it is and gets no gradient. */
  protected preActivations(x: Tensor, bias: Tensor | null): Tensor {
    const weight = this.W_enc.transpose(0, 1);
    if (!this.config.applyBDecToInput) return linear(x, weight, bias);
    const shift = this.b_dec.matmul(this.W_enc);
    return linear(x, weight, bias ? bias.sub(shift) : shift.neg());
  }

  /** The mean over the batch's rows of ‖x̂ − x‖². */
  protected squaredError(reconstruction: Tensor, x: Tensor, { rows }: { readonly rows: number }): Tensor {
    return mseLoss(reconstruction, x, { reduction: "sum" }).mul(1 / rows);
  }

  /** A sparsity loss with its coefficient and its warm-up. */
  protected weighted(loss: Tensor, coefficient: number, step: StepInput): Tensor {
    return this.warmedUp(loss.mul(coefficient), step);
  }

  /** A sparsity loss that has its coefficient, with its warm-up. */
  protected warmedUp(loss: Tensor, { sparsityScale }: StepInput): Tensor {
    return sparsityScale ? loss.mul(sparsityScale) : loss;
  }
}
