import type { Device } from "../device/device.ts";
import { ClockedRun, type Span } from "./clocked_run.ts";
import { describeLaunches, type LaunchTime } from "./profile.ts";
import type { Program } from "./program.ts";

/** One run of a captured step, as a {@link StepWatch} saw it. */
export interface WatchedStep extends Span {
  /** Numbers the captured steps in the order in which the watch met them. */
  readonly program: number;
  /** Empty where whole steps are timed. */
  readonly launches: readonly LaunchTime[];
}

/**
 * Times all runs of captured steps on a device by the GPU's clock, in whatever loop they stand: whole steps, which costs next to nothing, or
 * each launch, which then has a pass of its own. Times are read at the end, so watching holds nothing up.
 *
 * @example
 * ```ts
 * const watch = new StepWatch(device, { each: "step" });
 * for await (const _ of trainer.run({ until: 10 }));
 * const steps = await watch.stop(); // where the GPU had nothing to do between them, somebody kept it waiting
 * ```
 */
export class StepWatch {
  readonly #device: Device;
  readonly #each: "step" | "launch";
  readonly #runs: ClockedRun[] = [];

  /** Begins to watch. At the first step: @throws CaptureError where the adapter has no clock. */
  constructor(device: Device, { each }: { readonly each: "step" | "launch" }) {
    this.#device = device;
    this.#each = each;
    device.stepWatch = this;
  }

  /** Encodes a program's run with the clock in it: for captured steps. */
  encode(program: Program, encoder: GPUCommandEncoder): void {
    if (program.dispatches === 0) program.encode(encoder);
    else {
      const run = new ClockedRun(this.#device, program, { each: this.#each });
      this.#runs.push(run);
      run.encode(encoder);
    }
  }

  /** Watches no longer, and gives all runs since it began, in their order. */
  async stop(): Promise<WatchedStep[]> {
    if (this.#device.stepWatch === this) this.#device.stepWatch = undefined;
    const programs = [...new Set(this.#runs.map(({ program }) => program))];
    const steps: WatchedStep[] = [];
    for (const run of this.#runs) {
      const { program } = run;
      const spans = await run.read();
      const launches = this.#each === "launch" ? describeLaunches(program, spans) : [];
      steps.push({ program: programs.indexOf(program), start: spans[0]!.start, end: spans.at(-1)!.end, launches });
    }
    return steps;
  }
}

/**
 * The share of the time from the first step's start to the last one's end in which the GPU was inside one of them. What is missing from 1 it
 * spent waiting for the host, for a batch for example, or in work outside of captured steps.
 */
export function busyShare(steps: readonly Span[]): number {
  if (steps.length === 0) return 0;
  const wall = steps.at(-1)!.end - steps[0]!.start;
  return wall > 0 ? steps.reduce((sum, { start, end }) => sum + end - start, 0) / wall : 1;
}
