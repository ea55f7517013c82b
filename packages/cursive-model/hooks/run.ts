import {
  crossEntropy,
  enableGrad,
  fromHost,
  gradientHook,
  HookError,
  type HostTensor,
  noGrad,
  storageClock,
  Tensor,
} from "@cursive/tensor";
import type { ForwardOptions, Transformer } from "../transformer.ts";
import { ActivationCache } from "./activation_cache.ts";
import { CACHE_BUDGET, checkBudget } from "./budget.ts";
import { type PosSlice, slicedLength, slicePositions } from "./pos_slice.ts";
import { type HookRequest, type HookRequests, HookScope } from "./scope.ts";
import type { NamesFilter } from "./select.ts";
import { type HookSite, isReached, type RunSizes, siteBytes } from "./sites.ts";

/** Token ids `[B, T]` or `[B, S]`, i32, on the GPU or the host. */
export type Ids = Tensor | HostTensor;

/** What {@link Transformer.runWithCache} and {@link Transformer.runWithHooks} share. */
export interface RunOptions extends Pick<ForwardOptions, "ablateCrossAttention"> {
  /** `[B, T]`, for a loss; −1 is left out of it. */
  readonly targets?: Ids;
  /** Run the blocks before this one only, and give the residual stream there; below 0 counts from the end. */
  readonly stopAtLayer?: number;
}

/** Options of {@link Transformer.runWithCache}. */
export interface RunWithCacheOptions extends RunOptions {
  /** What to cache. Default: all but each head's result (`hook_result`) and what repeats others. */
  readonly namesFilter?: NamesFilter;
  /** Cache some stroke tokens only. */
  readonly posSlice?: PosSlice;
  /** Drop the batch's axis from what is cached: for a batch of one. */
  readonly removeBatchDim?: boolean;
  /** Where the cache lies. Default `"gpu"`; for `"cpu"` the result has to be awaited. */
  readonly device?: "gpu" | "cpu";
  /** Cache gradients of the loss too, as `NAME_grad`. The parameters' own stay as they are. */
  readonly inclBwd?: boolean;
  /** Most bytes to cache. Default {@link CACHE_BUDGET}, 512 MB. */
  readonly budget?: number;
}

/** Options of {@link Transformer.runWithHooks}. */
export interface RunWithHooksOptions extends RunOptions, HookRequests {
  /** Default `"logits"`. */
  readonly returnType?: "logits" | "loss" | "both";
  /** Give each token's loss, `[B, T]`, instead of their mean. */
  readonly lossPerToken?: boolean;
}

/** What a run puts out: the residual stream if it stopped before the end. */
export type RunOutput<O> = O extends { readonly stopAtLayer: number }
  ? { readonly residual: Tensor }
  : { readonly logits: Tensor; readonly loss: O extends { readonly targets: Ids } ? Tensor : Tensor | null };

/** A run's output with its cache of GPU tensors or of host arrays. */
type OutputWithCache<O, V extends Tensor | HostTensor> = RunOutput<O> & { readonly cache: ActivationCache<V> };

/** What {@link Transformer.runWithCache} gives: a promise for the host, and possibly one where options leave the device open. */
export type CachedRun<O> = O extends { readonly device: "cpu" }
  ? Promise<OutputWithCache<O, HostTensor>>
  : O extends { readonly device?: infer D }
    ? unknown extends D
      ? OutputWithCache<O, Tensor>
      : "cpu" extends D
        ? OutputWithCache<O, Tensor> | Promise<OutputWithCache<O, HostTensor>>
        : OutputWithCache<O, Tensor>
    : OutputWithCache<O, Tensor>;

/** What {@link Transformer.runWithHooks} gives. */
export type HookedRun<O> = O extends { readonly stopAtLayer: number }
  ? Tensor
  : O extends { readonly returnType: "both" }
    ? { readonly logits: Tensor; readonly loss: Tensor }
    : Tensor;

interface Output {
  readonly logits: Tensor | null;
  readonly loss: Tensor | null;
  readonly residual: Tensor | null;
}

/** {@link Transformer.runWithHooks}. */
export function runWithHooks(model: Transformer, inputs: readonly [tokens: Ids, context: Ids], options: RunWithHooksOptions): unknown {
  const { returnType = "logits", lossPerToken = false, targets, stopAtLayer } = options;
  if (returnType !== "logits" && !targets && stopAtLayer === undefined)
    throw new HookError(`Expected targets for a returnType of ${returnType} but found none`);
  const scope = new HookScope(model, options, stopAtLayer === undefined ? undefined : model.stopLayer(stopAtLayer));
  let output: Output;
  try {
    output = forward(model, inputs, lossPerToken ? { ...options, targets: undefined } : options);
  } finally {
    scope.remove();
  }
  scope.checkFired(stopAtLayer === undefined ? "" : ` in a run that stops at layer ${stopAtLayer}`);
  if (output.residual) return output.residual;
  const logits = output.logits!;
  if (returnType === "logits") return logits;
  const loss = lossPerToken ? crossEntropy(logits, onDevice(model, targets!), { ignoreIndex: -1, reduction: "none" }) : output.loss!;
  return returnType === "loss" ? loss : { logits, loss };
}

