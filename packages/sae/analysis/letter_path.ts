import type { Transformer } from "@cursive/cursive-model";
import type { Tensor } from "@cursive/tensor";

/** How what cross-attention reads gets to a site directly. */
export interface LetterPath {
  /** `"exact"` if the site is the residual stream or part of it; `"first-order"` if a normalisation or an MLP stands between. */
  readonly method: "exact" | "first-order";
  /** Blocks whose cross-attention comes before the site. */
  readonly blocks: readonly number[];
  /** The site to which cross-attention's outputs are simply added, `[B, T, C]`. */
  readonly entry: string;
  /** The last block that has to run for it. */
  readonly stopAtLayer: number | undefined;
  /** From rows of `entry` `[n, C]` to rows of the site `[n, D]`: what stands between, a row at a time. */
  readonly toSite: (rows: Tensor) => Tensor;
}

/**
 * The direct path from cross-attention to a site: through the residual stream alone, or, for the sites of an MLP, through that block's third
 * normalisation and as much of its MLP as the site lies behind. Null where there is none: before the first cross-attention, in
 * self-attention, which mixes places, and in cross-attention's queries, which add nothing.
 *
 * @throws HookError for an unknown site.
 * @example
 * ```ts
 * letterPath(model, "blocks.1.hook_resid_pre"); // exact, from the block 0
 * letterPath(model, "blocks.1.hook_mlp_out"); // first-order, from the blocks 0 and 1
 * ```
 */
export function letterPath(model: Transformer, site: string): LetterPath | null {
  const { nLayer } = model.config;
  const { name, layer } = model.hookSites.find(site);
  const first = (count: number): number[] => Array.from({ length: count }, (_, block) => block);
  if (name === "ln_final.hook_normalized") {
    const { ln_f } = model.transformer;
    const entry = `blocks.${nLayer - 1}.hook_resid_post`;
    return { method: "first-order", blocks: first(nLayer), entry, stopAtLayer: nLayer, toSite: (rows) => ln_f.call(rows) };
  }
  if (layer === null || layer < 0) return null;
  const part = name.replace(`blocks.${layer}.`, "");
  const isBefore = ["hook_resid_pre", "hook_attn_in", "hook_resid_mid", "hook_cross_attn_in"].includes(part);
  const isAfter = ["hook_resid_mid_cross", "hook_mlp_in", "hook_resid_post"].includes(part);
  const stopAtLayer = layer + 1;
  const straight = { method: "exact", entry: name, stopAtLayer, toSite: (rows: Tensor) => rows } as const;
  if (isBefore) return layer === 0 ? null : { ...straight, blocks: first(layer) };
  if (isAfter) return { ...straight, blocks: first(layer + 1) };
  if (part === "hook_cross_attn_out") return { ...straight, blocks: [layer] };
  const { ln_3, mlp } = [...model.transformer.h][layer]!;
  const steps = [ln_3, mlp.c_fc, mlp.act, mlp.c_proj] as const;
  const depth = ["ln3.hook_normalized", "mlp.hook_pre", "mlp.hook_post", "hook_mlp_out"].indexOf(part);
  if (depth < 0) return null;
  return {
    method: "first-order",
    blocks: first(layer + 1),
    entry: `blocks.${layer}.hook_resid_mid_cross`,
    stopAtLayer,
    toSite: (rows) => steps.slice(0, depth + 1).reduce((x, step) => step.call(x), rows),
  };
}
