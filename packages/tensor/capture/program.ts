import { type Command, type LiveWord, writeWord } from "../device/command.ts";
import { bindingSize, type Device } from "../device/device.ts";
import type { CompileProgress } from "../device/kernel.ts";
import { ALIGNMENT, type Storage } from "../device/memory.ts";
import { planMemory } from "./plan.ts";
import { isLasting, type Recording, usage } from "./recording.ts";

const UNIFORM = 0x40;
const STORAGE = 0x80;
const COPY_SRC = 0x04;
const COPY_DST = 0x08;

interface Step {
  readonly command: Command;
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly workgroups: readonly [number, number, number];
}

/** A recorded step with its memory, pipelines and bind groups: everything that a replay needs and nothing it would have to create. */
export class Program {
  readonly #device: Device;
  readonly #steps: Step[] = [];
  /** What the host does at each run, in order. */
  readonly #host: (() => void)[] = [];
  readonly #uniforms: GPUBuffer;
  readonly #uniformBytes: ArrayBuffer;
  readonly #liveBytes: number;
  readonly #slots: GPUBuffer[];
  /** Of inputs and outputs. */
  readonly #lasting: readonly GPUBuffer[];
  /** Everything bound that outlives the step: held here, or the collector would hand its memory to somebody else. */
  readonly #held: readonly Storage[];
  /** Bytes of the temporaries' slots, of the lasting outputs and inputs, and of the launches' parameters. */
  readonly bytes: number;
  #hasRun = false;

  /**
   * Compiles the kernels, plans the memory and binds everything.
   * @param lasting Inputs and outputs: temporaries that get a buffer of their own.
   */
  static async build(device: Device, recording: Recording, options: BuildOptions): Promise<Program> {
    const kernels = [...new Set(recording.commands.map((c) => c.kernel))];
    const { onCompile } = options;
    let hasShaders = false; // kernels are heard of after them, though they begin before
    const onKernel: CompileProgress = (...progress) => {
      if (hasShaders) onCompile?.(...progress);
    };
    const ahead = device.compileAhead?.compile(kernels, device, onKernel).catch(() => {}); // it only saves time
    await device.pipelines.compile(kernels, onCompile);
    hasShaders = true;
    await ahead;
    return new Program(device, recording, options.lasting);
  }

