import { capture, type Device, full } from "../../mod.ts";
import { median, shortestTime } from "./timing.ts";

/** What work costs that is too small to take time. */
export interface Latency {
  /** Microseconds of a launch, eagerly. */
  readonly launch: number;
  /** Microseconds of a launch in a captured step. */
  readonly capturedLaunch: number;
  /** Milliseconds until the host has read four bytes back. */
  readonly readback: number;
}

const LAUNCHES = 100;

/** Times launches of almost nothing, and the way back from the GPU. */
export async function measureLatency(device: Device): Promise<Latency> {
  const [small, value] = [full([64], 0, { device }), full([1], 1, { device })];
  const launch = await shortestTime(device, { launch: () => void small.fill(1), budget: 150 });
  const step = capture(
    () => {
      for (let i = 0; i < LAUNCHES; i++) small.fill(i);
    },
    { device },
  );
  await step();
  await device.synchronize();
  const replays: number[] = [];
  const began = performance.now();
  while (replays.length < 5 || (performance.now() - began < 150 && replays.length < 100)) {
    const start = performance.now();
    await step();
    await device.synchronize();
    replays.push(performance.now() - start);
  }
  const readbacks: number[] = [];
  for (let i = 0; i < 9; i++) {
    const start = performance.now();
    await value.item();
    readbacks.push(performance.now() - start);
  }
  step.destroy();
  return { launch: 1000 * launch, capturedLaunch: (1000 * median(replays)) / LAUNCHES, readback: median(readbacks) };
}
