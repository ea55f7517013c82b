import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { Engine, EngineOptions, Started } from "./engine.ts";

/**
 * Work that no engine has a part in, on all cores of the processor or on the GPU: always the same, so that a time that moves says that the
 * machine was not itself.
 */
export async function openControl({ mode }: EngineOptions): Promise<Engine> {
  const start = mode === "gpu" ? await gpuControl() : cpuControl();
  return { versions: {}, build: async () => ({ start }) };
}

const ITERATIONS = 4e6;

/** Both sides of the seam in one string: a worker cannot be given a TypeScript file in every way that this program is run. */
const WORKER = `
  const { parentPort } = require("node:worker_threads");
  parentPort.on("message", (iterations) => {
    let x = 0.5;
    for (let i = 0; i < iterations; i++) x = 3.7 * x * (1 - x);
    parentPort.postMessage(x);
  });`;

/** A chain of dependent multiplications on every core. */
function cpuControl(): () => Started {
  const workers = Array.from({ length: availableParallelism() }, () => new Worker(WORKER, { eval: true }));
  for (const worker of workers) worker.unref();
  return () => {
    const done = workers.map((worker) => new Promise((resolve) => worker.once("message", resolve)));
    for (const worker of workers) worker.postMessage(ITERATIONS);
    return { finished: async () => Promise.all(done).then(() => Number.NaN) };
  };
}

const SHADER = `
  @group(0) @binding(0) var<storage, read_write> out: array<f32>;
  @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
    var x = vec4f(f32(id.x)) * 1e-6 + vec4f(0.1, 0.2, 0.3, 0.4);
    for (var i = 0; i < 4096; i++) { x = 3.7 * x * (1.0 - x); }
    out[id.x] = x.x + x.y + x.z + x.w;
  }`;

/** The same chain in 16,384 invocations. */
async function gpuControl(): Promise<() => Started> {
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
  const device = await adapter!.requestDevice();
  const invocations = 16_384;
  const pipeline = device.createComputePipeline({
    layout: "auto",
    compute: { module: device.createShaderModule({ code: SHADER }), entryPoint: "main" },
  });
  const buffer = device.createBuffer({ size: 4 * invocations, usage: GPUBufferUsage.STORAGE });
  const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: [{ binding: 0, resource: { buffer } }] });
  return () => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(invocations / 64);
    pass.end();
    device.queue.submit([encoder.finish()]);
    return { finished: async () => device.queue.onSubmittedWorkDone().then(() => Number.NaN) };
  };
}
