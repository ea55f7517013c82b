import { settle } from "#gpu";
import { type CompileProgress, type Kernel, PipelineCache } from "./kernel.ts";

const UNIFORM = 0x40;
const STORAGE = 0x80;
const INDIRECT = 0x100;

/** A launch that takes longer compiles: what the driver finds in its cache takes a few milliseconds. */
const SOONEST = 30;

/**
 * Makes a driver compile kernels before they are needed, several at once. Lavapipe makes machine code when a kernel is first launched, one after
 * another on a thread that belongs to the device, and keeps it in a cache on disk that all devices share. So other devices, opened for the
 * while, launch some of the kernels first, on no workgroups.
 */
export class CompileAhead {
  readonly #open: () => Promise<GPUDevice>;
  readonly #helpers: number;

  /** `open` opens one more device on the same adapter, and `helpers` says how many at most. */
  constructor({ open, helpers }: { readonly open: () => Promise<GPUDevice>; readonly helpers: number }) {
    this.#open = open;
    this.#helpers = helpers;
  }

  /**
   * Compiles kernels for a device, whose pipelines may still be under way. It begins with the longest; others come to help as soon as that is seen
   * to take time. If it does not, for the driver has it in its cache, nothing more is done. A shader that does not compile is for the pipelines' owner to report.
   */
  async compile(kernels: readonly Kernel[], { gpu, pipelines }: Owner, onProgress?: CompileProgress): Promise<void> {
    const waiting = kernels.filter((kernel) => !pipelines.launched.has(kernel)).toSorted((a, b) => b.code.length - a.code.length);
    const total = waiting.length;
    if (total < 2) return;
    const launch = async (owner: Owner, kernel: Kernel): Promise<void> => {
      const pipeline = await owner.pipelines.create(kernel);
      await launchOnNothing(owner.gpu, { kernel, pipeline, layout: owner.pipelines.layout(kernel) });
    };
    const longest = waiting.shift()!;
    await pipelines.create(longest);
    const first = launch({ gpu, pipelines }, longest);
    const isCached = await Promise.race([settle(first).then(() => true), later(SOONEST).then(() => false)]);
    if (isCached) return;
    let done = 0;
    onProgress?.(done, total, "kernels");
    const isDone = (kernel: Kernel): void => {
      pipelines.launched.add(kernel);
      onProgress?.(++done, total, "kernels");
    };
    const launchAll = async (owner: Owner): Promise<void> => {
      for (let kernel = waiting.shift(); kernel; kernel = waiting.shift()) {
        await launch(owner, kernel);
        isDone(kernel);
      }
    };
    const help = async (): Promise<void> => {
      const helper = await this.#open();
      try {
        await launchAll({ gpu: helper, pipelines: new PipelineCache(helper) });
      } finally {
        helper.destroy();
      }
    };
    const own = first.then(() => {
      isDone(longest);
      return launchAll({ gpu, pipelines });
    });
    const helpers = Array.from({ length: Math.min(this.#helpers, waiting.length) }, () => help().catch(() => {})); // nobody has to help
    await settle(Promise.all([own, ...helpers]));
  }
}

/** A device and its pipelines. */
interface Owner {
  readonly gpu: GPUDevice;
  readonly pipelines: PipelineCache;
}

const later = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Launches a kernel on no workgroups, and waits until the driver has done so. */
async function launchOnNothing(
  gpu: GPUDevice,
  { kernel, pipeline, layout }: { readonly kernel: Kernel; readonly pipeline: GPUComputePipeline; readonly layout: GPUBindGroupLayout },
): Promise<void> {
  const { bindings, paramBytes, paramBinding } = kernel.interface;
  const buffers: GPUBuffer[] = [];
  const bufferOf = (size: number, usage: number): GPUBuffer => {
    const buffer = gpu.createBuffer({ size, usage });
    buffers.push(buffer);
    return buffer;
  };
  const entries: GPUBindGroupEntry[] = bindings.map(({ index }) => ({ binding: index, resource: { buffer: bufferOf(256, STORAGE) } }));
  if (paramBytes > 0) entries.push({ binding: paramBinding, resource: { buffer: bufferOf(16 * Math.ceil(paramBytes / 16), UNIFORM) } });
  const group = gpu.createBindGroup({ layout, entries });
  const encoder = gpu.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroupsIndirect(bufferOf(12, INDIRECT), 0); // zeros; as arguments they would be warned of
  pass.end();
  gpu.queue.submit([encoder.finish()]);
  await gpu.queue.onSubmittedWorkDone();
  for (const buffer of buffers) buffer.destroy();
}
