import type { TransformerConfig } from "../transformer.ts";

/**
 * An axis of an activation: B sequences, T stroke tokens, S characters, C width, H heads, D = C / H, V vocabulary, or a number of widths; of
 * modules that were attached its size.
 */
export type HookAxis = "1" | "B" | "T" | "S" | "C" | "2C" | "3C" | "4C" | "H" | "D" | "V" | number;

/** A place of the model whose activation can be watched and replaced. */
export interface HookSite {
  /** TransformerLens's name; where it has none, the PyTorch original's path. */
  readonly name: string;
  /** Other names of the same thing: paths of modules that put it out, and TransformerLens 3's names. */
  readonly aliases: readonly string[];
  /** The module whose output it is. */
  readonly path: string;
  /** The block it is in; −1 before the first, null after the last. */
  readonly layer: number | null;
  readonly axes: readonly HookAxis[];
  /** False for what is cached only when asked for by name, as it repeats others or is very large. */
  readonly isDefault: boolean;
}

/** How large a run is. */
export interface RunSizes {
  /** B */
  readonly batch: number;
  /** T */
  readonly tokens: number;
  /** S */
  readonly characters: number;
}

/** The shape of a site's activation in a run. */
export function siteShape(site: HookSite, config: TransformerConfig, sizes: RunSizes): number[] {
  const { nEmbd: c, nHead: h, vocabSize } = config;
  const { batch, tokens, characters } = sizes;
  const size = { "1": 1, B: batch, T: tokens, S: characters, C: c, "2C": 2 * c, "3C": 3 * c, "4C": 4 * c, H: h, D: c / h, V: vocabSize };
  return site.axes.map((axis) => (typeof axis === "number" ? axis : size[axis]));
}

/** The bytes of a site's activation in a run. */
export function siteBytes(site: HookSite, config: TransformerConfig, sizes: RunSizes): number {
  return 4 * siteShape(site, config, sizes).reduce((a, b) => a * b, 1);
}

/** Whether a run of the first blocks alone, as many as `end`, comes to a site. Without a number it is a run of all. */
export function isReached({ layer }: HookSite, end: number | undefined): boolean {
  return end === undefined || (layer !== null && layer < end);
}

/** All sites of a model in the order in which they run. */
export function hookSites({ nLayer }: { readonly nLayer: number }): HookSite[] {
  const lastly = { layer: null, isDefault: true } as const;
  const final = "transformer.ln_f";
  return [
    ...embeddingSites(),
    ...Array.from({ length: nLayer }, (_, layer) => blockSites(layer)).flat(),
    { name: "ln_final.hook_scale", aliases: [`${final}.hook_scale`], path: `${final}.hook_scale`, axes: ["B", "T", "1"], ...lastly },
    {
      name: "ln_final.hook_normalized",
      aliases: [final, "transformer", "ln_final.hook_out", "unembed.hook_in"],
      path: final,
      axes: ["B", "T", "C"],
      ...lastly,
    },
    { name: "unembed.hook_out", aliases: ["lm_head"], path: "lm_head", axes: ["B", "T", "V"], ...lastly, isDefault: false },
  ];
}

function embeddingSites(): HookSite[] {
  const of = (name: string, module: string, axes: readonly HookAxis[]): HookSite => ({
    name: `hook_${name}`,
    aliases: [`transformer.${module}`, `${name}.hook_out`],
    path: `transformer.${module}`,
    layer: -1,
    axes,
    isDefault: true,
  });
  return [
    of("embed_c", "wce", ["B", "S", "C"]),
    of("pos_embed_c", "wcpe", ["1", "S", "C"]),
    of("embed", "wte", ["B", "T", "C"]),
    of("pos_embed", "wpe", ["1", "T", "C"]),
  ];
}

