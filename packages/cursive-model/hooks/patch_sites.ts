import { HookError } from "@cursive/tensor";
import type { Transformer } from "../transformer.ts";
import type { HookAxis, RunSizes } from "./sites.ts";

/** What one patch replaces: an activation, or one head's or one place's part of it. */
export interface PatchSite {
  readonly name: string;
  readonly head?: number;
  /** Counts stroke tokens; in activations of the text, characters. */
  readonly position?: number;
}

/** Patches in a grid: one for each combination of the axes' labels, in row-major order. */
export interface PatchGrid {
  readonly axes: readonly { readonly name: string; readonly labels: readonly (string | number)[] }[];
  readonly sites: readonly PatchSite[];
}

/** Patches for a model and a size of run. */
export type PatchSites = (model: Transformer, sizes: RunSizes) => PatchGrid;

/**
 * Every head of every layer.
 *
 * @example
 * ```ts
 * headSites();                                                 // [layer, head] of self-attention's z
 * headSites({ attention: "cross_attn", hook: "pattern" });
 * headSites({ hook: "z", byPosition: true });                  // [layer, head, position]
 * ```
 */
export function headSites(
  options: {
    readonly attention?: "attn" | "cross_attn";
    readonly hook?: "q" | "k" | "v" | "z" | "pattern" | "attn_scores" | "result";
    readonly byPosition?: boolean;
  } = {},
): PatchSites {
  const { attention = "attn", hook = "z", byPosition = false } = options;
  return (model, sizes) => {
    const { nLayer, nHead } = model.config;
    const names = layers(nLayer).map((layer) => `blocks.${layer}.${attention}.hook_${hook}`);
    return grid(names, { head: range(nHead), ...(byPosition && { position: range(placesOf(model, names[0]!, sizes)) }) });
  };
}

/**
 * One activation of every layer, such as `resid_pre`, `attn_out`, `cross_attn_out`, `mlp_out` or `mlp.hook_post`, place by place.
 *
 * @example
 * ```ts
 * layerSites("resid_pre");                        // [layer, position]
 * layerSites("mlp_out", { byPosition: false });   // [layer]
 * layerSites("resid_mid", { positions: [3, 4] }); // some places only
 * ```
 */
export function layerSites(
  hook: string,
  options: { readonly byPosition?: boolean; readonly positions?: readonly number[] } = {},
): PatchSites {
  const { byPosition = true, positions } = options;
  return (model, sizes) => {
    const names = layers(model.config.nLayer).map((layer) => `blocks.${layer}.${hook.includes("hook_") ? hook : `hook_${hook}`}`);
    return grid(names, byPosition ? { position: positions ?? range(placesOf(model, names[0]!, sizes)) } : {});
  };
}

/** Whole activations by name, alias or pattern. */
export function namedSites(...names: readonly string[]): PatchSites {
  return (model) => {
    const found = model.hookSites.select(names).map(({ name }) => name);
    return { axes: [{ name: "site", labels: found }], sites: found.map((name) => ({ name })) };
  };
}

/** The axis of an activation that a patch's head or position counts along. @throws HookError if it has none. */
export function patchAxis(axes: readonly HookAxis[], { what, name }: { what: "head" | "position"; name: string }): number {
  const axis = what === "head" ? axes.indexOf("H") : axes.findIndex((a) => a === "T" || a === "S");
  if (axis < 0) throw new HookError(`Expected an activation with a ${what} to patch but found ${name} [${axes.join(", ")}]`);
  return axis;
}

/** Names of layers by whatever else the patches go through. */
function grid(names: readonly string[], inner: { head?: readonly number[]; position?: readonly number[] }): PatchGrid {
  let sites: PatchSite[] = names.map((name) => ({ name }));
  for (const [what, values] of Object.entries(inner)) sites = sites.flatMap((site) => values.map((value) => ({ ...site, [what]: value })));
  const axes = Object.entries(inner).map(([name, labels]) => ({ name, labels }));
  return { axes: [{ name: "layer", labels: layers(names.length) }, ...axes], sites };
}

function placesOf(model: Transformer, name: string, { tokens, characters }: RunSizes): number {
  const { axes } = model.hookSites.find(name);
  return axes[patchAxis(axes, { what: "position", name })] === "T" ? tokens : characters;
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const layers = range;
