import { HookError, type HostTensor, nearest, Tensor } from "@cursive/tensor";
import type { Transformer } from "../transformer.ts";
import { type AccumulatedResidOptions, accumulatedResid } from "./accumulated_resid.ts";
import type { LayerType } from "./act_name.ts";
import { type ApplyLnOptions, applyLnToStack } from "./apply_ln_to_stack.ts";
import { type DecomposeResidOptions, decomposeResid } from "./decompose_resid.ts";
import { type AttributedTokens, type LogitAttrsOptions, logitAttrs } from "./logit_attrs.ts";
import type { ResidualStack } from "./residual_stack.ts";
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
  /** Whether activations have an axis of stroke tokens: not where the run kept one of these alone. */
  readonly hasPositions: boolean;
  readonly #model: Transformer;
  /** Those of the run: the model's own may change. */
  readonly #sites: SiteIndex;
  readonly #values: Map<string, V>;
  readonly #owned: readonly Tensor["storage"][];
  #disposed = false;

  /** Of what `model` has computed. `owned` is the memory that {@link ActivationCache.dispose} gives back. */
  constructor(
    model: Transformer,
    values: Map<string, V>,
    options: { readonly sites?: SiteIndex; readonly hasPositions?: boolean; readonly owned?: readonly Tensor["storage"][] } = {},
  ) {
    this.hasPositions = options.hasPositions ?? true;
    this.#model = model;
    this.#sites = options.sites ?? model.hookSites;
    this.#values = values;
    this.#owned = options.owned ?? [];
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

  /**
   * The residual stream as it grows: before each block, and what comes out of the last, `[parts, B, T, C]`. With `applyLn` it is what
   * `lm_head` makes logits of: the logit lens. Always a tensor on the GPU.
   *
   * @example
   * ```ts
   * const lens = model.lm_head.call(cache.accumulatedResid({ applyLn: true })); // [parts, B, T, V]
   * ```
   * @throws HookError for an activation that was not cached. @throws RangeError for a layer that there is not.
   */
  accumulatedResid<const O extends AccumulatedResidOptions = object>(options?: O): ResidualStack<O> {
    return accumulatedResid((options ?? {}) as O, this.#inModel());
  }

  /**
   * What makes up the residual stream: embeddings, and what self-attention, cross-attention and MLP of each block have added,
   * `[parts, B, T, C]`. The parts sum to the stream that the head reads, or block `layer`. Always a tensor on the GPU.
   *
   * @example
   * ```ts
   * const [parts, labels] = cache.decomposeResid({ returnLabels: true }); // embed, pos_embed, 0_attn_out, 0_cross_attn_out, 0_mlp_out, …
   * ```
   * @throws HookError for an activation that was not cached. @throws RangeError for a layer that there is not.
   */
  decomposeResid<const O extends DecomposeResidOptions = object>(options?: O): ResidualStack<O> {
    return decomposeResid((options ?? {}) as O, this.#inModel());
  }

  /**
   * What each part of a stack adds to the logits of tokens directly, `[parts, B, T]`, by the scale that the last normalisation had. The parts
   * of {@link decomposeResid} sum to the logit, less what that normalisation's bias adds to it everywhere.
   *
   * @param tokens - One for all, or ids `[B]` or `[B, T]`.
   * @example
   * ```ts
   * const attributions = cache.logitAttrs(cache.decomposeResid(), targets, { incorrectTokens: others });
   * ```
   * @throws HookError where shapes do not fit, or `ln_final.hook_scale` was not cached. @throws RangeError for a token that there is not.
   */
  logitAttrs(components: Tensor, tokens: AttributedTokens, options: LogitAttrsOptions = {}): Tensor {
    return logitAttrs(components, { ...options, tokens, ...this.#inModel() });
  }

  /**
   * Parts of the residual stream behind the normalisation of what reads it, by the scale that this had in the run. They sum to what is
   * read, less the normalisation's bias.
   *
   * @throws HookError if `hook_scale` of that normalisation was not cached. @throws RangeError for a layer that there is not.
   */
  applyLnToStack(components: Tensor, options: ApplyLnOptions = {}): Tensor {
    return applyLnToStack(components, { ...options, ...this.#inModel() });
  }

  /** The same with its values on the host. */
  async toCPU(): Promise<ActivationCache<HostTensor>> {
    const values = new Map<string, HostTensor>();
    for (const [name, value] of this.#values)
      values.set(
        name,
        value instanceof Tensor ? ({ shape: value.shape, dtype: value.dtype, data: await value.data() } as HostTensor) : value,
      );
    return new ActivationCache(this.#model, values, { sites: this.#sites, hasPositions: this.hasPositions });
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

  #inModel() {
    return { model: this.#model, cache: this };
  }
}
