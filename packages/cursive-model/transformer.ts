import {
  createRng,
  crossEntropy,
  Embedding,
  embedding,
  type HookHandle,
  Linear,
  Module,
  ModuleList,
  type Parameter,
  type Rng,
  type Tensor,
} from "@cursive/tensor";
import { Block, type BlockCaches } from "./block.ts";
import { AttachedModules, type Attachment } from "./hooks/attached_modules.ts";
import type { HookPoint } from "./hooks/hook_point.ts";
import { type HookTableRow, hookTable } from "./hooks/hook_table.ts";
import {
  type CachedRun,
  type HookedRun,
  type Ids,
  type RunWithCacheOptions,
  type RunWithHooksOptions,
  runWithCache,
  runWithHooks,
} from "./hooks/run.ts";
import { type HookRequests, HookScope } from "./hooks/scope.ts";
import { SiteIndex } from "./hooks/select.ts";
import { hookSites, type RunSizes } from "./hooks/sites.ts";
import { HookedLayerNorm } from "./layer_norm.ts";

export type { BlockCaches } from "./block.ts";

/** Sizes of a {@link Transformer}. */
export interface TransformerConfig {
  /** Blocks. */
  readonly nLayer: number;
  /** Heads, of self- and cross-attention alike. */
  readonly nHead: number;
  /** C: width of the residual stream, a multiple of the number of heads. */
  readonly nEmbd: number;
  /** Most tokens in a sequence. */
  readonly blockSize: number;
  /** Most characters in a text. */
  readonly contextBlockSize: number;
  /** V: stroke tokens. */
  readonly vocabSize: number;
  /** Characters, with the padding. */
  readonly contextVocabSize: number;
}

/** What {@link Transformer.forward} gives. */
export interface TransformerOutput {
  /** `[B, T, V]` */
  readonly logits: Tensor;
  /** Mean cross-entropy over all targets but −1; null without targets. */
  readonly loss: Tensor | null;
}

/** Choices of one forward pass. */
export interface ForwardOptions {
  /** Zero the embedded text, so that the model writes letters that spell nothing. Keys and values become their biases, as in the original. */
  readonly ablateCrossAttention?: boolean;
  /** Goes on where an earlier pass ended; see `decode.ts`, which is what uses it. */
  readonly continuation?: Continuation;
}

/** What a pass keeps for passes over the tokens after its own, and finds from passes over the tokens before. */
export interface Continuation {
  /** One a block. An empty cache is filled by the pass; a filled one is gone on with, by one token. */
  readonly caches: readonly BlockCaches[];
  /** Where the tokens stand in their sequences, i32 `[B, T]`. Default: at the start. */
  readonly places?: Tensor;
}

/**
 * The cursive transformer: a GPT (pre-norm, learned positions) that predicts pen-stroke tokens and reads the text to write through
 * cross-attention in every block. Module and parameter names are the PyTorch original's.
 *
 * Shapes: B sequences, T stroke tokens, S characters, C width, H heads, D = C / H, V vocabulary.
 *
 * @example
 * ```ts
 * const model = new Transformer({ nLayer: 4, nHead: 4, nEmbd: 64, blockSize: 1000, contextBlockSize: 50, vocabSize: 455, contextVocabSize: 72 });
 * const { logits, loss } = model.forward(tokens, context, targets);
 * ```
 */
export class Transformer extends Module<
  [tokens: Tensor, context: Tensor, targets?: Tensor | null, options?: ForwardOptions],
  TransformerOutput
