import type { StepReport } from "@cursive/cursive-model";
import { clock, short } from "../terminal/progress.ts";

/** The time a step takes: the median of the latest ones, for the first ones compile shaders and would spoil an average over all. */
export class Speed {
  readonly #recent: number[] = [];

  /** Takes a step's milliseconds and gives the median. */
  add(milliseconds: number): number {
    this.#recent.push(milliseconds);
    if (this.#recent.length > 50) this.#recent.shift();
    return median(this.#recent);
  }
}

/** The middle value. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}

/** Where training stands, in a line. `tokens` are those of a step. */
export function statusLine(
  { step, loss, lr }: StepReport,
  about: { readonly steps: number; readonly tokens: number; readonly milliseconds: number; readonly testLoss: number | undefined },
): string {
  const { steps, tokens, milliseconds, testLoss } = about;
  return [
    `step ${step}/${steps}`,
    `loss ${loss.toFixed(3)}${testLoss === undefined ? "" : ` (test ${testLoss.toFixed(3)})`}`,
    `${short((1000 * tokens) / milliseconds)} tokens/s`,
    `${milliseconds.toFixed(0)} ms`,
    `lr ${lr.toPrecision(2)}`,
    `ETA ${clock(((steps - step) * milliseconds) / 1000)}`,
  ].join("  ");
}
