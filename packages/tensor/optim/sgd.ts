import { kernel } from "../device/kernel.ts";
import type { Parameter } from "../nn/parameter.ts";
import type { Tensor } from "../tensor.ts";
import type { Run } from "./arena.ts";
import { Optimizer, type OptimizerOptions } from "./optimizer.ts";

/** Options of {@link Sgd}. */
export interface SgdOptions extends OptimizerOptions {
  readonly momentum?: number;
  readonly dampening?: number;
  readonly weightDecay?: number;
  /** Look ahead along the velocity (Sutskever et al. 2013). */
  readonly nesterov?: boolean;
}

/** Stochastic gradient descent, with momentum as PyTorch defines it. */
export class SGD extends Optimizer {
  readonly #options: SgdOptions;
  readonly #velocity: Tensor;

  constructor(parameters: Iterable<Parameter>, options: SgdOptions) {
    super(parameters, options);
    this.#options = options;
    this.#velocity = this.arena.flatZeros();
  }

  protected override moments(): Record<string, Tensor> {
    return { momentum_buffer: this.#velocity };
  }

  protected override update(run: Run, { clip, clipped }: { clip: Tensor; clipped: boolean }): void {
    const { momentum = 0, dampening = 0, weightDecay = 0, nesterov = false } = this.#options;
    const { values, gradients } = this.arena;
    values.device.run(kernel("optimizer", "sgd"), {
      bindings: { values, gradients, first: this.#velocity, clip },
      params: {
        start: run.start / 4,
        length: run.length / 4,
        clipped: Number(clipped),
        learningRate: () => this.lr,
        weightDecay,
        momentum,
        dampening: () => (momentum === 0 || this.stepCount === 1 ? 0 : dampening), // without velocity there is nothing to dampen
        nesterov: Number(nesterov),
      },
      workgroups: Math.ceil(run.length / 256),
    });
  }
}
