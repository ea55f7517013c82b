import type { Device } from "../device/device.ts";
import { ClockedRun, type Span } from "./clocked_run.ts";
import { costOf, type LaunchCost } from "./launch_cost.ts";
import type { Program } from "./program.ts";

/** What one launch of a captured step took, and what it did. */
export interface LaunchTime extends LaunchCost {
  /** The shader's file in `shaders/`. */
  readonly shader: string;
  readonly entry: string;
  /** Both, and the template parameters that make up the pipeline. */
  readonly kernel: string;
  readonly workgroups: readonly [number, number, number];
  /** When it began, in milliseconds since the first launch of its step. */
  readonly start: number;
  /** By the GPU's clock; 0 where it is too coarse to tell. */
  readonly milliseconds: number;
}

/**
 * Submits one run with the clock read around each launch. `feed` encodes what comes before the launches.
 * @throws CaptureError where the adapter has no clock.
 */
export async function timeLaunches(device: Device, program: Program, feed: (encoder: GPUCommandEncoder) => void): Promise<LaunchTime[]> {
  const run = new ClockedRun(device, program, { each: "launch" });
  device.flush();
  const encoder = device.gpu.createCommandEncoder();
  feed(encoder);
  run.encode(encoder);
  device.submitStep(encoder.finish(), program.dispatches);
  return describeLaunches(program, await run.read());
}

/** A program's launches with the spans in which they ran. */
export function describeLaunches(program: Program, spans: readonly Span[]): LaunchTime[] {
  return program.commands.map((command, i) => ({
    shader: command.kernel.shader,
    entry: command.kernel.entry,
    kernel: command.kernel.name,
    workgroups: command.workgroups,
    start: spans[i]!.start - spans[0]!.start,
    milliseconds: spans[i]!.end - spans[i]!.start,
    ...costOf(command),
  }));
}