/** {@link Transformer.runWithCache}. */
export function runWithCache(model: Transformer, inputs: readonly [tokens: Ids, context: Ids], options: RunWithCacheOptions): unknown {
  const { inclBwd = false, removeBatchDim = false, budget = CACHE_BUDGET } = options;
  const [tokens, context] = inputs;
  const sizes = { batch: tokens.shape[0]!, tokens: tokens.shape[1]!, characters: context.shape[1]! };
  if (removeBatchDim && sizes.batch !== 1) throw new HookError(`Expected a batch of one for removeBatchDim but found ${sizes.batch}`);
  if (inclBwd && (!options.targets || options.stopAtLayer !== undefined))
    throw new HookError("Expected targets and a run to the end for the gradients of inclBwd but found no loss");
  const sites = sitesToCache(model, options);
  const run = `${sizes.batch} × ${sizes.tokens} tokens and ${sizes.characters} characters`;
  checkBudget(estimate(sites, { model, sizes, options }), { budget, run });

  const start = storageClock();
  const values = new Map<string, Tensor>();
  const keep = (name: string, value: Tensor, site: HookSite): void => {
    const part = options.posSlice === undefined ? value.detach() : slicePositions(value.detach(), site, options.posSlice).clone();
    values.set(name, removeBatchDim ? part.squeeze(0) : part);
  };
  const fwdHooks: HookRequest[] = sites.map((site) => [
    site.name,
    (value) => {
      keep(site.name, value, site);
      if (!inclBwd) return undefined;
      return gradientHook([value], ([gradient]) => {
        if (gradient) keep(`${site.name}_grad`, gradient, site);
        return undefined;
      })[0];
    },
  ]);
  const scope = new HookScope(model, { fwdHooks });
  let output: Output;
  try {
    output = inclBwd ? forwardAndBackward(model, inputs, options) : noGrad(() => forward(model, inputs, options));
  } finally {
    scope.remove();
  }
  scope.checkFired();
  const kept = new Set(Object.values(output).map((t: Tensor | null) => t?.storage));
  const owned = [...new Set([...values.values()].map((t) => t.storage))].filter((s) => s.id >= start && !kept.has(s));
  const cache = new ActivationCache(model, values, { owned, hasPositions: typeof options.posSlice !== "number" });
  const { residual, ...rest } = output;
  const result = residual ? { residual } : rest;
  if (options.device !== "cpu") return { ...result, cache };
  return cache.toCPU().then((host) => {
    cache.dispose();
    return { ...result, cache: host };
  });
}

/** The sites that a filter means and the run reaches. */
function sitesToCache(model: Transformer, { namesFilter, stopAtLayer }: RunWithCacheOptions): HookSite[] {
  const index = model.hookSites;
  const chosen = namesFilter === undefined ? index.sites.filter((site) => site.isDefault) : index.select(namesFilter);
  if (stopAtLayer === undefined) return chosen;
  const end = model.stopLayer(stopAtLayer);
  const reached = chosen.filter((site) => isReached(site, end));
  // What is named must come; a pattern may mean what lies behind the end too.
  const named = namesFilter === undefined ? [] : index.named(namesFilter);
  const beyond = reached.length === 0 ? chosen[0] : named.find((site) => !isReached(site, end));
  if (beyond) throw new HookError(`Expected a run that reaches ${beyond.name} but found one that stops at layer ${stopAtLayer}`);
  return reached;
}

function estimate(
  sites: readonly HookSite[],
  { model, sizes, options }: { model: Transformer; sizes: RunSizes; options: RunWithCacheOptions },
): Map<string, number> {
  const { posSlice, inclBwd } = options;
  const bytes = (site: HookSite): number => {
    const all = siteBytes(site, model.config, sizes) * (inclBwd ? 2 : 1);
    const isSliced = posSlice !== undefined && site.axes.includes("T");
    return isSliced ? (all / sizes.tokens) * slicedLength(sizes.tokens, posSlice) : all;
  };
  return new Map(sites.map((site) => [site.name, bytes(site)]));
}

function forward(model: Transformer, inputs: readonly [tokens: Ids, context: Ids], options: RunOptions): Output {
  const [tokens, context] = inputs.map((ids) => onDevice(model, ids)) as [Tensor, Tensor];
  const { targets, stopAtLayer, ablateCrossAttention } = options;
  if (stopAtLayer !== undefined) {
    const residual = model.residual(tokens, context, { stopAtLayer, ablateCrossAttention });
    return { residual, logits: null, loss: null };
  }
  return { residual: null, ...model.call(tokens, context, targets ? onDevice(model, targets) : null, { ablateCrossAttention }) };
}

/** Also runs the hooks on gradients; the parameters keep the gradients that they had. */
function forwardAndBackward(model: Transformer, inputs: readonly [tokens: Ids, context: Ids], options: RunOptions): Output {
  const parameters = [...model.parameters()];
  const before = parameters.map((p) => p.grad);
  model.zeroGrad();
  try {
    const { logits, loss } = enableGrad(() => forward(model, inputs, options));
    loss!.backward();
    return { residual: null, logits: logits!.detach(), loss: loss!.detach() };
  } finally {
    for (const [i, p] of parameters.entries()) p.grad = before[i]!;
  }
}

/** Ids as a tensor on the device of the model. */
export function onDevice(model: Transformer, ids: Ids): Tensor {
  return ids instanceof Tensor ? ids : fromHost(ids, { device: model.lm_head.weight.device });
}
