import type { Device } from "../device/device.ts";
import { CaptureError } from "../errors.ts";
import type { Program } from "./program.ts";

/** What one launch of a captured step took. */
export interface LaunchTime {
  /** The shader's file in `shaders/`. */
  readonly shader: string;
  readonly entry: string;
  /** Both, and the template parameters that make up the pipeline. */
  readonly kernel: string;
  readonly workgroups: readonly [number, number, number];
  /** By the GPU's clock; 0 where it is too coarse to tell. */
  readonly milliseconds: number;
  /** Bound memory, read and written: what the launch moves if it touches each byte once. */
  readonly bytes: number;
}

const QUERY_RESOLVE = 0x200;
const COPY_SRC = 0x04;
const COPY_DST = 0x08;
const MAP_READ = 0x01;

/** Whether launches can be timed on a device: it needs the feature `timestamp-query`. */
export function canTime(device: Device): boolean {
  return device.gpu.features.has("timestamp-query");
}

/**
 * Submits one run with the clock read around each launch. `feed` encodes what comes before the launches.
 * @throws CaptureError where the adapter has no clock.
 */
export async function timeLaunches(device: Device, program: Program, feed: (encoder: GPUCommandEncoder) => void): Promise<LaunchTime[]> {
  if (!canTime(device)) throw new CaptureError(`Expected an adapter with timestamp-query but found none on ${device.name}`);
  const { commands } = program;
  const count = 2 * commands.length;
  const clock = device.gpu.createQuerySet({ type: "timestamp", count });
  const resolved = device.createBuffer(8 * count, QUERY_RESOLVE | COPY_SRC);
  const staging = device.createBuffer(8 * count, MAP_READ | COPY_DST);
  try {
    device.flush();
    const encoder = device.gpu.createCommandEncoder();
    feed(encoder);
    program.encodeTimed(encoder, clock);
    encoder.resolveQuerySet(clock, 0, count, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, 8 * count);
    device.submitStep(encoder.finish(), commands.length);
    await device.readStaging(staging, 8 * count);
    const ticks = new BigUint64Array(staging.getMappedRange()); // nanoseconds
    return commands.map((command, i) => ({
      shader: command.kernel.shader,
      entry: command.kernel.entry,
      kernel: command.kernel.name,
      workgroups: command.workgroups,
      milliseconds: Math.max(0, Number(ticks[2 * i + 1]! - ticks[2 * i]!)) / 1e6,
      bytes: command.ranges.reduce((sum, range) => sum + range.bytes, 0),
    }));
  } finally {
    clock.destroy();
    resolved.destroy();
    staging.destroy();
  }
}
