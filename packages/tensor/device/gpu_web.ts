import { DeviceError } from "../errors.ts";

/** Options of the place that opens WebGPU; browsers and Deno have none of Dawn's switches. */
export interface GpuOptions {
  /** Dawn's own switches (`"backend=vulkan"`, `"enable-dawn-features=…"`); Node only. */
  readonly dawn?: readonly string[];
}

/** WebGPU as the browser or Deno provides it. Throws DeviceError where there is none. */
export function openGpu(_options: GpuOptions = {}): Promise<GPU> {
  const gpu = (globalThis.navigator as Navigator | undefined)?.gpu;
  if (gpu) return Promise.resolve(gpu);
  const why =
    globalThis.isSecureContext === false
      ? "this page is not a secure context: open it over https or from localhost"
      : "this browser or runtime has no navigator.gpu: try a current Chrome, Edge, Firefox or Safari, or Deno";
  return Promise.reject(new DeviceError(`Expected WebGPU but found none: ${why}`));
}

/** One: pages and Deno leave compiling to the browser or runtime. */
export function threads(): number {
  return 1;
}

/** Waits for GPU work. The event loop does that well by itself here; Node needs more care (`gpu_node.ts`). */
export function settle<T>(work: Promise<T>): Promise<T> {
  return work;
}
