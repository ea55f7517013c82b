import { busyShare, type Device, StepWatch, type WatchedStep } from "@cursive/tensor";
import { median } from "../run/speed.ts";
import { byProgram, type KernelRow, kernelRows } from "./kernel_rows.ts";
import { better, measureRoofline, type Roofline } from "./roofline.ts";

/** A training loop that can be run on to any step. */
export interface Profiled {
  /** Takes steps until so many are taken in all, and tells of each how long it took. */
  run(options: { readonly until: number }): AsyncIterable<{ readonly milliseconds: number }>;
}

/** What {@link profileSteps} does. */
export interface ProfileOptions {
  readonly device: Device;
  /** Steps to time as they are, and as many again launch by launch. */
  readonly steps: number;
  readonly say: (text: string) => void;
}

/** What a training step takes, and where. */
export interface Profile {
  readonly roofline: Roofline;
  /** Steps timed as they are, and as many launch by launch. */
  readonly steps: number;
  /** Wall time of a step in the training loop, the median. */
  readonly millisecondsPerStep: number;
  /** Time of a step by the GPU's clock, of all captured steps that a training step has; each is the median of its runs. */
  readonly gpuMillisecondsPerStep: number;
  /** Time of a step's launches one by one: each has a pass of its own then, so this is more. */
  readonly launchMillisecondsPerStep: number;
  /** Share of the loop's time in which the GPU was inside of submitted steps. */
  readonly busy: number;
  readonly kernels: readonly KernelRow[];
  /** Everything that was timed, for a trace. */
  readonly watched: readonly WatchedStep[];
}

/** Steps before those that are timed: shaders compile, memory is touched, clocks rise. */
const WARM_UP = 2;

/** Takes steps of a training loop and times them: whole steps, then launches, and before and after them the roofline. */
export async function profileSteps(trainer: Profiled, { device, steps, say }: ProfileOptions): Promise<Profile> {
  let taken = 0;
  const take = async (count: number, doing: string): Promise<number[]> => {
    const times: number[] = [];
    for await (const { milliseconds } of trainer.run({ until: taken + count })) {
      times.push(milliseconds);
      say(`${doing} ${times.length}/${count}`);
    }
    taken += count;
    return times;
  };
  await take(WARM_UP, "first steps");
  const before = await measureRoofline(device, say);
  await take(1, "a step after other work"); // timing products has put the loop's memory out of the caches
  const whole = new StepWatch(device, { each: "step" });
  const times = await take(steps, "timing steps");
  const wholes = await whole.stop();
  const single = new StepWatch(device, { each: "launch" });
  await take(steps, "timing launches");
  const singles = await single.stop();
  const roofline = better(before, await measureRoofline(device, say));
  const kernels = kernelRows(singles, { trainingSteps: steps, roofline });
  return {
    roofline,
    steps,
    millisecondsPerStep: median(times),
    gpuMillisecondsPerStep: byProgram(wholes).reduce(
      (sum, runs) => sum + (runs.length / steps) * median(runs.map(({ start, end }) => end - start)),
      0,
    ),
    launchMillisecondsPerStep: kernels.reduce((sum, { milliseconds }) => sum + milliseconds, 0),
    busy: busyShare(wholes),
    kernels,
    watched: [...wholes, ...singles],
  };
}
