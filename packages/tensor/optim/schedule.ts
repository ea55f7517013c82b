import { TensorError } from "../errors.ts";
import type { Optimizer } from "./optimizer.ts";

/**
 * Learning-rate schedules: the rate is `initialLr · factor(steps taken)`. Call `step()` after `optimizer.step()`, outside of a captured step
 * or inside: either way the next run uses the new rate, for the rate is data.
 */
export class LambdaLR {
  readonly #optimizer: Optimizer;
  readonly #factor: (step: number) => number;
  #count = 0;

  constructor(optimizer: Optimizer, factor: (step: number) => number) {
    this.#optimizer = optimizer;
    this.#factor = factor;
    this.#apply();
  }

  /** Steps taken. Setting it jumps there, for resuming. */
  get stepCount(): number {
    return this.#count;
  }

  set stepCount(count: number) {
    this.#count = count;
    this.#apply();
  }

  step(): void {
    this.#optimizer.hostEffect(() => {
      this.stepCount = this.#count + 1;
    });
  }

  #apply(): void {
    this.#optimizer.lr = this.#optimizer.initialLr * this.#factor(this.#count);
  }
}

/** Multiplies the rate by `gamma` every `stepSize` steps. */
export class StepLR extends LambdaLR {
  constructor(optimizer: Optimizer, options: { readonly stepSize: number; readonly gamma?: number }) {
    const { stepSize, gamma = 0.1 } = options;
    super(optimizer, (step) => gamma ** Math.floor(step / atLeastOne("stepSize", stepSize)));
  }
}

/** Half a cosine from 1 to `minFactor` over `totalSteps`, then constant; after `warmupSteps` of linear growth, if any. */
export class CosineLR extends LambdaLR {
  constructor(optimizer: Optimizer, options: { readonly totalSteps: number; readonly warmupSteps?: number; readonly minFactor?: number }) {
    const { totalSteps, warmupSteps = 0, minFactor = 0 } = options;
    super(optimizer, (step) => {
      if (step < warmupSteps) return (step + 1) / (warmupSteps + 1);
      const done = Math.min(1, (step - warmupSteps) / Math.max(1, atLeastOne("totalSteps", totalSteps) - warmupSteps));
      return minFactor + (1 - minFactor) * 0.5 * (1 + Math.cos(Math.PI * done));
    });
  }
}

/** Linear growth over `warmupSteps`, constant, then linear decay to 0 over the last `decaySteps` of `totalSteps`. */
export class LinearLR extends LambdaLR {
  constructor(optimizer: Optimizer, options: { readonly totalSteps: number; readonly warmupSteps?: number; readonly decaySteps?: number }) {
    const { totalSteps, warmupSteps = 0, decaySteps = 0 } = options;
    atLeastOne("totalSteps", totalSteps);
    super(optimizer, (step) => {
      if (step < warmupSteps) return (step + 1) / (warmupSteps + 1);
      const left = totalSteps - step;
      return decaySteps > 0 && left < decaySteps ? Math.max(0, left / decaySteps) : 1;
    });
  }
}

function atLeastOne(name: string, value: number): number {
  if (!(value >= 1)) throw new TensorError(`Expected ${name} of at least 1 but found ${value}`);
  return value;
}
