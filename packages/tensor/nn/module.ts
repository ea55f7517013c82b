import { isGradEnabled } from "../autograd/apply.ts";
import { TensorError } from "../errors.ts";
import type { HostTensor } from "../io/host_tensor.ts";
import { format } from "../shape.ts";
import { type Gradients, watchBackward } from "./backward_hook.ts";
import { type HookHandle, HookList, type HookOptions, runHook } from "./hook.ts";
import { nearest } from "./nearest.ts";
import { Parameter } from "./parameter.ts";

/** What a hook returns: a replacement, or nothing. */
// biome-ignore lint/suspicious/noConfusingVoidType: a hook without a return statement has the type void
export type Replacement<T> = T | undefined | void;
/** Sees, and by returning something replaces, a module's output. */
export type ForwardHook<M, I extends readonly unknown[], O> = (module: M, inputs: I, output: O) => Replacement<O>;
/** Sees, and by returning a list replaces, a module's inputs. */
export type ForwardPreHook<M, I extends readonly unknown[]> = (module: M, inputs: I) => Replacement<I>;
/** Sees the gradients of a module's inputs and outputs, and by returning a list replaces those of the inputs. */
export type FullBackwardHook<M> = (module: M, ofInputs: Gradients, ofOutputs: Gradients) => Replacement<Gradients>;

/** Parameters by name, as `readSafetensors` gives them. */
export type StateDict = Map<string, HostTensor>;

/** A module of whatever inputs and outputs: what a tree of modules is made of. */
// biome-ignore lint/suspicious/noExplicitAny: inputs are contravariant, so no other type takes every module
export type AnyModule = Module<any, any>;

/** A hook as the registry keeps it; the types were checked at registration. */
// biome-ignore lint/suspicious/noExplicitAny: the registry holds hooks of every module's own types
type AnyHook = (module: any, ...seen: any[]) => any;

let observer: ((module: AnyModule) => void) | undefined;

/** Runs `body` and reports every module whose hooks mattered to it; a captured step is recorded anew when these change. */
export function observeModules<T>(seen: (module: AnyModule) => void, body: () => T): T {
  const before = observer;
  observer = seen;
  try {
    return body();
  } finally {
    observer = before;
  }
}

/**
 * A part of a model: fields that are modules, lists of modules or parameters make up its tree, under the field's name, as in PyTorch.
 * Subclasses write `forward`; callers use {@link Module.call}, which runs the hooks around it.
 *
 * @example
 * ```ts
 * class Mlp extends Module<[Tensor], Tensor> {
 *   c_fc = new Linear(64, 256);
 *   c_proj = new Linear(256, 64);
 *   forward(x: Tensor) { return this.c_proj.call(this.c_fc.call(x).relu()); }
 * }
 * ```
 */
export abstract class Module<I extends readonly unknown[] = readonly never[], O = unknown> {
  readonly #preHooks = new HookList<AnyHook>();
  readonly #forwardHooks = new HookList<AnyHook>();
  readonly #backwardHooks = new HookList<AnyHook>();

  /** The computation itself, without hooks. */
  abstract forward(...inputs: I): O;

