import { settle } from "#gpu";
import type { Device } from "../device/device.ts";
import type { CompileProgress } from "../device/kernel.ts";
import { Storage } from "../device/memory.ts";
import { currentDevice } from "../device/open.ts";
import { BYTES, toElements } from "../dtype.ts";
import { CaptureError } from "../errors.ts";
import type { HostTensor } from "../io/host_tensor.ts";
import { hookClock } from "../nn/hook.ts";
import { type AnyModule, observeModules } from "../nn/module.ts";
import { parameterMoves } from "../nn/parameter.ts";
import { dense, empty } from "../ops/copy.ts";
import { format, rowMajorStrides } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { mergeSums } from "./merge_sums.ts";
import { type LaunchTime, timeLaunches } from "./profile.ts";
import { Program } from "./program.ts";
import { layOut, ReadbackRing } from "./readback_ring.ts";
import { isLasting, Recording } from "./recording.ts";

/** What a captured step takes: tensors on the GPU, or host values, which each run writes into the plan's own input memory. */
export type StepInput = Tensor | HostTensor;

/** What a step may return: a tensor, nothing, or lists and records of such. */
// biome-ignore lint/suspicious/noConfusingVoidType: a step without a return statement has the type void
export type StepOutput = Tensor | undefined | void | readonly StepOutput[] | { readonly [name: string]: StepOutput };

/** Options of {@link capture}. */
export interface CaptureOptions {
  readonly device?: Device;
  /**
   * Called while the step's shaders compile, and then, while it runs for the first time, as each kernel that is new to the device has run. A run
   * with kernels to hear of is submitted in pieces; all others are one submit.
   */
  readonly onCompile?: CompileProgress;
  /** Runs that may be under way on the GPU before `run()` waits. Default 2. */
  readonly inFlight?: number;
  /** Fill all temporaries with NaN before every run. For tests: shows a step that relies on memory it has not written. */
  readonly poison?: boolean;
}

/** What a captured step costs: launches a run, and the memory that it holds: inputs, outputs, temporaries, small results on their way to the host. */
export interface PlanCost {
  readonly dispatches: number;
  readonly bytes: number;
}

/** A captured step: call it like the step itself, but await it. */
export interface CapturedStep<I extends readonly StepInput[], O> {
  (...inputs: I): Promise<O>;
  /** Records, compiles and plans the step for inputs of these shapes, without running it. */
  prepare(...inputs: I): Promise<PlanCost>;
  /**
   * Runs the step with the GPU's clock read around each launch, and gives the launches' times in place of the step's result.
   * @throws CaptureError on an adapter without timestamp queries.
   */
  profile(...inputs: I): Promise<LaunchTime[]>;
  /** What the plan for the inputs used last costs, or undefined before the first run. */
  plan(): PlanCost | undefined;
  /** Frees the plans' memory. */
  destroy(): void;
}

/** Results up to this size in all are copied out by every run, so that they can be read later. */
const SNAPSHOT_BYTES = 1 << 20;
const RING_DEPTH = 4;
/** Plans kept for different input shapes. */
const KEPT_PLANS = 8;

/**
 * Records a step once and replays it: one submit a run, nothing created, no JavaScript per op. The step is ordinary eager code over
 * tensors: forward, backward, optimizer, hooks.
 *
 * Arguments are inputs: their values are copied in at every run; other shapes are recorded anew. Tensors the step closes over (parameters,
 * moments, data on the GPU) are used in place. What changes between runs must be data: learning rates, step counts and random streams of
 * this engine are. What is returned is read with `await result.item()`, up to four runs later; results of more than 1 MB in all, and any
 * use of a result in other ops, only until the next run.
 *
 * @example
 * ```ts
 * const run = capture((tokens: Tensor, targets: Tensor) => {
 *   optimizer.zeroGrad();
 *   const loss = crossEntropy(model.call(tokens), targets);
 *   loss.backward();
 *   optimizer.step();
 *   return loss;
 * });
 * const loss = await run(tokens, targets);
 * console.log(await loss.item());
 * ```
 * @throws CaptureError if the step waits for something (a readback), or returns something other than tensors.
 */
