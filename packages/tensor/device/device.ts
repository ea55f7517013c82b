import { settle } from "#gpu";
import type { StepWatch } from "../capture/step_watch.ts";
import { CaptureError, DeviceError, DeviceLostError, OutOfMemoryError } from "../errors.ts";
import { BufferLedger, type LedgerStats } from "./buffer_ledger.ts";
import { type Command, type Param, packParams, type Range, writeWord } from "./command.ts";
import type { CompileAhead } from "./compile_ahead.ts";
import { type Kernel, PipelineCache } from "./kernel.ts";
import { ALIGNMENT, BufferPool, type PoolStats, type Storage } from "./memory.ts";
import { refusesReadback } from "./readback.ts";
import type { Tuning } from "./tuning.ts";

/** Which form of a kernel suits an adapter (docs/architecture.md, "Kernel families"). */
export type KernelFamily = "portable" | "panel" | "tile";

/** What a device has done so far, in counts that only grow, and the memory that it holds. */
export interface DeviceStats extends PoolStats, LedgerStats {
  readonly dispatches: number;
  readonly submits: number;
  readonly bindGroups: number;
  readonly pipelines: number;
  readonly readbacks: number;
  readonly bytesUploaded: number;
}

/** Something a kernel can be bound to: a stretch of a storage, or anything that says where its data lies (a dense tensor). */
export type Bindable = Range | { readonly range: Range };

/** One kernel launch. */
export interface Launch {
  /** By the names in the WGSL. */
  readonly bindings: Readonly<Record<string, Bindable>>;
  readonly params?: Readonly<Record<string, Param>>;
  /** Workgroups in x, y, z, or in all: a count beyond 65,535 is folded into x and y, and the kernel puts it together again. */
  readonly workgroups: number | readonly [number, number, number];
}

/** Where a step being captured collects what it would run. */
export interface Recorder {
  command(command: Command): void;
  effect(run: () => void): void;
}

const UNIFORM = 0x40;
const COPY_DST = 0x08;
const MAP_READ = 0x01;
const UNIFORM_SLOTS = 512;
/** Dispatches after which eager work is submitted, so that the GPU starts while JavaScript goes on. */
const EAGER_BATCH = 48;
const BIND_GROUP_CACHE = 4096;

/**
 * A GPU and everything the engine keeps on it. All work goes through one seam, {@link Device.run}: eager work is encoded and submitted in
 * batches; while a step is captured the same calls are recorded instead. Open one with `openDevice()`.
 */
export class Device {
  readonly gpu: GPUDevice;
  /** The adapter's own description, such as `"llvmpipe (LLVM 15.0.6, 256 bits)"`. */
  readonly name: string;
  readonly limits: GPUSupportedLimits;
  readonly features: ReadonlySet<string>;
  /** True for adapters that run on the CPU (lavapipe, SwiftShader, WARP). */
  readonly isSoftware: boolean;
  /** Lanes that run together where that number is fixed, else 0. */
  readonly subgroupSize: number;
  /** The kernels chosen for this adapter; tests set it to compare families. */
  family: KernelFamily;
  /** Kernels chosen by timing them; undefined for those that the family stands for. */
  tuning: Tuning | undefined;
  readonly pool: BufferPool;
  readonly pipelines: PipelineCache;
  /** Compiles kernels of captured steps before they are launched, where the driver would do it one after another then. */
  compileAhead: CompileAhead | undefined;
  /** Times the runs of captured steps while it is set. */
  stepWatch: StepWatch | undefined;
  /** Settles when the device is lost. */
  readonly lost: Promise<DeviceLostError>;

  #recorder: Recorder | undefined;
  #failure: DeviceError | undefined;
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;
  #slot = 0;
  #batched = 0;
  readonly #ledger: BufferLedger;
  readonly #uniforms: GPUBuffer;
  readonly #uniformBytes = new ArrayBuffer(UNIFORM_SLOTS * ALIGNMENT);
  readonly #groups = new Map<string, GPUBindGroup>();
  readonly #counts = { dispatches: 0, submits: 0, bindGroups: 0, readbacks: 0, bytesUploaded: 0 };

