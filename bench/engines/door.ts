import { create, globals } from "webgpu";

/** Calls that an engine made to WebGPU. */
export interface Counts {
  dispatches: number;
  submits: number;
  buffers: number;
  bindGroups: number;
  pipelines: number;
}

/** WebGPU as every engine in this process finds it, under `navigator.gpu`: the same instance and adapter for all, with calls counted. */
export interface Door {
  readonly counts: Readonly<Counts>;
  /** The adapter's description. */
  readonly adapter: string;
  /** Forgets what was counted. */
  reset(): void;
  /** Waits until all submitted work is done. */
  finished(): Promise<void>;
}

/** Dawn's instances must not be collected while a device lives. */
const instances: GPU[] = [];

type Method = (this: unknown, ...args: unknown[]) => unknown;

/**
 * Opens the door. With `isNull`, devices are Dawn's null backend's, which checks and counts everything and computes nothing, under the real
 * adapter's description, so that an engine chooses the kernels that it would choose there.
 */
export async function openDoor(options: { readonly isNull: boolean }): Promise<Door> {
  Object.assign(globalThis, globals);
  const real = newInstance([]);
  const realAdapter = await real.requestAdapter({ powerPreference: "high-performance" });
  if (!realAdapter) throw new Error("Expected a GPU adapter but found none");
  const gpu = options.isNull ? newInstance(["backend=null"]) : real;

  const counts: Counts = { dispatches: 0, submits: 0, buffers: 0, bindGroups: 0, pipelines: 0 };
  const devices: GPUDevice[] = [];
  const requestAdapter = gpu.requestAdapter.bind(gpu);
  gpu.requestAdapter = async (request) => {
    const adapter = await requestAdapter(request);
    if (!adapter) return null;
    if (options.isNull) Object.defineProperty(adapter, "info", { value: realAdapter.info });
    const requestDevice = adapter.requestDevice.bind(adapter);
    adapter.requestDevice = async (description) => {
      const device = await requestDevice(description);
      if (options.isNull) Object.defineProperty(device, "adapterInfo", { value: realAdapter.info });
      count(device, counts);
      devices.push(device);
      return device;
    };
    return adapter;
  };
  Object.defineProperty(globalThis, "navigator", { value: { gpu, userAgent: "node" }, configurable: true, writable: true });
  return {
    counts,
    adapter: realAdapter.info.description || realAdapter.info.device || "unnamed adapter",
    reset: () => {
      for (const name of Object.keys(counts) as (keyof Counts)[]) counts[name] = 0;
    },
    finished: async () => {
      await Promise.all(devices.map((device) => device.queue.onSubmittedWorkDone()));
    },
  };
}

function newInstance(dawn: string[]): GPU {
  const gpu = create(dawn);
  instances.push(gpu);
  return gpu;
}

/** Counts the calls of a device's classes, once for all devices: methods sit on prototypes that the devices share. */
function count(device: GPUDevice, counts: Counts): void {
  const deviceClass = Object.getPrototypeOf(device);
  if (counted.has(deviceClass)) return;
  counted.add(deviceClass);
  const around = (owner: object, name: string, tally: (args: unknown[]) => unknown[]): void => {
    const methods = owner as Record<string, Method>;
    const original = methods[name]!;
    methods[name] = function (...args) {
      return original.apply(this, tally(args));
    };
  };
  const tallied = (what: keyof Counts) => (args: unknown[]) => {
    counts[what]++;
    return args;
  };
  around(deviceClass, "createBuffer", tallied("buffers"));
  around(deviceClass, "createBindGroup", tallied("bindGroups"));
  around(deviceClass, "createComputePipeline", tallied("pipelines"));
  around(deviceClass, "createComputePipelineAsync", tallied("pipelines"));
  around(Object.getPrototypeOf(device.queue), "submit", tallied("submits"));
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass({});
  // Browsers take arguments that are undefined for absent; Dawn's binding does not, and the peers pass such.
  around(Object.getPrototypeOf(encoder), "beginComputePass", ([description]) => [
    (description as GPUComputePassDescriptor | undefined)?.timestampWrites ? description : {},
  ]);
  around(Object.getPrototypeOf(pass), "dispatchWorkgroups", (args) => {
    counts.dispatches++;
    return args.filter((size) => size !== undefined);
  });
  pass.end();
  encoder.finish();
}

const counted = new Set<object>();
