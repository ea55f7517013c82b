import { TensorError } from "@cursive/tensor";

/** How a rate changes over a training run. */
export interface RateSchedule {
  /** Steps of linear growth from 0. Default 0. */
  readonly warmupSteps?: number;
  /** Steps of decay at the end. Default 0. */
  readonly decaySteps?: number;
  /** `"linear"`: straight to `minFactor`; `"cosine"`: half a cosine. Default `"linear"`. */
  readonly decay?: "linear" | "cosine";
  /** What is left of the rate at the end. Default 0. */
  readonly minFactor?: number;
}

/** The factor of the rate at a step, counted from 0, of `totalSteps`. */
export function rateFactor(step: number, totalSteps: number, schedule: RateSchedule = {}): number {
  const { warmupSteps = 0, decaySteps = 0, decay = "linear", minFactor = 0 } = schedule;
  if (warmupSteps + decaySteps > totalSteps)
    throw new TensorError(`Expected warm-up and decay within ${totalSteps} steps but found ${warmupSteps} + ${decaySteps}`);
  if (step < warmupSteps) return (step + 1) / (warmupSteps + 1);
  const left = totalSteps - step;
  if (left >= decaySteps) return 1;
  const share = Math.max(0, left) / decaySteps; // 1 → 0
  return minFactor + (1 - minFactor) * (decay === "linear" ? share : 0.5 * (1 - Math.cos(Math.PI * share)));
}

/** The factor of a coefficient at a step, counted from 0: linear growth over `warmupSteps`, then 1. */
export function warmupFactor(step: number, warmupSteps: number): number {
  return warmupSteps > 0 ? Math.min(1, step / warmupSteps) : 1;
}