> {
  readonly config: TransformerConfig;
  readonly transformer: Body;
  readonly lm_head: Linear;
  readonly #attached = new AttachedModules();
  #sites: SiteIndex | undefined;

  /**
   * Initialised as PyTorch does, from streams of `seed`.
   * @throws RangeError if a size is not a positive whole number, or the width does not divide into the heads.
   */
  constructor(config: TransformerConfig, options: { readonly seed?: number } = {}) {
    super();
    checkConfig(config);
    this.config = { ...config };
    const rng = createRng(options.seed ?? 42, "init");
    this.transformer = new Body(config, rng);
    this.lm_head = new Linear(config.nEmbd, config.vocabSize, { bias: false, rng });
  }

  /** tokens `[B, T]`, context `[B, S]`, targets `[B, T]`, all i32. Hooks of the parts run; call `model.call(…)` for hooks of the whole. */
  override forward(tokens: Tensor, context: Tensor, targets: Tensor | null = null, options: ForwardOptions = {}): TransformerOutput {
    this.#check(tokens, context);
    const logits = this.lm_head.call(this.transformer.call(tokens, context, options)); // (B, T, V)
    return { logits, loss: targets && crossEntropy(logits, targets, { ignoreIndex: -1 }) };
  }

  /**
   * The residual stream `[B, T, C]` before block `stopAtLayer`; below 0 it counts from the end, and as many as there are blocks means what the
   * last one gives. No later block is run.
   * @throws RangeError for a layer that there is not.
   */
  residual(
    tokens: Tensor,
    context: Tensor,
    options: Pick<ForwardOptions, "ablateCrossAttention"> & { readonly stopAtLayer: number },
  ): Tensor {
    this.#check(tokens, context);
    return this.transformer.call(tokens, context, { ...options, stopAtLayer: this.stopLayer(options.stopAtLayer) });
  }

  /** How many blocks `stopAtLayer` leaves. @throws RangeError for a layer that there is not. */
  stopLayer(stopAtLayer: number): number {
    const { nLayer } = this.config;
    if (!Number.isInteger(stopAtLayer) || stopAtLayer < -nLayer || stopAtLayer > nLayer)
      throw new RangeError(`Expected stopAtLayer from ${-nLayer} to ${nLayer} but found ${stopAtLayer}`);
    return stopAtLayer < 0 ? nLayer + stopAtLayer : stopAtLayer;
  }

  /** The places whose activations can be watched and replaced, by all their names. */
  get hookSites(): SiteIndex {
    this.#sites ??= new SiteIndex(this.#attached.sitesAmong(hookSites(this.config)), { layers: this.config.nLayer });
    return this.#sites;
  }

  /**
   * Puts a module behind a site until it is removed: it gets the site's activation, and what it gives goes on, which is what hooks on the site
   * see then. Its hook points are sites, named after the site. `addSae` of `@cursive/sae` attaches autoencoders.
   *
   * @throws HookError for an unknown site, or one that has a module behind it.
   */
  attach(name: string, attachment: Attachment): HookHandle {
    const onChange = (): void => {
      this.#sites = undefined;
    };
    return this.#attached.attach(attachment, { model: this, site: this.hookSites.find(name), onChange });
  }

  /** The hook points of attached modules, by the paths of their sites. */
  attachedPoints(): IterableIterator<[path: string, point: HookPoint]> {
    return this.#attached.points();
  }

  /**
   * Every hook's name, aliases and shape, and the bytes of its activation, for a run of the sizes given. Default: one sequence of the most
   * tokens and characters.
   */
  hookTable(sizes: Partial<RunSizes> = {}): HookTableRow[] {
    return hookTable(this, sizes);
  }

  /**
   * Runs the model and keeps activations, TransformerLens's `run_with_cache`. Keeps no tape: for gradients ask for `inclBwd`.
   *
   * tokens `[B, T]`, context `[B, S]` → logits `[B, T, V]`, the loss if there are targets, and the cache; with `stopAtLayer` the residual
   * stream instead of logits and loss. With `device: "cpu"` a promise of it.
   *
   * @example
   * ```ts
   * const { logits, cache } = model.runWithCache(tokens, context, { namesFilter: "blocks.*.hook_pattern" });
   * const pattern = await cache.get("pattern", 2, "cross_attn").data();
   * ```
   * @throws HookError for an unknown name. @throws CacheBudgetError, before anything runs, if the cache would take more than `budget`.
   */
  runWithCache<const O extends RunWithCacheOptions = object>(tokens: Ids, context: Ids, options?: O): CachedRun<O> {
    return runWithCache(this, [tokens, context], options ?? {}) as CachedRun<O>;
  }

  /**
   * Runs the model with hooks that are gone afterwards, also if one throws; TransformerLens's `run_with_hooks`.
   *
   * @returns The logits; or the loss, or both, by `returnType`; or with `stopAtLayer` the residual stream.
   * @example
   * ```ts
   * const logits = model.runWithHooks(tokens, context, { fwdHooks: [["blocks.0.hook_mlp_out", (out) => out.mul(0)]] });
   * ```
   * @throws HookError for an unknown name, a hook that never ran, or one that returns what does not fit.
   */
  runWithHooks<const O extends RunWithHooksOptions>(tokens: Ids, context: Ids, options: O): HookedRun<O> {
    return runWithHooks(this, [tokens, context], options) as HookedRun<O>;
  }

  /**
   * Hooks on whatever runs until the scope ends: training, generating, captured steps.
   *
   * @example
   * ```ts
   * using _scope = model.hooks({ fwdHooks: [["blocks.*.cross_attn.hook_z", (z) => z.mul(0)]] });
   * ```
   */
  hooks(requests: HookRequests): HookScope {
    return new HookScope(this, requests);
  }

  #check(tokens: Tensor, context: Tensor): void {
    const { blockSize, contextBlockSize } = this.config;
    const describe = `tokens [${tokens.shape}] and context [${context.shape}]`;
    if (tokens.rank !== 2 || context.rank !== 2 || tokens.shape[0] !== context.shape[0]) {
      throw new RangeError(`Expected tokens [B, T] and context [B, S] of one batch size but found ${describe}`);
    }
    if (tokens.shape[1]! > blockSize || context.shape[1]! > contextBlockSize) {
      throw new RangeError(`Expected at most ${blockSize} tokens and ${contextBlockSize} characters but found ${describe}`);
    }
  }
}

