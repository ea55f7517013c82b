import { fromHost } from "../create.ts";
import { kernel } from "../device/kernel.ts";
import { TensorError } from "../errors.ts";
import type { HostTensor } from "../io/host_tensor.ts";
import type { Parameter } from "../nn/parameter.ts";
import { empty, full } from "../ops/copy.ts";
import { format } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { ParameterArena, type Run } from "./arena.ts";

/** What all optimizers take. */
export interface OptimizerOptions {
  /** Learning rate; schedules change `optimizer.lr` while training. */
  readonly lr: number;
  /** Scale the gradients down so that their norm over all parameters is at most this. On the GPU, nothing is read back. */
  readonly maxGradNorm?: number;
}

/** An optimizer's state in main memory: what a checkpoint holds. */
export interface OptimizerState {
  readonly stepCount: number;
  readonly lr: number;
  /** Moments by name: `exp_avg.<parameter index>` and so on. */
  readonly moments: Map<string, HostTensor>;
}

/**
 * Base of the optimizers: parameters, gradients and moments each in one arena, one dispatch a step. Rate and step count are live
 * parameters of that dispatch, so a captured step follows schedules.
 */
export abstract class Optimizer {
  /** The learning rate of the next step. */
  lr: number;
  /** The rate at the start, which schedules scale. Set, it takes effect when a schedule next sets {@link lr}. */
  initialLr: number;
  /** Steps taken. */
  stepCount = 0;
  protected readonly arena: ParameterArena;
  readonly #maxGradNorm: number | undefined;
  /** `[2]`: clip factor and gradient norm of the last step. */
  readonly #clip: Tensor;

  constructor(parameters: Iterable<Parameter>, options: OptimizerOptions) {
    if (!(options.lr >= 0)) throw new TensorError(`Expected a learning rate of at least 0 but found ${options.lr}`);
    this.lr = options.lr;
    this.initialLr = options.lr;
    this.arena = new ParameterArena(parameters);
    this.#maxGradNorm = options.maxGradNorm;
    this.#clip = full([2], 1, { device: this.arena.values.device });
  }

  /** Updates one stretch of the arena. `clip` is `[2]` with the factor first. */
  protected abstract update(run: Run, clip: { readonly clip: Tensor; readonly clipped: boolean }): void;

  /** Moments by name, each flat over the arena. */
  protected abstract moments(): Record<string, Tensor>;

  /** Changes the parameters by their gradients. */
  step(): void {
    this.hostEffect(() => {
      this.stepCount++;
    });
    const runs = this.arena.gatherGradients();
    if (this.#maxGradNorm !== undefined) this.#measureNorm(this.#maxGradNorm);
    for (const run of runs) this.update(run, { clip: this.#clip, clipped: this.#maxGradNorm !== undefined });
  }

  /** Runs something on the host now, and in a captured step at each of its runs. */
  hostEffect(effect: () => void): void {
    this.arena.values.device.hostEffect(effect);
  }

  /** Norm of all gradients at the last step; only with `maxGradNorm`. A tensor: reading it waits. */
  get gradNorm(): Tensor {
    if (this.#maxGradNorm === undefined)
      throw new TensorError("Expected an optimizer with maxGradNorm but found one that measures no norm");
    return this.#clip.narrow(0, { start: 1, length: 1 }).reshape([]);
  }

  /** Forgets all gradients, so that the next backward starts anew. */
  zeroGrad(): void {
    for (const { parameter } of this.arena.slots) parameter.grad = null;
  }

  /** Reads step count, rate and moments back. */
  async stateDict(): Promise<OptimizerState> {
    const moments = new Map<string, HostTensor>();
    for (const [name, place] of this.#momentPlaces())
      moments.set(name, { shape: place.shape, dtype: "f32", data: await place.data() } as HostTensor);
    return { stepCount: this.stepCount, lr: this.lr, moments };
  }

  /** Puts a state back. @throws TensorError if it belongs to other parameters; then nothing is changed. */
  loadStateDict(state: OptimizerState): void {
    this.checkStateDict(state);
    for (const [name, place] of this.#momentPlaces()) place.copyFrom(fromHost(state.moments.get(name)!, { device: place.device }));
    this.stepCount = state.stepCount;
    this.lr = state.lr;
  }

  /** Looks whether {@link loadStateDict} would take a state, and changes nothing. @throws TensorError if not. */
  checkStateDict(state: OptimizerState): void {
    const wanted = this.#momentPlaces();
    for (const [name, place] of wanted) {
      const found = state.moments.get(name);
      if (!found || format(found.shape) !== format(place.shape)) {
        throw new TensorError(
          `Expected moment '${name}' of shape ${format(place.shape)} but found ${found ? format(found.shape) : "none"}`,
        );
      }
    }
    if (state.moments.size !== wanted.size) throw new TensorError(`Expected ${wanted.size} moments but found ${state.moments.size}`);
  }

  /** Every parameter's piece of every moment, by name. */
  #momentPlaces(): Map<string, Tensor> {
    const places = new Map<string, Tensor>();
    for (const [name, flat] of Object.entries(this.moments())) {
      for (const [i, slot] of this.arena.slots.entries()) places.set(`${name}.${i}`, this.arena.view(flat, slot));
    }
    return places;
  }

  /** The gaps between slots are zeros, so the norm over the whole arena is the norm over the parameters. */
  #measureNorm(maxNorm: number): void {
    const { device } = this.arena.values;
    const length = this.arena.length / 4;
    const partials = Math.min(256, Math.ceil(length / 64));
    const partial = empty([partials], { device });
    device.run(kernel("optimizer", "clip_partial"), {
      bindings: { partial, gradients: this.arena.gradients },
      params: { start: 0, length },
      workgroups: partials,
    });
    device.run(kernel("optimizer", "clip_total"), {
      bindings: { clipFactor: this.#clip, partialSums: partial },
      params: { partials, maxNorm },
      workgroups: 1,
    });
  }
}
