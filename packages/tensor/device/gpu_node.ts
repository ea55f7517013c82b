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

const sleeper = new Int32Array(new SharedArrayBuffer(4));
const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/**
 * Waits for GPU work politely. While any promise of Dawn's is pending, Node's main thread spins, which takes a core from a software
 * adapter. So after a short spin for latency the thread sleeps in slices between turns of the event loop.
 */
export async function settle<T>(work: Promise<T>): Promise<T> {
  let done = false;
  const finished = (): void => {
    done = true;
  };
  work.then(finished, finished);
  const start = performance.now();
  while (!done) {
    const waited = performance.now() - start;
    // What takes about a millisecond, as a token does, should not wait half of one more.
    if (waited > 0.3) Atomics.wait(sleeper, 0, 0, waited < 3 ? 0.1 : 0.5);
    await tick();
  }
  return work;
}