export function capture<I extends readonly StepInput[], O extends StepOutput>(
  step: (...inputs: { [K in keyof I]: Tensor }) => O,
  options: CaptureOptions = {},
): CapturedStep<I, O> {
  const plans = new Map<string, StepPlan>();
  let latest: StepPlan | undefined;
  let turn: Promise<unknown> = Promise.resolve();

  const planFor = async (inputs: I): Promise<StepPlan> => {
    const device = options.device ?? currentDevice();
    const key = inputs.map((x) => `${x.dtype}${format(x.shape)}`).join();
    let plan = plans.get(key);
    if (plan && !plan.isCurrent()) {
      plan.destroy();
      plan = undefined;
    }
    plan ??= await StepPlan.make(device, { step: step as (...inputs: Tensor[]) => StepOutput, inputs, options });
    plans.delete(key);
    plans.set(key, plan);
    if (plans.size > KEPT_PLANS) {
      const [oldest, dropped] = plans.entries().next().value!;
      dropped.destroy();
      plans.delete(oldest);
    }
    latest = plan;
    return plan;
  };

  /** One thing at a time, in the order of the calls. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = turn.then(work);
    turn = result.catch(() => {});
    return result;
  };
  const run = (...inputs: I): Promise<O> => inTurn(async () => (await (await planFor(inputs)).run(inputs)) as O);
  return Object.assign(run, {
    prepare: (...inputs: I) => inTurn(async () => (await planFor(inputs)).cost),
    profile: (...inputs: I) => inTurn(async () => (await planFor(inputs)).profile(inputs)),
    plan: () => latest?.cost,
    destroy: () => {
      for (const plan of plans.values()) plan.destroy();
      plans.clear();
    },
  });
}

/** One recording of a step, for one set of input shapes. */
class StepPlan {
  readonly program: Program;
  readonly #device: Device;
  readonly #inputs: readonly Tensor[];
  readonly #result: StepOutput;
  readonly #returned: readonly Tensor[];
  readonly #places: readonly number[] | undefined;
  readonly #ring: ReadbackRing | undefined;
  readonly #isCurrent: () => boolean;
  readonly #options: CaptureOptions;
  readonly #poison: GPUBuffer | undefined;
  readonly #inFlight: Promise<unknown>[] = [];
  #given: Storage[] = [];

  static async make(
    device: Device,
    request: { step: (...inputs: Tensor[]) => StepOutput; inputs: readonly StepInput[]; options: CaptureOptions },
  ): Promise<StepPlan> {
    const { step, inputs, options } = request;
    const recording = new Recording();
    // Hooks that the step registers itself, and removes again, belong to it: only those there before tell whether it is out of date.
    const [hooks, start] = [new Map<AnyModule, string>(), hookClock()];
    const moves = parameterMoves();
    const slots: Tensor[] = [];
    const result = device.record(recording, () =>
      observeModules(
        (module) => {
          if (!hooks.has(module)) hooks.set(module, module.hookState(start));
        },
        () => {
          for (const input of inputs) slots.push(empty(input.shape, { dtype: input.dtype, device }));
          const output = step(...slots);
          if (output instanceof Promise) {
            output.catch(() => {});
            throw new CaptureError(
              "Expected a step that returns tensors but found a promise: a captured step cannot wait, for instance for a readback",
            );
          }
          return mapTensors(output, (t) => dense(t));
        },
      ),
    );
    const returned: Tensor[] = [];
    mapTensors(result, (t) => {
      returned.push(t);
      return t;
    });
    const outputs = new Set(returned.map((t) => t.storage));
    recording.elideCopies(outputs);
    recording.dropUnused(outputs);
    mergeSums(recording, device);
    const lasting = new Set([...slots.map((t) => t.storage), ...outputs].filter((s) => !isLasting(s)));
    const program = await Program.build(device, recording, { lasting, onCompile: options.onCompile });
    const isCurrent = (): boolean => parameterMoves() === moves && [...hooks].every(([module, state]) => module.hookState() === state);
    return new StepPlan(device, { program, slots, result, returned, isCurrent, options });
  }

  private constructor(
    device: Device,
    parts: {
      program: Program;
      slots: readonly Tensor[];
      result: StepOutput;
      returned: readonly Tensor[];
      isCurrent: () => boolean;
      options: CaptureOptions;
    },
  ) {
    this.#device = device;
    this.program = parts.program;
    this.#inputs = parts.slots;
    this.#result = parts.result;
    this.#returned = parts.returned;
    this.#isCurrent = parts.isCurrent;
    this.#options = parts.options;
    const { places, bytes } = layOut(this.#returned.map((t) => t.range));
    if (this.#returned.length > 0 && bytes <= SNAPSHOT_BYTES) {
      this.#places = places;
      this.#ring = new ReadbackRing(device, { bytes, depth: RING_DEPTH });
    }
    if (parts.options.poison) this.#poison = nanBuffer(device);
  }

  get cost(): PlanCost {
    return { dispatches: this.program.dispatches, bytes: this.program.bytes + (this.#ring?.bytes ?? 0) };
  }

  /** False once hooks or the parameters' places have changed since the recording. */
  isCurrent(): boolean {
    return this.#isCurrent();
  }

  async run(inputs: readonly StepInput[]): Promise<StepOutput> {
    const device = this.#device;
    device.checkAlive();
    while (this.#inFlight.length >= (this.#options.inFlight ?? 2)) await settle(this.#inFlight.shift()!);
    const entry = await this.#ring?.take();
    device.flush();
    let encoder = device.gpu.createCommandEncoder();
    if (this.#poison) this.program.poison(encoder, this.#poison);
    inputs.forEach((input, i) => {
      this.#feed(encoder, input, this.#inputs[i]!);
    });
    const { onCompile } = this.#options;
    if (device.stepWatch) device.stepWatch.encode(this.program, encoder);
    else if (onCompile && !this.program.hasRun) encoder = this.program.encodeFirst(encoder, onCompile);
    else this.program.encode(encoder);
    this.#returned.forEach((t, i) => {
      if (entry)
        encoder.copyBufferToBuffer(t.storage.buffer!, t.range.offset, entry.staging, this.#places![i]!, Math.ceil(t.range.bytes / 4) * 4);
    });
    device.submitStep(encoder.finish(), this.program.dispatches);
    this.#inFlight.push(device.gpu.queue.onSubmittedWorkDone());
    return this.#results(entry?.read);
  }

  async profile(inputs: readonly StepInput[]): Promise<LaunchTime[]> {
    this.#device.checkAlive();
    while (this.#inFlight.length > 0) await settle(this.#inFlight.shift()!);
    return timeLaunches(this.#device, this.program, (encoder) => {
      inputs.forEach((input, i) => {
        this.#feed(encoder, input, this.#inputs[i]!);
      });
    });
  }

  destroy(): void {
    this.#expire("its captured step was destroyed");
    this.program.destroy();
    this.#ring?.destroy();
    if (this.#poison) this.#device.destroyBuffer(this.#poison);
  }

  #feed(encoder: GPUCommandEncoder, input: StepInput, slot: Tensor): void {
    const buffer = slot.storage.buffer!;
    if (input instanceof Tensor) {
      const source = dense(input);
      this.#device.flush();
      if (source.size > 0) encoder.copyBufferToBuffer(source.storage.buffer!, source.range.offset, buffer, 0, source.size * BYTES);
    } else this.#device.gpu.queue.writeBuffer(buffer, 0, toElements(input.data, input.dtype));
  }

  /** Tensors over the outputs' memory for this run; those of the run before are no longer theirs. */
  #results(read: (() => Promise<ArrayBuffer>) | undefined): StepOutput {
    this.#expire("a later run of the captured step has overwritten it; use it before that, or return less than 1 MB to read it later");
    let i = 0;
    return mapTensors(this.#result, (t) => {
      const place = this.#places?.[i++];
      if (!t.storage.buffer) throw new CaptureError(`Expected memory for ${t.storage.label}`);
      const storage = new Storage(t.storage.bytes, { label: t.storage.label });
      storage.buffer = t.storage.buffer;
      const { offset } = t.range;
      if (read && place !== undefined)
        storage.readback = async (range) =>
          (await read()).slice(place + range.offset - offset, place + range.offset - offset + range.bytes);
      this.#given.push(storage);
      return new Tensor(t.device, storage, { shape: t.shape, strides: rowMajorStrides(t.shape), offset: t.offset, dtype: t.dtype });
    });
  }

  #expire(why: string): void {
    for (const storage of this.#given) {
      storage.buffer = undefined;
      storage.unreadable = why;
    }
    this.#given = [];
  }
}

function mapTensors(value: StepOutput, f: (t: Tensor) => Tensor): StepOutput {
  if (value === undefined || value === null) return undefined;
  if (value instanceof Tensor) return f(value);
  if (Array.isArray(value)) return value.map((v: StepOutput) => mapTensors(v, f));
  if (typeof value === "object")
    return Object.fromEntries(Object.entries(value).map(([name, v]) => [name, mapTensors(v as StepOutput, f)]));
  throw new CaptureError(`Expected a step that returns tensors but found a ${typeof value}`);
}

function nanBuffer(device: Device): GPUBuffer {
  const words = new Uint32Array(1 << 16).fill(0x7fc00000);
  const buffer = device.createBuffer(words.byteLength, 0x80 | 0x04 | 0x08);
  device.gpu.queue.writeBuffer(buffer, 0, words);
  return buffer;
}
