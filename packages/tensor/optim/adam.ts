import { kernel } from "../device/kernel.ts";
import type { Parameter } from "../nn/parameter.ts";
import type { Tensor } from "../tensor.ts";
import type { Run } from "./arena.ts";
import { Optimizer, type OptimizerOptions } from "./optimizer.ts";

/** Options of {@link Adam} and {@link AdamW}. */
export interface AdamOptions extends OptimizerOptions {
  /** Decay rates of the two moments. Default [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Added to the denominator, outside of the root. Default 1e-8. */
  readonly eps?: number;
  /** Default 0 for Adam, 0.01 for AdamW, as in PyTorch. */
  readonly weightDecay?: number;
}

/** Adam (Kingma and Ba 2014); weight decay, if any, is added to the gradient. */
export class Adam extends Optimizer {
  protected readonly decoupled: boolean = false;
  readonly #options: Required<Pick<AdamOptions, "betas" | "eps" | "weightDecay">>;
  readonly #first: Tensor;
  readonly #second: Tensor;

  constructor(parameters: Iterable<Parameter>, options: AdamOptions) {
    super(parameters, options);
    this.#options = { betas: options.betas ?? [0.9, 0.999], eps: options.eps ?? 1e-8, weightDecay: options.weightDecay ?? 0 };
    this.#first = this.arena.flatZeros();
    this.#second = this.arena.flatZeros();
  }

  protected override moments(): Record<string, Tensor> {
    return { exp_avg: this.#first, exp_avg_sq: this.#second };
  }

  protected override update(run: Run, { clip, clipped }: { clip: Tensor; clipped: boolean }): void {
    const { betas, eps, weightDecay } = this.#options;
    const { values, gradients } = this.arena;
    values.device.run(kernel("optimizer", "adam"), {
      bindings: { values, gradients, first: this.#first, second: this.#second, clip },
      params: {
        start: run.start / 4,
        length: run.length / 4,
        clipped: Number(clipped),
        decoupled: Number(this.decoupled),
        learningRate: () => this.lr,
        weightDecay,
        beta1: betas[0],
        beta2: betas[1],
        epsilon: eps,
        correction1: () => 1 - betas[0] ** this.stepCount,
        correction2: () => 1 - betas[1] ** this.stepCount,
      },
      workgroups: Math.ceil(run.length / 256),
    });
  }
}

/** AdamW (Loshchilov and Hutter 2017): the weights decay by lr · weightDecay on their own, apart from the gradient. */
export class AdamW extends Adam {
  protected override readonly decoupled: boolean = true;

  constructor(parameters: Iterable<Parameter>, options: AdamOptions) {
    super(parameters, { weightDecay: 0.01, ...options });
  }
}
