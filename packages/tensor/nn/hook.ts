import { withoutReadbacks } from "../device/readback.ts";
import { HookError } from "../errors.ts";

/** What a hook registration returns; `remove()` undoes it, and may be called twice. With `using` it happens at the end of the block. */
export interface HookHandle {
  remove(): void;
  [Symbol.dispose](): void;
}

/** Options of a registration. */
export interface HookOptions {
  /** Run before the hooks there are, instead of after them. */
  readonly prepend?: boolean;
}

let registrations = 0;

/** How many hooks were ever registered, on any module: hooks from then on have ids of at least this. */
export function hookClock(): number {
  return registrations;
}

/** Hooks of one kind on one module, in the order in which they run. */
export class HookList<F> implements Iterable<F> {
  // Replaced, never changed: a loop under way goes on with the hooks that there were.
  #items: readonly { readonly id: number; readonly hook: F }[] = [];
  #hooks: readonly F[] = [];
  #state = "";

  get size(): number {
    return this.#hooks.length;
  }

  /** Which hooks there are, in their order; `before` leaves out those registered when the clock showed that or more. */
  state(before?: number): string {
    return before === undefined ? this.#state : idsOf(this.#items.filter(({ id }) => id < before));
  }

  add(hook: F, options: HookOptions = {}): HookHandle {
    const item = { id: registrations++, hook };
    this.#set(options.prepend ? [item, ...this.#items] : [...this.#items, item]);
    const remove = (): void => this.#set(this.#items.filter((other) => other !== item));
    return { remove, [Symbol.dispose]: remove };
  }

  [Symbol.iterator](): IterableIterator<F> {
    return this.#hooks.values();
  }

  #set(items: readonly { readonly id: number; readonly hook: F }[]): void {
    this.#items = items;
    this.#hooks = items.map(({ hook }) => hook);
    this.#state = idsOf(items);
  }
}

function idsOf(items: readonly { readonly id: number }[]): string {
  return items.map(({ id }) => id).join();
}

/**
 * Runs a hook and gives what it returned.
 * @throws HookError if the hook is asynchronous, or asks for the values of a tensor.
 */
export function runHook<T>(hook: () => T): T {
  const result = withoutReadbacks(hook);
  if (result instanceof Promise) {
    result.catch(() => {}); // what follows is what went wrong first
    throw new HookError(
      "Expected a hook that returns a replacement or nothing but found a promise: hooks run while kernels are being recorded, so no value " +
        "is computed yet that one could wait for. Keep the tensor, and read it after the run",
    );
  }
  return result;
}
