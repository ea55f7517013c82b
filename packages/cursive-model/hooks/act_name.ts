const LAYER_TYPES: Readonly<Record<string, string>> = {
  a: "attn",
  attention: "attn",
  c: "cross_attn",
  cross: "cross_attn",
  m: "mlp",
  b: "",
  block: "",
  blocks: "",
};
const NAMES: Readonly<Record<string, string>> = {
  attn: "pattern",
  attn_logits: "attn_scores",
  key: "k",
  query: "q",
  value: "v",
  mlp_pre: "pre",
  mlp_post: "post",
};
const IN_ATTENTION = new Set(["q", "k", "v", "attn_scores", "pattern", "z", "result"]);
const IN_MLP = new Set(["pre", "post"]);
const OF_NORM = new Set(["scale", "normalized"]);

/** Which part of a block an activation belongs to, where its name does not say. */
export type LayerType = "attn" | "cross_attn" | "mlp" | "ln1" | "ln2" | "ln3" | (string & {});

/**
 * The full name of an activation from its short one, TransformerLens's `get_act_name`: attention is self-attention unless `cross_attn` is asked
 * for; `normalized` and `scale` belong to the final normalisation, or to a block's `ln1`, `ln2` or `ln3`. Full names, and names of no layer, come back as they are.
 *
 * @example
 * ```ts
 * getActName("pattern", 2, "cross_attn"); // blocks.2.cross_attn.hook_pattern
 * getActName("resid_post5");              // blocks.5.hook_resid_post
 * getActName("scale4ln1");                // blocks.4.ln1.hook_scale
 * getActName("embed");                    // hook_embed
 * ```
 */
export function getActName(name: string, layer?: number, layerType?: LayerType): string {
  if (/(^|\.)hook_|\./.test(name)) return name;
  const written = /^([a-z_]+?)(\d+)([a-z]+\d?)?$/.exec(name);
  if (written && layer === undefined) return getActName(written[1]!, Number(written[2]), layerType ?? written[3]);
  const short = NAMES[name] ?? name;
  const given = layerType === undefined ? undefined : (LAYER_TYPES[layerType] ?? layerType);
  const part = given || (IN_ATTENTION.has(short) ? "attn" : IN_MLP.has(short) ? "mlp" : "");
  if (layer === undefined) return OF_NORM.has(short) ? `ln_final.hook_${short}` : `hook_${short}`;
  return `blocks.${layer}.${part && `${part}.`}hook_${short}`;
}