function blockSites(layer: number): HookSite[] {
  const [lens, torch] = [`blocks.${layer}`, `transformer.h.${layer}`];
  /** A site by its name in the block, the path of its module there, and other names. */
  const of = (
    name: string,
    path: string,
    about: { axes?: readonly HookAxis[]; also?: readonly string[]; rare?: boolean } = {},
  ): HookSite => ({
    name: `${lens}.${name}`,
    aliases: [path ? `${torch}.${path}` : torch, ...(about.also ?? [])],
    path: path ? `${torch}.${path}` : torch,
    layer,
    axes: about.axes ?? ["B", "T", "C"],
    isDefault: !about.rare,
  });
  /** What has no name in TransformerLens. */
  const unnamed = (path: string, axes: readonly HookAxis[]): HookSite => ({ ...of("", path, { axes, rare: true }), name: `${torch}.${path}`, aliases: [] }); // biome-ignore format: one line
  const norm = (k: 1 | 2 | 3): HookSite[] => [
    of(`ln${k}.hook_scale`, `ln_${k}.hook_scale`, { axes: ["B", "T", "1"] }),
    of(`ln${k}.hook_normalized`, `ln_${k}`, { also: [`${lens}.ln${k}.hook_out`] }),
  ];
  const attention = (name: "attn" | "cross_attn"): HookSite[] => {
    const keys: HookAxis = name === "attn" ? "T" : "S";
    const part = (hook: string, axes: readonly HookAxis[], also: readonly string[] = []): HookSite =>
      of(`${name}.hook_${hook}`, `${name}.hook_${hook}`, { axes, also: also.map((a) => `${lens}.${name}.${a}`) });
    return [
      unnamed(name === "attn" ? "attn.c_attn" : "cross_attn.c_attn_q", ["B", "T", name === "attn" ? "3C" : "C"]),
      part("q", ["B", "T", "H", "D"], ["q.hook_out"]),
      ...(name === "attn" ? [] : [unnamed("cross_attn.c_attn_kv", ["B", "S", "2C"])]),
      part("k", ["B", keys, "H", "D"], ["k.hook_out"]),
      part("v", ["B", keys, "H", "D"], ["v.hook_out"]),
      part("attn_scores", ["B", "H", "T", keys]),
      part("pattern", ["B", "H", "T", keys], ["hook_attention_weights"]),
      part("z", ["B", "T", "H", "D"], ["o.hook_in"]),
      of(`${name}.hook_result`, `${name}.c_proj.hook_result`, { axes: ["B", "T", "H", "C"], rare: true }),
      of(`hook_${name}_out`, `${name}.c_proj`, { also: [`${torch}.${name}`, `${lens}.${name}.hook_out`] }),
    ];
  };
  return [
    of("hook_resid_pre", "hook_resid_pre", { also: [`${lens}.hook_in`] }),
    of("hook_attn_in", "hook_attn_in", { rare: true, also: [`${lens}.ln1.hook_in`] }),
    ...norm(1),
    ...attention("attn"),
    of("hook_resid_mid", "hook_resid_mid"),
    of("hook_cross_attn_in", "hook_cross_attn_in", { rare: true, also: [`${lens}.ln2.hook_in`] }),
    ...norm(2),
    ...attention("cross_attn"),
    of("hook_resid_mid_cross", "hook_resid_mid_cross"),
    of("hook_mlp_in", "hook_mlp_in", { rare: true, also: [`${lens}.ln3.hook_in`] }),
    ...norm(3),
    of("mlp.hook_pre", "mlp.c_fc", { axes: ["B", "T", "4C"], also: [`${lens}.mlp.in.hook_out`] }),
    of("mlp.hook_post", "mlp.act", { axes: ["B", "T", "4C"], also: [`${lens}.mlp.out.hook_in`] }),
    of("hook_mlp_out", "mlp.c_proj", { also: [`${torch}.mlp`, `${lens}.mlp.hook_out`] }),
    of("hook_resid_post", "", { also: [`${lens}.hook_out`] }),
  ];
}
