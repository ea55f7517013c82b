import { HookError, type HostTensor, nearest, Tensor } from "@cursive/tensor";
import type { LayerType } from "./act_name.ts";
import type { SiteIndex } from "./select.ts";

/**
 * Activations of a run by name, in the order in which they were computed. Values are tensors on the GPU, or host arrays after
 * {@link ActivationCache.toCPU}.
 *
 * @example
 * ```ts
 * cache.get("blocks.2.cross_attn.hook_pattern");
 * cache.get("pattern", 2, "cross_attn"); // the same
 * for (const [name, value] of cache) console.log(name, value.shape);
 * ```
 */
export class ActivationCache<V extends Tensor | HostTensor = Tensor> implements Iterable<[string, V]> {
  readonly #sites: SiteIndex;
  readonly #values: Map<string, V>;
  readonly #owned: readonly Tensor["storage"][];
  #disposed = false;

  /** `owned` is the memory that {@link ActivationCache.dispose} gives back. */
  constructor(sites: SiteIndex, values: Map<string, V>, { owned = [] }: { readonly owned?: readonly Tensor["storage"][] } = {}) {
    this.#sites = sites;
    this.#values = values;
    this.#owned = owned;
  }

  /**
   * An activation by its name, an alias, a module's path, or a short name with a layer (below 0: from the last) and a part of the block.
   * A gradient, if the run kept them, has the name with `_grad` behind it.
   * @throws HookError for an unknown name, or one that was not cached.
   */
  get(name: string, layer?: number, layerType?: LayerType): V {
    const [, base, suffix] = /^(.*?)(_grad)?$/.exec(name)!;
    const full = this.#sites.findShort(base!, layer, layerType).name + (suffix ?? "");
    const value = this.#values.get(full);
    if (value !== undefined) return value;
    if (this.#disposed) throw new HookError(`Expected a cache with ${full} but found one that was disposed of`);
    const cached = nearest(full, [...this.#values.keys()]).join(", ");
    throw new HookError(`Expected a cached activation but found no ${full} among ${this.size}; nearest: ${cached}`);
  }

  /** Whether an activation was cached. @throws HookError for an unknown name. */
  has(name: string, layer?: number, layerType?: LayerType): boolean {
    const [, base, suffix] = /^(.*?)(_grad)?$/.exec(name)!;
    return this.#values.has(this.#sites.findShort(base!, layer, layerType).name + (suffix ?? ""));
  }

  /** Number of activations. */
  get size(): number {
    return this.#values.size;
  }

  /** Bytes of all activations, each counted as if it had memory of its own. */
  get bytes(): number {
    let bytes = 0;
    for (const { shape } of this.#values.values()) bytes += 4 * shape.reduce((a, b) => a * b, 1);
    return bytes;
  }

  /** TransformerLens's names. */
  keys(): IterableIterator<string> {
    return this.#values.keys();
  }

  values(): IterableIterator<V> {
    return this.#values.values();
  }

  [Symbol.iterator](): IterableIterator<[string, V]> {
    return this.#values.entries();
  }

  /** The same with its values on the host. */
  async toCPU(): Promise<ActivationCache<HostTensor>> {
    const values = new Map<string, HostTensor>();
    for (const [name, value] of this.#values)
      values.set(
        name,
        value instanceof Tensor ? ({ shape: value.shape, dtype: value.dtype, data: await value.data() } as HostTensor) : value,
      );
    return new ActivationCache(this.#sites, values);
  }

  /**
   * Gives the memory back now instead of at collection. Tensors from this run that share it, such as ones that a hook has kept, cannot be
   * used any more; logits and loss can.
   */
  dispose(): void {
    this.#disposed = true;
    for (const storage of this.#owned) storage.release();
    this.#values.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
