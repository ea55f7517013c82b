import { HookError, type Tensor } from "@cursive/tensor";
import type { Transformer } from "../transformer.ts";

/** A model seen at one site: what it computes there, and what it says when something else stands there. */
export interface SplicedSite {
  /** TransformerLens's name of the site. */
  readonly site: string;
  /** The site's activation `[B, T, D]`, heads laid side by side; no later block is run. */
  activation(tokens: Tensor, context: Tensor): Tensor;
  /** Logits `[B, T, V]` after `replace`, which sees that activation and gives one of its shape, or nothing to leave it as it is. */
  logits(tokens: Tensor, context: Tensor, replace: (activation: Tensor) => Tensor | undefined): Tensor;
}

/**
 * A model seen at one site, through hooks: what measuring autoencoders takes (`evaluateSae` of `@cursive/sae`).
 *
 * @example
 * ```ts
 * const site = spliceSite(model, "blocks.0.hook_mlp_out");
 * const logits = site.logits(tokens, context, (x) => sae.decode(sae.encode(x)));
 * ```
 * @throws HookError for an unknown site, or one that has no vector for every stroke token.
 */
export function spliceSite(model: Transformer, name: string): SplicedSite {
  const { name: site, axes, layer } = model.hookSites.find(name);
  if (axes[0] !== "B" || axes[1] !== "T")
    throw new HookError(`Expected a site with a vector for each stroke token, [B, T, ..], but found ${site} [${axes.join(", ")}]`);
  const asRows = (x: Tensor): Tensor => {
    const [batch, length] = x.shape as [number, number];
    return x.reshape([batch, length, x.size / (batch * length)]);
  };
  return {
    site,
    activation(tokens, context) {
      const stopAtLayer = layer === null ? undefined : layer + 1;
      const budget = Number.POSITIVE_INFINITY; // one site, which the caller is about to hold anyway
      const { cache } = model.runWithCache(tokens, context, { namesFilter: site, stopAtLayer, budget });
      return asRows(cache.get(site));
    },
    logits: (tokens, context, replace) =>
      model.runWithHooks(tokens, context, { fwdHooks: [[site, (x) => replace(asRows(x))?.reshape(x.shape)]] }),
  };
}