  constructor(gpu: GPUDevice, about: { name: string; isSoftware: boolean; subgroupSize: number; family: KernelFamily }) {
    this.gpu = gpu;
    this.name = about.name;
    this.isSoftware = about.isSoftware;
    this.subgroupSize = about.subgroupSize;
    this.family = about.family;
    this.limits = gpu.limits;
    this.features = gpu.features as ReadonlySet<string>;
    this.#ledger = new BufferLedger(gpu);
    this.pool = new BufferPool(this.#ledger, { limits: gpu.limits, beforeDestroy: () => this.#forgetBindGroups() });
    this.pipelines = new PipelineCache(gpu);
    this.#uniforms = this.createBuffer(UNIFORM_SLOTS * ALIGNMENT, UNIFORM | COPY_DST);
    this.lost = gpu.lost.then((info) => {
      const error = new DeviceLostError(`The GPU device was lost (${info.reason || "unknown"}): ${info.message || "no reason given"}`);
      this.#failure ??= error;
      return error;
    });
    gpu.onuncapturederror = (event) => {
      const message = (event as GPUUncapturedErrorEvent).error.message;
      const kind = (event as GPUUncapturedErrorEvent).error.constructor.name;
      this.#failure ??=
        kind === "GPUOutOfMemoryError" ? new OutOfMemoryError(`The GPU ran out of memory: ${message}`) : new DeviceError(message);
    };
  }

  /** Counters of work done and memory held. */
  stats(): DeviceStats {
    return { ...this.pool.stats(), ...this.#ledger.stats(), ...this.#counts, pipelines: this.pipelines.size };
  }

  /** Whether a family's own kernels run here: panels want subgroups of a fixed size, and fall back on portable kernels without them. */
  hasFamily(family: KernelFamily): boolean {
    return family !== "panel" || this.subgroupSize > 0;
  }

  /** True while a step is being captured. */
  get isRecording(): boolean {
    return this.#recorder !== undefined;
  }

  /** Runs `body` with every launch recorded instead of executed. */
  record<T>(recorder: Recorder, body: () => T): T {
    if (this.#recorder) throw new CaptureError("Expected no capture inside a captured step: call the inner function directly");
    this.#recorder = recorder;
    try {
      return body();
    } finally {
      this.#recorder = undefined;
    }
  }

  /** Launches a kernel, or records it inside a captured step. */
  run(kernel: Kernel, launch: Launch): void {
    this.checkAlive();
    const command = this.command(kernel, launch);
    if (command.workgroups.includes(0)) return;
    if (this.#recorder) this.#recorder.command(command);
    else this.#encode(command);
  }

  /**
   * Something the host does at every run of a step: counting optimizer steps, advancing a random stream. Eagerly it happens now; in a
   * captured step it happens at every replay, in its place among the launches.
   */
  hostEffect(effect: () => void): void {
    if (this.#recorder) this.#recorder.effect(effect);
    else effect();
  }

  /** Copies bytes from the host into a storage. */
  upload(storage: Storage, data: ArrayBufferView<ArrayBuffer>, offset = 0): void {
    this.checkAlive();
    this.flush();
    const bytes = data.byteLength - (data.byteLength % 4);
    if (bytes > 0) this.gpu.queue.writeBuffer(storage.buffer!, offset, data.buffer, data.byteOffset, bytes);
    if (bytes < data.byteLength) {
      const rest = new Uint8Array(4);
      rest.set(new Uint8Array(data.buffer, data.byteOffset + bytes));
      this.gpu.queue.writeBuffer(storage.buffer!, offset + bytes, rest);
    }
    this.#counts.bytesUploaded += data.byteLength;
    this.#submit([]); // dawn.node frees a write's staging memory only at a later submit
  }

  /** Reads a stretch of a storage back to the host, after all work given so far. */
  async download(range: Range): Promise<ArrayBuffer> {
    this.checkAlive();
    if (refusesReadback()) return new Promise(() => {}); // whoever runs the hook throws
    if (this.#recorder)
      throw new CaptureError("Expected no readback inside a captured step: return the tensor and read it from the step's result");
    if (range.storage.readback) return range.storage.readback(range);
    if (!range.storage.buffer)
      throw new CaptureError(`Cannot read ${range.storage.label}: ${range.storage.unreadable ?? "it has no memory yet"}`);
    if (range.bytes === 0) return new ArrayBuffer(0);
    const size = Math.ceil(range.bytes / 4) * 4;
    const staging = this.createBuffer(size, MAP_READ | COPY_DST);
    this.#endPass();
    const encoder = this.#encoder ?? this.gpu.createCommandEncoder();
    encoder.copyBufferToBuffer(range.storage.buffer, range.offset, staging, 0, size);
    this.#encoder = encoder;
    this.flush();
    try {
      await this.readStaging(staging, size);
      return staging.getMappedRange().slice(0, range.bytes);
    } finally {
      this.destroyBuffer(staging);
    }
  }

  /** Maps a staging buffer, waiting politely; failures come out as the device's typed errors. */
  async readStaging(staging: GPUBuffer, bytes: number): Promise<void> {
    this.#counts.readbacks++;
    try {
      await settle(staging.mapAsync(MAP_READ, 0, bytes));
    } catch (error) {
      await settle(Promise.resolve()); // lets the reason (a lost device, a validation error) arrive
      throw this.#failure ?? new DeviceError(`Expected to read ${bytes} bytes back but found: ${(error as Error).message}`);
    }
    this.checkAlive();
  }

  /** Waits until the GPU has done everything submitted so far. */
  async synchronize(): Promise<void> {
    this.flush();
    await settle(this.gpu.queue.onSubmittedWorkDone());
    this.checkAlive();
  }

  /** Submits eager work that is still being collected. */
  flush(): void {
    this.#endPass();
    if (!this.#encoder) return;
    if (this.#slot > 0) this.gpu.queue.writeBuffer(this.#uniforms, 0, this.#uniformBytes, 0, this.#slot * ALIGNMENT);
    const commands = this.#encoder.finish();
    this.#encoder = undefined;
    this.#slot = 0;
    this.#batched = 0;
    this.#submit([commands]);
  }

  /** Submits commands that a captured step has encoded itself. */
  submitStep(commands: GPUCommandBuffer, dispatches: number): void {
    this.flush();
    this.#counts.dispatches += dispatches;
    this.#submit([commands]);
  }

  /** A buffer outside of the pool, counted. */
  createBuffer(size: number, usage: number): GPUBuffer {
    return this.#ledger.create(size, usage);
  }

  /** Frees the memory of a buffer that {@link createBuffer} made. No work that is still being collected may use it. */
  destroyBuffer(buffer: GPUBuffer): void {
    this.#ledger.destroy(buffer);
  }

  /** A bind group, counted. Ranges follow `kernel.interface.bindings`; a kernel that takes parameters finds them at `params`. */
  createBindGroup(
    kernel: Kernel,
    bound: { ranges: readonly GPUBufferBinding[]; params: { buffer: GPUBuffer; offset: number } },
  ): GPUBindGroup {
    const { bindings, paramBytes, paramBinding } = kernel.interface;
    const entries: GPUBindGroupEntry[] = bindings.map((b, i) => ({ binding: b.index, resource: bound.ranges[i]! }));
    if (paramBytes > 0) entries.push({ binding: paramBinding, resource: { ...bound.params, size: paramBytes } });
    this.#counts.bindGroups++;
    return this.gpu.createBindGroup({ layout: this.pipelines.layout(kernel), entries });
  }

  /** Throws what made the device unusable, if anything did: after an uncaptured GPU error, results would be silently wrong. */
  checkAlive(): void {
    if (this.#failure) throw this.#failure;
  }

  /** Frees the GPU. Pending reads reject with DeviceLostError. */
  destroy(): void {
    this.#failure ??= new DeviceLostError("The GPU device was destroyed by the program");
    this.gpu.destroy();
  }

  [Symbol.dispose](): void {
    this.destroy();
  }

  /** A launch as data: what {@link run} executes or records. */
  command(kernel: Kernel, launch: Launch): Command {
    const ranges = kernel.interface.bindings.map((binding) => {
      const bound = launch.bindings[binding.name];
      if (!bound) throw new DeviceError(`Expected a binding '${binding.name}' for kernel ${kernel.name}`);
      const range = "range" in bound ? bound.range : bound;
      if (range.offset % ALIGNMENT)
        throw new DeviceError(`Expected '${binding.name}' of kernel ${kernel.name} at a multiple of ${ALIGNMENT} bytes`);
      return range;
    });
    return { kernel, ranges, ...packParams(kernel, launch.params ?? {}), workgroups: this.#grid(launch.workgroups) };
  }

  #grid(workgroups: Launch["workgroups"]): readonly [number, number, number] {
    if (typeof workgroups !== "number") return workgroups;
    const most = this.limits.maxComputeWorkgroupsPerDimension;
    if (workgroups <= most) return [workgroups, 1, 1];
    const rows = Math.ceil(workgroups / most);
    return [Math.ceil(workgroups / rows), rows, 1];
  }

  #encode(command: Command): void {
    const { kernel } = command;
    const pipeline = this.pipelines.get(kernel);
    this.pipelines.launched.add(kernel);
    const at = this.#slot * ALIGNMENT;
    const group = this.#bindGroup(command, at);
    this.#encoder ??= this.gpu.createCommandEncoder();
    this.#pass ??= this.#encoder.beginComputePass();
    this.#pass.setPipeline(pipeline);
    this.#pass.setBindGroup(0, group);
    if (kernel.interface.paramBytes > 0) {
      this.#slot++;
      new Uint8Array(this.#uniformBytes, at).set(new Uint8Array(command.params));
      for (const live of command.live) writeWord(this.#uniformBytes, live, live.read(), at);
    }
    this.#pass.dispatchWorkgroups(...command.workgroups);
    this.#counts.dispatches++;
    if (++this.#batched >= EAGER_BATCH || this.#slot === UNIFORM_SLOTS) this.flush();
  }

  /** A group over these buffers with the parameters at this place of the batch: a loop that does the same again finds those of the last time. */
  #bindGroup({ kernel, ranges }: Command, at: number): GPUBindGroup {
    const { bindings, paramBytes } = kernel.interface;
    let key = paramBytes > 0 ? `${paramBytes}@${at}` : "";
    for (let i = 0; i < ranges.length; i++) {
      const { storage, offset, bytes } = ranges[i]!;
      if (!storage.buffer) throw new CaptureError(`Cannot use ${storage.label}: ${storage.unreadable ?? "it has no memory yet"}`);
      key += `|${bindings[i]!.index}${bindings[i]!.access[0]}${bufferId(storage.buffer)}+${offset}:${bytes}`;
    }
    let group = this.#groups.get(key);
    if (!group) {
      if (this.#groups.size >= BIND_GROUP_CACHE) this.#groups.clear();
      const resources = ranges.map((r) => ({ buffer: r.storage.buffer!, offset: r.offset, size: bindingSize(r) }));
      group = this.createBindGroup(kernel, { ranges: resources, params: { buffer: this.#uniforms, offset: at } });
      this.#groups.set(key, group);
    }
    return group;
  }

  #forgetBindGroups(): void {
    this.flush();
    this.#groups.clear();
  }

  #endPass(): void {
    this.#pass?.end();
    this.#pass = undefined;
  }

  #submit(commands: GPUCommandBuffer[]): void {
    this.gpu.queue.submit(commands);
    this.#counts.submits++;
  }
}

/** Bound sizes are multiples of 16 bytes, so that kernels may see arrays of vec4; storages are rounded up likewise. */
export function bindingSize(range: Range): number {
  return Math.min(Math.max(16, Math.ceil(range.bytes / 16) * 16), range.storage.bytes - range.offset);
}

let nextBufferId = 1;
const bufferIds = new WeakMap<GPUBuffer, number>();

function bufferId(buffer: GPUBuffer): number {
  let id = bufferIds.get(buffer);
  if (id === undefined) {
    id = nextBufferId++;
    bufferIds.set(buffer, id);
  }
  return id;
}