function checkConfig(config: TransformerConfig): void {
  const { nLayer, nHead, nEmbd, blockSize, contextBlockSize, vocabSize, contextVocabSize } = config;
  for (const [name, size] of Object.entries({ nLayer, nHead, nEmbd, blockSize, contextBlockSize, vocabSize, contextVocabSize })) {
    if (!Number.isInteger(size) || size < 1) throw new RangeError(`Expected ${name} to be a positive whole number but found ${size}`);
  }
  if (nEmbd % nHead) throw new RangeError(`Expected a width divisible by ${nHead} heads but found ${nEmbd}`);
}

/** {@link ForwardOptions}, and to stop early. */
interface BodyOptions extends ForwardOptions {
  /** Run as many blocks and give what comes out of them, instead of all and their normalised result. */
  readonly stopAtLayer?: number;
}

/** Everything between the tokens and the head: the original's `transformer`. */
class Body extends Module<[tokens: Tensor, context: Tensor, options: BodyOptions], Tensor> {
  readonly wte: Embedding;
  readonly wpe: PositionEmbedding;
  readonly wce: Embedding;
  readonly wcpe: PositionEmbedding;
  readonly h: ModuleList<Block>;
  readonly ln_f: HookedLayerNorm;

  constructor(config: TransformerConfig, rng: Rng) {
    super();
    const { nEmbd } = config;
    this.wte = new Embedding(config.vocabSize, nEmbd, { rng });
    this.wpe = new PositionEmbedding(config.blockSize, { nEmbd, rng });
    this.wce = new Embedding(config.contextVocabSize, nEmbd, { rng });
    this.wcpe = new PositionEmbedding(config.contextBlockSize, { nEmbd, rng });
    this.h = new ModuleList(Array.from({ length: config.nLayer }, () => new Block(config, rng)));
    this.ln_f = new HookedLayerNorm(nEmbd);
  }

  override forward(tokens: Tensor, context: Tensor, options: BodyOptions): Tensor {
    const embedded = embed(this.wce, context, () => this.wcpe.call(context.shape[1]!)); // (B, S, C)
    const c = options.ablateCrossAttention ? embedded.mul(0) : embedded;
    const { places, caches } = options.continuation ?? {};
    const positions = (): Tensor => (places ? embedding(places, this.wpe.weight) : this.wpe.call(tokens.shape[1]!));
    let x = embed(this.wte, tokens, positions); // (B, T, C)
    for (const [i, block] of [...this.h].slice(0, options.stopAtLayer).entries()) x = block.call(x, c, caches?.[i]);
    return options.stopAtLayer === undefined ? this.ln_f.call(x) : x;
  }
}

/** Ids `[B, T]` as vectors, each with its position's added, `[B, T, C]`: one kernel, unless a hook must see the vectors alone. */
function embed(table: Embedding, ids: Tensor, positions: () => Tensor): Tensor {
  return table.isHooked ? table.call(ids).add(positions()) : embedding(ids, table.weight, { plus: positions() });
}

/** One vector a place: the first T rows of its table, which is a view where looking them up one by one would copy. */
class PositionEmbedding extends Module<[length: number], Tensor> {
  readonly weight: Parameter;

  constructor(count: number, { nEmbd, rng }: { nEmbd: number; rng: Rng }) {
    super();
    this.weight = new Embedding(count, nEmbd, { rng }).weight;
  }

  override forward(length: number): Tensor {
    return this.weight.narrow(0, { start: 0, length }).unsqueeze(0); // (1, T, C)
  }
}
