import type { WatchedStep } from "@cursive/tensor";
import { median } from "../run/speed.ts";
import { leastTime, type Roofline } from "./roofline.ts";

/** What a kernel takes in a training step. */
export interface KernelRow {
  /** Shader, entry point and template parameters, those that are off left out. */
  readonly kernel: string;
  /** In a step, on average. */
  readonly launches: number;
  /** Milliseconds in a step. */
  readonly milliseconds: number;
  /** Of all launches' time. */
  readonly share: number;
  /** 10⁹ operations a second; null where they are not counted. */
  readonly gigaflops: number | null;
  /** Null where bytes are not counted. */
  readonly gigabytesPerSecond: number | null;
  /** The least time that the roofline allows, as a part of the time taken; null where bytes are not counted. */
  readonly ofRoofline: number | null;
}

/**
 * Sums launches up by kernel, for one of `trainingSteps`. A launch's time is the median of its runs: other programs can only make it longer.
 * Rows come in the order of their time.
 */
export function kernelRows(
  steps: readonly WatchedStep[],
  about: { readonly trainingSteps: number; readonly roofline: Roofline },
): KernelRow[] {
  const { trainingSteps, roofline } = about;
  const totals = new Map<string, { launches: number; milliseconds: number; flops: number; bytes: number; least: number }>();
  for (const runs of byProgram(steps)) {
    for (const [i, launch] of runs[0]!.launches.entries()) {
      const count = runs.length / trainingSteps;
      const kernel = shortName(launch.kernel);
      const total = totals.get(kernel) ?? { launches: 0, milliseconds: 0, flops: 0, bytes: 0, least: 0 };
      totals.set(kernel, {
        launches: total.launches + count,
        milliseconds: total.milliseconds + count * median(runs.map(({ launches }) => launches[i]!.milliseconds)),
        flops: total.flops + count * (launch.flops ?? Number.NaN),
        bytes: total.bytes + count * (launch.bytes ?? Number.NaN),
        least: total.least + count * (leastTime(launch, roofline) ?? Number.NaN),
      });
    }
  }
  const all = [...totals.values()].reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  const known = (value: number): number | null => (Number.isFinite(value) ? value : null);
  const rows = [...totals].map(([kernel, { launches, milliseconds, flops, bytes, least }]) => ({
    kernel,
    launches,
    milliseconds,
    share: milliseconds / all,
    gigaflops: known(flops / milliseconds / 1e6),
    gigabytesPerSecond: known(bytes / milliseconds / 1e6),
    ofRoofline: known(least / milliseconds),
  }));
  return rows.sort((a, b) => b.milliseconds - a.milliseconds);
}

/** The runs of each captured step. */
export function byProgram(steps: readonly WatchedStep[]): WatchedStep[][] {
  const groups = new Map<number, WatchedStep[]>();
  for (const step of steps) groups.set(step.program, [...(groups.get(step.program) ?? []), step]);
  return [...groups.values()];
}

/** `gemm_tile.main TM=4 VEC=true GELU=false` without what is off: `gemm_tile.main TM=4 VEC`. */
export function shortName(kernel: string): string {
  return kernel.replace(/ \w+=(false|0)\b/g, "").replace(/=true\b/g, "");
}
