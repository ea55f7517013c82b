import { type HookAxis, type HookPoint, spliceSite, type Transformer } from "@cursive/cursive-model";
import { HookError, type HookHandle } from "@cursive/tensor";
import type { SparseAutoencoder } from "../sae.ts";
import { HookedSae } from "./hooked_sae.ts";

/** Options of {@link addSae}. */
export interface AddSaeOptions {
  /** The site: any with a vector for each stroke token. */
  readonly hook: string;
  /** Add what the autoencoder misses, so that only what hooks change changes anything. Default false. */
  readonly useErrorTerm?: boolean;
}

/**
 * Puts an autoencoder in the place of a site's activation, SAELens's `HookedSAETransformer.add_sae`, until it is removed. What it computes has
 * names then, for caches and hooks alike: `blocks.0.hook_mlp_out.hook_sae_acts_post` and so on, see {@link HookedSae}; the site itself shows
 * what goes on. Several sites may have one each.
 *
 * @example
 * ```ts
 * using _sae = addSae(model, sae, { hook: "blocks.0.hook_mlp_out", useErrorTerm: true });
 * const { cache } = model.runWithCache(tokens, context, { namesFilter: "*.hook_sae_acts_post" });
 * ```
 * @throws HookError for an unknown site, one of another width or without a vector a token, or one that has an autoencoder.
 */
export function addSae(model: Transformer, sae: SparseAutoencoder, { hook, useErrorTerm = false }: AddSaeOptions): HookHandle {
  const { site } = spliceSite(model, hook);
  const { dIn, dSae } = sae.config;
  const { shape } = model.hookTable({ batch: 1, tokens: 1, characters: 1 }).find(({ name }) => name === site)!;
  const width = shape.slice(2).reduce((a, b) => a * b, 1);
  if (width !== dIn) throw new HookError(`Expected activations ${dIn} wide but found ${site}, ${width} wide`);
  const module = new HookedSae(sae, { useErrorTerm });
  const of = (point: HookPoint, size: number): { point: HookPoint; axes: HookAxis[] } => ({ point, axes: ["B", "T", size] });
  return model.attach(site, {
    module,
    points: {
      hook_sae_input: of(module.hook_sae_input, dIn),
      hook_sae_acts_pre: of(module.hook_sae_acts_pre, dSae),
      hook_sae_acts_post: of(module.hook_sae_acts_post, dSae),
      hook_sae_recons: of(module.hook_sae_recons, dIn),
      ...(useErrorTerm && { hook_sae_error: of(module.hook_sae_error, dIn) }),
      hook_sae_output: of(module.hook_sae_output, dIn),
    },
  });
}
