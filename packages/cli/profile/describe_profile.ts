import { digits } from "../doctor/speed/speed.ts";
import { table } from "../terminal/table.ts";
import type { KernelRow } from "./kernel_rows.ts";
import type { Profile } from "./profile_steps.ts";

const DASH = "–";

/** A profile for people. */
export function describeProfile(profile: Profile): string {
  const { roofline, kernels } = profile;
  const launches = kernels.reduce((sum, row) => sum + row.launches, 0);
  return [
    `step      ${digits(profile.millisecondsPerStep)} ms in the training loop, the median of ${profile.steps}; ` +
      `${digits(profile.gpuMillisecondsPerStep)} ms by the GPU's clock; ${percent(profile.busy)} of the loop's time is spent in submitted work`,
    `roofline  ${digits(roofline.gigaflops)} GFLOP/s (a product of ${roofline.shape}), ${digits(roofline.gigabytesPerSecond)} GB/s (a copy), measured just now`,
    "",
    table([["kernel", "launches", "ms", "% of time", "GFLOP/s", "GB/s", "% of roofline"], ...kernels.map(cells)]),
    "",
    `${digits(launches)} launches of ${digits(profile.launchMillisecondsPerStep)} ms, timed one by one; ${DASH} is not counted`,
  ].join("\n");
}

function cells({ kernel, launches, milliseconds, share, gigaflops, gigabytesPerSecond, ofRoofline }: KernelRow): string[] {
  const orDash = (value: number | null): string => (value === null ? DASH : digits(value));
  return [
    kernel,
    Number.isInteger(launches) ? String(launches) : launches.toFixed(1),
    milliseconds.toFixed(milliseconds < 1 ? 3 : 1),
    (100 * share).toFixed(1),
    orDash(gigaflops),
    orDash(gigabytesPerSecond),
    ofRoofline === null ? DASH : (100 * ofRoofline).toFixed(0),
  ];
}

const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