  private constructor(device: Device, recording: Recording, lasting: ReadonlySet<Storage>) {
    this.#device = device;
    const { commands } = recording;
    for (const storage of lasting) storage.buffer = device.createBuffer(storage.bytes, STORAGE | COPY_SRC | COPY_DST);
    this.#lasting = [...lasting].map((storage) => storage.buffer!);
    const storages = new Map(commands.flatMap((c) => c.ranges.map((r) => [r.storage.id, r.storage] as const)));
    this.#held = [...storages.values()].filter(isLasting);
    const plan = planMemory(commands.map(usage), (id) => storages.get(id)!.bytes);
    for (const bytes of plan.slotBytes) device.pool.checkFits(bytes, "a temporary of the captured step");
    this.#slots = plan.slotBytes.map((bytes) => device.createBuffer(bytes, STORAGE | COPY_SRC | COPY_DST));
    const bufferOf = (storage: Storage): GPUBuffer => storage.buffer ?? this.#slots[plan.slotOf.get(storage.id)!]!;
    // Commands with live parameters come first in the uniform buffer, so that one write refreshes them all.
    const withParams = commands.filter((c) => c.params.byteLength > 0);
    const ordered = [...withParams.filter((c) => c.live.length > 0), ...withParams.filter((c) => c.live.length === 0)];
    const places = new Map(ordered.map((c, i) => [c, i * ALIGNMENT]));
    this.#liveBytes = ALIGNMENT * ordered.filter((c) => c.live.length > 0).length;
    this.#uniformBytes = new ArrayBuffer(Math.max(1, ordered.length) * ALIGNMENT);
    for (const [command, place] of places) new Uint8Array(this.#uniformBytes, place).set(new Uint8Array(command.params));
    this.#uniforms = device.createBuffer(this.#uniformBytes.byteLength, UNIFORM | COPY_DST);
    device.gpu.queue.writeBuffer(this.#uniforms, 0, this.#uniformBytes);
    const temporaries = plan.slotBytes.reduce((a, b) => a + b, 0);
    this.bytes = temporaries + [...lasting].reduce((sum, s) => sum + s.bytes, 0) + this.#uniformBytes.byteLength;

    for (const item of recording.items) {
      if ("effect" in item) {
        this.#host.push(item.effect);
        continue;
      }
      const { command } = item;
      const ranges = command.ranges.map((r) => ({ buffer: bufferOf(r.storage), offset: r.offset, size: bindingSize(r) }));
      const offset = places.get(command) ?? 0;
      this.#steps.push({
        command,
        pipeline: device.pipelines.get(command.kernel),
        group: device.createBindGroup(command.kernel, { ranges, params: { buffer: this.#uniforms, offset } }),
        workgroups: command.workgroups,
      });
      for (const live of command.live) this.#host.push(this.#refresh(live, offset));
    }
  }

  /** Number of storages that the step uses in place, such as parameters and constants. */
  get lastingStorages(): number {
    return this.#held.length;
  }

  /** Whether it has been encoded before. */
  get hasRun(): boolean {
    return this.#hasRun;
  }

  /** Launches in one run. */
  get dispatches(): number {
    return this.#steps.length;
  }

  /** Encodes one run: a single compute pass over frozen state. `clock` is written before (0) and after (1) it. */
  encode(encoder: GPUCommandEncoder, clock?: GPUQuerySet): void {
    this.#begin();
    const pass = clock
      ? encoder.beginComputePass({ timestampWrites: { querySet: clock, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 } })
      : encoder.beginComputePass();
    let pipeline: GPUComputePipeline | undefined;
    for (const step of this.#steps) {
      if (step.pipeline !== pipeline) {
        pipeline = step.pipeline;
        pass.setPipeline(pipeline);
      }
      launch(pass, step);
    }
    pass.end();
  }

  /**
   * Encodes the first run so that somebody can be told how far the driver's compiling is: submits it in pieces that end with the first launch of a
   * kernel on this device, all at once, so that nothing comes between, and hears when each is done.
   * @returns An encoder for what comes after; its own commands, the last piece, are not submitted yet.
   */
  encodeFirst(encoder: GPUCommandEncoder, onCompile: CompileProgress): GPUCommandEncoder {
    const { gpu, pipelines } = this.#device;
    const fresh = new Set(this.#steps.map((step) => step.command.kernel).filter((kernel) => !pipelines.launched.has(kernel)));
    const total = fresh.size;
    let done = 0;
    if (total > 0) onCompile(0, total, "kernels");
    this.#begin();
    let current = encoder;
    let pass = current.beginComputePass();
    for (const step of this.#steps) {
      pass.setPipeline(step.pipeline);
      launch(pass, step);
      if (!fresh.delete(step.command.kernel)) continue;
      pass.end();
      this.#device.submitStep(current.finish(), 0);
      gpu.queue.onSubmittedWorkDone().then(
        () => onCompile(++done, total, "kernels"),
        () => {}, // whoever waits for the run hears of a lost device
      );
      current = gpu.createCommandEncoder();
      pass = current.beginComputePass();
    }
    pass.end();
    return current;
  }

  /** Encodes one run with a pass a launch: the clocks, as one row of queries, are written before (2 i) and after (2 i + 1) launch i. */
  encodeTimed(encoder: GPUCommandEncoder, clocks: readonly GPUQuerySet[]): void {
    this.#begin();
    let [clock, query] = [0, 0];
    for (const step of this.#steps) {
      if (query === clocks[clock]!.count) [clock, query] = [clock + 1, 0];
      const timestampWrites = { querySet: clocks[clock]!, beginningOfPassWriteIndex: query, endOfPassWriteIndex: query + 1 };
      query += 2;
      const pass = encoder.beginComputePass({ timestampWrites });
      pass.setPipeline(step.pipeline);
      launch(pass, step);
      pass.end();
    }
  }

  /** The launches, in order. */
  get commands(): Command[] {
    return this.#steps.map((step) => step.command);
  }

  /** Overwrites all temporaries, for tests: a step that reads what it has not written shows it. */
  poison(encoder: GPUCommandEncoder, source: GPUBuffer): void {
    for (const slot of this.#slots) {
      for (let at = 0; at < slot.size; at += source.size)
        encoder.copyBufferToBuffer(source, 0, slot, at, Math.min(source.size, slot.size - at));
    }
  }

  /** Frees the memory, that of inputs and outputs too. */
  destroy(): void {
    this.#device.flush(); // eager work may have read an output
    for (const buffer of [...this.#slots, ...this.#lasting, this.#uniforms]) this.#device.destroyBuffer(buffer);
  }

  /** What the host does at each run. */
  #begin(): void {
    if (!this.#hasRun) for (const { command } of this.#steps) this.#device.pipelines.launched.add(command.kernel);
    this.#hasRun = true;
    for (const act of this.#host) act();
    if (this.#liveBytes > 0) this.#device.gpu.queue.writeBuffer(this.#uniforms, 0, this.#uniformBytes, 0, this.#liveBytes);
  }

  #refresh(live: LiveWord, place: number): () => void {
    return () => writeWord(this.#uniformBytes, live, live.read(), place);
  }
}

function launch(pass: GPUComputePassEncoder, { group, workgroups }: Step): void {
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(workgroups[0], workgroups[1], workgroups[2]);
}

/** Options of {@link Program.build}. */
export interface BuildOptions {
  readonly lasting: ReadonlySet<Storage>;
  readonly onCompile?: CompileProgress;
}
