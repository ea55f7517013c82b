import { availableParallelism } from "node:os";
import type { GpuOptions } from "./gpu_web.ts";

export type { GpuOptions };

/** Dawn instances must outlive their devices: one that is collected while a device lives crashes the process. */
const instances: GPU[] = [];

/** WebGPU through Dawn (npm `webgpu`), or the runtime's own where Node has one. */
export async function openGpu(options: GpuOptions = {}): Promise<GPU> {
  const own = (globalThis.navigator as Navigator | undefined)?.gpu;
  if (own && !options.dawn) return own;
  const { create } = await import("webgpu");
  const gpu = create([...(options.dawn ?? [])]);
  instances.push(gpu);
  return gpu;
}

/** Processors that this process may use. */
export function threads(): number {
  return availableParallelism();
}

const sleeper = new Int32Array(new SharedArrayBuffer(4));
const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Waits of so many milliseconds are long: they are remembered, and a wait that has become one may sleep as long as the last ones allow. */
const LONG = 3;
const recent = new Array<number>(4).fill(0);
/** Milliseconds that the event loop may have to wait for its turn: signals and progress should not notice. */
const LONGEST_SLEEP = 5;

/** Waits that are under way, the first begun first. It sleeps for all, or a turn of the event loop would take the sleeps of each. */
const underWay = new Set<object>();

/**
 * Waits for GPU work politely. While any promise of Dawn's is pending, Node's main thread spins, which takes a core from a software
 * adapter. So after a short spin for latency the thread sleeps in slices between turns of the event loop. A turn itself takes some 60 µs of the
 * processor: where the last long waits took longer than this one so far, as steps of a training do, slices are long until it is nearly time. They
 * grow as well where this wait has long been longer than those, as when kernels are compiled: a fiftieth more will not matter.
 */
export async function settle<T>(work: Promise<T>): Promise<T> {
  let done = false;
  const finished = (): void => {
    done = true;
  };
  work.then(finished, finished);
  const wait = {};
  underWay.add(wait);
  const start = performance.now();
  const surely = 0.9 * Math.min(...recent);
  const unheardOf = 2 * Math.max(...recent);
  while (!done) {
    const waited = performance.now() - start;
    const isFirst = underWay.values().next().value === wait;
    const slice = waited > unheardOf ? waited / 50 : surely - waited;
    // What takes about a millisecond, as a token does, should not wait half of one more.
    if (isFirst && waited > LONG) Atomics.wait(sleeper, 0, 0, Math.max(0.5, Math.min(LONGEST_SLEEP, slice)));
    else if (isFirst && waited > 0.3) Atomics.wait(sleeper, 0, 0, 0.1);
    await tick();
  }
  underWay.delete(wait);
  const waited = performance.now() - start;
  if (waited > LONG) {
    recent.shift();
    recent.push(waited);
  }
  return work;
}
