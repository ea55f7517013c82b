import { HookError, noGrad, Tensor, tensor, where } from "@cursive/tensor";
import type { Transformer } from "../transformer.ts";
import { type PatchGrid, type PatchSite, type PatchSites, patchAxis } from "./patch_sites.ts";
import { type Ids, onDevice } from "./run.ts";
import type { HookSite } from "./sites.ts";

/** Inputs of a run. */
export interface PatchInputs {
  readonly tokens: Ids;
  readonly context: Ids;
  readonly targets?: Ids;
}

/** Options of {@link activationPatch}. */
export interface ActivationPatchOptions {
  /** The run that activations are taken from. */
  readonly clean: PatchInputs;
  /** The run that they are put into; of the same size. */
  readonly corrupted: PatchInputs;
  /** What is measured, one number. Default: the loss. */
  readonly metric?: (run: { readonly logits: Tensor; readonly loss: Tensor | null }) => Tensor;
  /** Which activations, one patch each. */
  readonly sites: PatchSites | PatchGrid;
  /** Most bytes of clean activations; see {@link RunWithCacheOptions.budget}. */
  readonly budget?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/** What {@link activationPatch} has measured. */
export interface PatchResult {
  /** The metric of the clean run. */
  readonly clean: number;
  /** The metric of the corrupted run without a patch. */
  readonly corrupted: number;
  readonly grid: PatchGrid;
  /** The length of each axis of the grid. */
  readonly shape: readonly number[];
  /** The metric with each patch, row-major over the grid. */
  readonly values: Float64Array;
  /** How much of the way from corrupted (0) to clean (1) each patch brings the metric. */
  readonly recovered: Float64Array;
}

/**
 * Activation patching (Meng et al., arXiv 2202.05262): runs the corrupted inputs again and again, each time with one activation from the
 * clean run, and says how much of the clean run's behaviour that brings back.
 *
 * @example
 * ```ts
 * const { recovered, shape } = await activationPatch(model, {
 *   clean: { tokens, context, targets },
 *   corrupted: { tokens, context: otherText, targets },
 *   sites: headSites({ attention: "cross_attn" }),
 * }); // shape [layers, heads]
 * ```
 * @throws HookError for inputs of different sizes, an unknown name, or a head or place that there is not.
 * @throws The reason of `signal`, if it asks to stop.
 */
export async function activationPatch(model: Transformer, options: ActivationPatchOptions): Promise<PatchResult> {
  const { metric = lossOf, signal, onProgress, budget } = options;
  const [clean, corrupted] = [options.clean, options.corrupted].map((inputs) => upload(model, inputs)) as [Uploaded, Uploaded];
  if (`${clean.tokens.shape}|${clean.context.shape}` !== `${corrupted.tokens.shape}|${corrupted.context.shape}`)
    throw new HookError(
      `Expected clean and corrupted inputs of one size but found [${clean.tokens.shape}], [${clean.context.shape}] and ` +
        `[${corrupted.tokens.shape}], [${corrupted.context.shape}]`,
    );
  const sizes = { batch: clean.tokens.shape[0]!, tokens: clean.tokens.shape[1]!, characters: clean.context.shape[1]! };
  const grid = typeof options.sites === "function" ? options.sites(model, sizes) : options.sites;
  const sites = grid.sites.map(({ name }) => model.hookSites.find(name));

  const namesFilter = [...new Set(sites.map(({ name }) => name))];
  const cleanRun = model.runWithCache(clean.tokens, clean.context, { targets: clean.targets, namesFilter, budget });
  const { cache } = cleanRun;
  const run = (fwdHooks: [string, (value: Tensor) => Tensor][]): Promise<number> => {
    const { targets } = corrupted;
    const output = noGrad(() => {
      if (targets) return model.runWithHooks(corrupted.tokens, corrupted.context, { targets, fwdHooks, returnType: "both" });
      return { logits: model.runWithHooks(corrupted.tokens, corrupted.context, { fwdHooks, returnType: "logits" }), loss: null };
    });
    return noGrad(() => metric(output)).item();
  };
  try {
    const ends = { clean: await noGrad(() => metric(cleanRun)).item(), corrupted: await run([]) };
    const values = new Float64Array(sites.length);
    for (const [i, site] of sites.entries()) {
      signal?.throwIfAborted();
      const source = cache.get(site.name);
      const mask = maskOf(source, grid.sites[i]!, site);
      values[i] = await run([[site.name, (value) => (mask ? where(mask, source, value) : source)]]);
      onProgress?.(i + 1, sites.length);
    }
    const recovered = values.map((value) => (value - ends.corrupted) / (ends.clean - ends.corrupted) + 0); // no −0
    return { ...ends, grid, shape: grid.axes.map(({ labels }) => labels.length), values, recovered };
  } finally {
    cache.dispose();
  }
}

interface Uploaded {
  readonly tokens: Tensor;
  readonly context: Tensor;
  readonly targets: Tensor | undefined;
}

function upload(model: Transformer, { tokens, context, targets }: PatchInputs): Uploaded {
  return { tokens: onDevice(model, tokens), context: onDevice(model, context), targets: targets && onDevice(model, targets) };
}

function lossOf({ loss }: { readonly loss: Tensor | null }): Tensor {
  if (loss instanceof Tensor) return loss;
  throw new HookError("Expected a metric, or targets for the loss, but found neither");
}

/** True where a patch replaces, of a shape that broadcasts to the activation's; undefined if it replaces all. */
function maskOf(activation: Tensor, { head, position }: PatchSite, site: HookSite): Tensor | undefined {
  let mask: Tensor | undefined;
  for (const [what, index] of [
    ["head", head],
    ["position", position],
  ] as const) {
    if (index === undefined) continue;
    const axis = patchAxis(site.axes, { what, name: site.name });
    const length = activation.shape[axis]!;
    if (!Number.isInteger(index) || index < 0 || index >= length)
      throw new HookError(`Expected a ${what} from 0 to ${length - 1} of ${site.name} but found ${index}`);
    const chosen = tensor(
      Uint8Array.from({ length }, (_, i) => Number(i === index)),
      { shape: activation.shape.map((_, i) => (i === axis ? length : 1)), dtype: "bool", device: activation.device },
    );
    mask = mask ? mask.logicalAnd(chosen) : chosen;
  }
  return mask;
}
