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
  #items: readonly { readonly id: number; readonly hook: F }[] = [];

  get size(): number {
    return this.#items.length;
  }

  /** The ids of the hooks that were registered before the clock showed this, in the order in which they run. */
  ids(before: number = Number.POSITIVE_INFINITY): number[] {
    return this.#items.map(({ id }) => id).filter((id) => id < before);
  }

  add(hook: F, options: HookOptions = {}): HookHandle {
    const item = { id: registrations++, hook };
    this.#items = options.prepend ? [item, ...this.#items] : [...this.#items, item];
    const remove = (): void => {
      this.#items = this.#items.filter((other) => other !== item);
    };
    return { remove, [Symbol.dispose]: remove };
  }

  /** As the list stands now: hooks that come or go meanwhile do not matter to a loop under way. */
  *[Symbol.iterator](): IterableIterator<F> {
    for (const { hook } of this.#items) yield hook;
  }
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
