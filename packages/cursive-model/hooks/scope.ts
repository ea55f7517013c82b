import { gradientHook, HookError, type HookHandle, type Replacement, runHook, Tensor } from "@cursive/tensor";
import type { Transformer } from "../transformer.ts";
import type { NamesFilter } from "./select.ts";
import { type HookSite, isReached } from "./sites.ts";

/** Sees a site's activation (or its gradient), and by returning a tensor of its shape replaces it. */
export type ActivationHook = (value: Tensor, site: HookSite) => Replacement<Tensor>;

/** Which hooks run where; on one site in the order of the list. */
export type HookRequest = readonly [sites: NamesFilter, hook: ActivationHook];

/** Hooks for some runs. */
export interface HookRequests {
  /** See activations. */
  readonly fwdHooks?: readonly HookRequest[];
  /** See the gradients of activations, in a backward through what ran meanwhile. */
  readonly bwdHooks?: readonly HookRequest[];
  /** Let hooks pass that never run. Default false: that is an error, for nearly always a hook that never runs is a mistake. */
  readonly allowUnfired?: boolean;
}

/**
 * Hooks that are there for a while. With `using` they go at the end of the block, whether it ends or throws; one that throws takes all of them with
 * it at once.
 */
export class HookScope {
  readonly #handles: HookHandle[] = [];
  readonly #unfired = { forward: new Set<string>(), backward: new Set<string>() };
  readonly #allowUnfired: boolean;
  #runs = 0;

  /**
   * For runs of all blocks, or of the first `end`: then what a filter means beyond them is left out, unless it is named.
   * @throws HookError for an unknown name; then no hook is there.
   */
  constructor(model: Transformer, { fwdHooks = [], bwdHooks = [], allowUnfired = false }: HookRequests, end?: number) {
    this.#allowUnfired = allowUnfired;
    const { hookSites } = model;
    const meant = (filter: NamesFilter): HookSite[] => {
      const named = new Set(hookSites.named(filter));
      return hookSites.select(filter).filter((site) => isReached(site, end) || named.has(site));
    };
    const expand = (requests: readonly HookRequest[]) =>
      requests.flatMap(([filter, hook]) => meant(filter).map((site) => ({ site, hook })));
    const [forward, backward] = [expand(fwdHooks), expand(bwdHooks)];
    const modules = new Map([...model.namedModules(), ...model.attachedPoints()]);
    const register = (site: HookSite, hook: (value: Tensor) => Replacement<Tensor>): void => {
      this.#handles.push(modules.get(site.path)!.registerForwardHook((_module, _inputs, output: Tensor) => hook(output)));
    };
    for (const { site, hook } of forward) {
      this.#unfired.forward.add(site.name);
      register(site, (value) => {
        this.#unfired.forward.delete(site.name);
        return this.#run(hook, { site, value });
      });
    }
    for (const { site, hook } of backward) {
      this.#unfired.backward.add(site.name);
      register(site, (value) => {
        const seen = (gradient: Tensor): Tensor => {
          this.#unfired.backward.delete(site.name);
          return this.#run(hook, { site, value: gradient }) ?? gradient;
        };
        return gradientHook([value], ([gradient]) => (gradient ? [seen(gradient)] : undefined))[0];
      });
    }
    const count = (): void => {
      this.#runs++;
    };
    this.#handles.push(model.transformer.registerForwardHook(count));
  }

  /** Removes the hooks. May be called twice. */
  remove(): void {
    for (const handle of this.#handles.splice(0)) handle.remove();
  }

  /** Removes the hooks. @throws HookError if the model ran and some hook did not, unless that is allowed. */
  dispose(): void {
    if (this.#handles.length === 0) return;
    this.remove();
    if (this.#runs === 0) return;
    this.checkFired();
    if (this.#allowUnfired || this.#unfired.backward.size === 0) return;
    throw unfired(this.#unfired.backward, ": a backward hook runs in a backward inside of the scope");
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** @throws HookError if a hook on an activation has not run so far, unless that is allowed. `why` is added to what it says. */
  checkFired(why = ""): void {
    if (!this.#allowUnfired && this.#unfired.forward.size > 0) throw unfired(this.#unfired.forward, why);
  }

  /** Runs a hook, and checks what it returns. */
  #run(hook: ActivationHook, { site, value }: { site: HookSite; value: Tensor }): Tensor | undefined {
    try {
      const replaced = runHook(() => hook(value, site));
      if (replaced !== undefined) checkReplacement(replaced, { site, value });
      return replaced ?? undefined;
    } catch (error) {
      this.remove();
      throw error;
    }
  }
}

function checkReplacement(found: unknown, { site, value }: { site: HookSite; value: Tensor }): void {
  const describe = (t: Tensor): string => `[${t.shape.join(", ")}] ${t.dtype}`;
  const what = found instanceof Tensor ? describe(found) : String(found);
  if (what !== describe(value)) throw new HookError(`Expected the hook on ${site.name} to return ${describe(value)} but found ${what}`);
}

function unfired(names: ReadonlySet<string>, why: string): HookError {
  return new HookError(
    `Expected all hooks to run but found that ${[...names].join(", ")} never did${why}; { allowUnfired: true } lets that pass`,
  );
}