  /**
   * Runs the module: pre-hooks, `forward`, hooks, each kind in the order of registration. Torch's `module(x)`.
   * @throws HookError if a hook is asynchronous or reads values back: hooks run while kernels are being recorded.
   */
  call(...inputs: I): O {
    observer?.(this);
    let given = inputs;
    for (const hook of this.#preHooks) given = runHook(() => hook(this, given)) ?? given;
    if (this.#backwardHooks.size === 0 || !isGradEnabled()) return this.#forward(given);
    return watchBackward(given, { forward: (watched) => this.#forward(watched), seen: (...gradients) => this.#backward(...gradients) });
  }

  #forward(inputs: I): O {
    let output = this.forward(...inputs);
    for (const hook of this.#forwardHooks) output = runHook(() => hook(this, inputs, output)) ?? output;
    return output;
  }

  #backward(ofInputs: Gradients, ofOutputs: Gradients): Gradients {
    let given = ofInputs;
    for (const hook of this.#backwardHooks) given = runHook(() => hook(this, given, ofOutputs)) ?? given;
    return given;
  }

  /** True if someone watches this module: then its parent calls it on its own instead of through a fused kernel. */
  get isHooked(): boolean {
    observer?.(this);
    return this.#preHooks.size + this.#forwardHooks.size + this.#backwardHooks.size > 0;
  }

  /** Which hooks run here and in what order: changes whenever one comes or goes. `before` leaves out those registered later, by {@link hookClock}. */
  hookState(before?: number): string {
    return `${this.#preHooks.state(before)}|${this.#forwardHooks.state(before)}|${this.#backwardHooks.state(before)}`;
  }

  /**
   * Calls `hook(module, inputs, output)` after every run; what it returns, if anything, replaces the output. As in PyTorch it is not compared
   * with that: a tensor of another shape goes on, and may broadcast.
   */
  registerForwardHook(hook: ForwardHook<this, I, O>, options?: HookOptions): HookHandle {
    return this.#forwardHooks.add(hook, options);
  }

  /** Calls `hook(module, inputs)` before every run; what it returns, if anything, replaces the inputs. */
  registerForwardPreHook(hook: ForwardPreHook<this, I>, options?: HookOptions): HookHandle {
    return this.#preHooks.add(hook, options);
  }

  /**
   * Calls `hook(module, ofInputs, ofOutputs)` in every backward through a run made while the hook was there; what it returns, if
   * anything, replaces the gradients of the inputs. Inputs inside of options have no place among them.
   */
  registerFullBackwardHook(hook: FullBackwardHook<this>, options?: HookOptions): HookHandle {
    return this.#backwardHooks.add(hook, options);
  }

  /** The modules directly inside, by name. */
  *namedChildren(): IterableIterator<[string, AnyModule]> {
    for (const [name, value] of Object.entries(this)) if (value instanceof Module) yield [name, value];
  }

  /** This module (under the name `""`) and all inside it. */
  *namedModules(prefix = ""): IterableIterator<[string, AnyModule]> {
    yield [prefix, this];
    for (const [name, child] of this.namedChildren()) yield* child.namedModules(join(prefix, name));
  }

  /** All parameters with their dotted names, in the order of the fields. */
  *namedParameters(prefix = ""): IterableIterator<[string, Parameter]> {
    for (const [name, value] of Object.entries(this)) {
      if (value instanceof Parameter) yield [join(prefix, name), value];
      else if (value instanceof Module) yield* value.namedParameters(join(prefix, name));
    }
  }

  /** All parameters. */
  *parameters(): IterableIterator<Parameter> {
    for (const [, parameter] of this.namedParameters()) yield parameter;
  }

  /** A module by its dotted name. @throws TensorError that names the nearest ones. */
  getSubmodule(path: string): AnyModule {
    for (const [name, module] of this.namedModules()) if (name === path) return module;
    const names = [...this.namedModules()].map(([name]) => name).filter(Boolean);
    throw new TensorError(`Expected a module name but found '${path}'; nearest: ${nearest(path, names).join(", ")}`);
  }

  /** A parameter by its dotted name. @throws TensorError that names the nearest ones. */
  getParameter(path: string): Parameter {
    const all = new Map(this.namedParameters());
    const found = all.get(path);
    if (!found)
      throw new TensorError(`Expected a parameter name but found '${path}'; nearest: ${nearest(path, [...all.keys()]).join(", ")}`);
    return found;
  }

  /** Number of parameters' elements. */
  parameterCount(): number {
    let count = 0;
    for (const p of this.parameters()) count += p.size;
    return count;
  }

  /** Reads all parameters back from the GPU. */
  async stateDict(): Promise<StateDict> {
    const state: StateDict = new Map();
    for (const [name, p] of this.namedParameters())
      state.set(name, { shape: [...p.shape], dtype: "f32", data: await p.data() } as HostTensor);
    return state;
  }

  /**
   * Overwrites all parameters. Strict: nothing is changed unless every name and shape fits.
   * @throws TensorError that lists missing, unexpected and wrongly shaped names.
   */
  loadStateDict(state: ReadonlyMap<string, HostTensor>): void {
    this.checkStateDict(state);
    for (const [name, p] of this.namedParameters()) p.load(state.get(name)!);
  }

  /** Looks whether {@link loadStateDict} would take a state, and changes nothing. @throws TensorError if not. */
  checkStateDict(state: ReadonlyMap<string, HostTensor>): void {
    const own = new Map(this.namedParameters());
    const missing = [...own.keys()].filter((name) => !state.has(name));
    const unexpected = [...state.keys()].filter((name) => !own.has(name));
    const misshapen = [...own].filter(([name, p]) => state.has(name) && format(state.get(name)!.shape) !== format(p.shape));
    const complaints = [
      missing.length && `missing: ${missing.join(", ")}`,
      unexpected.length && `unexpected: ${unexpected.join(", ")}`,
      misshapen.length &&
        `wrong shape: ${misshapen.map(([n, p]) => `${n} (expected ${format(p.shape)}, found ${format(state.get(n)!.shape)})`).join(", ")}`,
    ].filter(Boolean);
    if (complaints.length) throw new TensorError(`Expected the state of this model but found another; ${complaints.join("; ")}`);
  }

  /** Forgets all gradients. */
  zeroGrad(): void {
    for (const p of this.parameters()) p.grad = null;
  }
}

/** Modules in a row, named `0`, `1`, … */
export class ModuleList<M extends AnyModule> extends Module {
  readonly #items: readonly M[];

  constructor(items: Iterable<M>) {
    super();
    this.#items = [...items];
  }

  override *namedChildren(): IterableIterator<[string, AnyModule]> {
    for (const [i, item] of this.#items.entries()) yield [`${i}`, item];
  }

  override *namedParameters(prefix = ""): IterableIterator<[string, Parameter]> {
    for (const [name, child] of this.namedChildren()) yield* child.namedParameters(join(prefix, name));
  }

  get length(): number {
    return this.#items.length;
  }

  at(index: number): M {
    return this.#items.at(index)!;
  }

  [Symbol.iterator](): IterableIterator<M> {
    return this.#items.values();
  }

  /** A list is no computation. */
  override forward(): never {
    throw new TensorError("Expected a module with a computation but found a ModuleList: call its items");
  }
}

const join = (prefix: string, name: string): string => (prefix ? `${prefix}.${name}` : name);
