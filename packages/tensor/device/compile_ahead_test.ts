import { describe, expect, it, vi } from "vitest";
import { CompileAhead } from "./compile_ahead.ts";
import { type CompileProgress, type Kernel, kernelFromSource, PipelineCache } from "./kernel.ts";

/** A device that does nothing but wait after a launch, and notes what is launched. */
class IdleDevice {
  readonly launched: string[] = [];
  isDestroyed = false;
  readonly queue: { submit(): void; onSubmittedWorkDone(): Promise<void> };

  constructor(wait: () => Promise<void>) {
    this.queue = { submit: () => {}, onSubmittedWorkDone: wait };
  }

  get gpu(): GPUDevice {
    return this as unknown as GPUDevice;
  }
  createShaderModule = (): unknown => ({});
  createBindGroupLayout = (): unknown => ({});
  createPipelineLayout = (): unknown => ({});
  createBindGroup = (): unknown => ({});
  createBuffer = (): unknown => ({ destroy: () => {} });
  createComputePipelineAsync = async ({ label }: { label: string }): Promise<unknown> => {
    if (label === "broken") throw new Error("this shader is wrong");
    return { label };
  };
  createCommandEncoder = (): unknown => ({
    beginComputePass: () => ({
      setPipeline: ({ label }: { label: string }) => this.launched.push(label),
      setBindGroup: () => {},
      dispatchWorkgroupsIndirect: () => {},
      end: () => {},
    }),
    finish: () => ({}),
  });
  destroy = (): void => {
    this.isDestroyed = true;
  };
}

const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
const atOnce = async (): Promise<void> => {};

/** Kernels of growing length. */
const kernelsOf = (...names: string[]): Kernel[] =>
  names.map((name, i) => kernelFromSource(name, `@compute @workgroup_size(1) fn main() { ${"_ = 1;".repeat(i)} }`));

function compile(kernels: readonly Kernel[], about: { own: IdleDevice; helper: IdleDevice | undefined }) {
  const { own, helper } = about;
  const heard: Parameters<CompileProgress>[] = [];
  const pipelines = new PipelineCache(own.gpu);
  let opened = 0;
  const open = async (): Promise<GPUDevice> => {
    opened++;
    if (!helper) throw new Error("no second device");
    return helper.gpu;
  };
  const ahead = new CompileAhead({ open, helpers: 1 });
  const run = () => ahead.compile(kernels, { gpu: own.gpu, pipelines }, (...progress) => heard.push(progress));
  return { run, pipelines, heard, opened: () => opened };
}

describe("CompileAhead", () => {
  it("shares kernels among devices once the longest is seen to take time, each to one of them", async () => {
    const helper = new IdleDevice(atOnce);
    const own = new IdleDevice(async () => {
      while (helper.launched.length < 4) await sleep(5);
    });
    const kernels = kernelsOf("a", "b", "c", "d", "e");
    const { run, pipelines, heard, opened } = compile(kernels, { own, helper });
    await run();
    expect(own.launched).toEqual(["e"]);
    expect(helper.launched).toEqual(["d", "c", "b", "a"]);
    expect([...pipelines.launched].map(({ name }) => name).sort()).toEqual(["a", "b", "c", "d", "e"]);
    expect(heard).toEqual([0, 1, 2, 3, 4, 5].map((done) => [done, 5, "kernels"]));
    expect([opened(), helper.isDestroyed, own.isDestroyed]).toEqual([1, true, false]);
    await run();
    expect(opened()).toBe(1); // nothing is left to compile
  });

  it("leaves it at one launch where the driver has compiled before", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout"] }); // however busy the machine, no time passes
    try {
      const [own, helper] = [new IdleDevice(atOnce), new IdleDevice(atOnce)];
      const { run, heard, opened } = compile(kernelsOf("a", "b", "c"), { own, helper });
      await run();
      expect(own.launched).toEqual(["c"]);
      expect([heard, opened()]).toEqual([[], 0]);
    } finally {
      vi.useRealTimers();
    }
  });

  it("goes on alone where no other device can be opened", async () => {
    const own = new IdleDevice(() => sleep(100));
    const { run, pipelines } = compile(kernelsOf("a", "b", "c"), { own, helper: undefined });
    await run();
    expect(own.launched).toEqual(["c", "b", "a"]);
    expect(pipelines.launched.size).toBe(3);
  });

  it("fails where a shader does", async () => {
    const { run } = compile(kernelsOf("a", "broken"), { own: new IdleDevice(atOnce), helper: undefined });
    await expect(run()).rejects.toThrow("this shader is wrong");
  });
});
