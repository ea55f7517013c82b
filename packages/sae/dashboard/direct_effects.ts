import type { StrokeTokenizer, Transformer } from "@cursive/cursive-model";
import { type HostTensor, noGrad, type Tensor } from "@cursive/tensor";
import { logitEffects } from "../analysis/logit_effects.ts";
import type { LogitEffects } from "./feature_pages.ts";

/** What a site's features add to the logits directly. */
export interface DirectEffects {
  /** Of one feature, by its decoder row `[D]`. */
  of(direction: Float32Array): LogitEffects;
}

/**
 * Prepares the direct effects of a site that the residual stream gets added to it: as it is, or through the projection that it goes through on
 * its way. Null for other sites.
 */
export async function directEffects(
  model: Transformer,
  { site, tokenizer }: { readonly site: string; readonly tokenizer: StrokeTokenizer },
): Promise<DirectEffects | null> {
  const projection = projectionOf(model, site);
  if (projection === null) return null;
  const { weight } = model.lm_head;
  const [vocabulary, width] = weight.shape as [number, number];
  const scale = await model.transformer.ln_f.weight.data();
  const unembedding: HostTensor = { shape: [vocabulary, width], dtype: "f32", data: (await weight.data()) as Float32Array<ArrayBuffer> };
  const toStream = projection && ((await noGrad(() => projection.transpose(0, 1).contiguous()).data()) as Float32Array); // [D, C]
  return {
    of(direction) {
      const data = toStream ? projected(direction, { toStream, width }) : Float32Array.from(direction);
      const [effects] = logitEffects({ shape: [1, width], dtype: "f32", data }, { unembedding, scale });
      return byMeaning(effects!, tokenizer);
    },
  };
}

/** What stands between a site and the residual stream: a weight `[C, D]`; undefined for nothing, null if the site adds nothing. */
function projectionOf(model: Transformer, site: string): Tensor | undefined | null {
  const { name, layer } = model.hookSites.find(site);
  if (["hook_embed", "hook_pos_embed"].includes(name)) return undefined;
  if (layer === null || layer < 0) return null;
  const part = name.replace(`blocks.${layer}.`, "");
  const { attn, cross_attn, mlp } = [...model.transformer.h][layer]!;
  if (part === "mlp.hook_post") return mlp.c_proj.weight;
  if (part === "attn.hook_z") return attn.c_proj.weight;
  if (part === "cross_attn.hook_z") return cross_attn.c_proj.weight;
  return /^hook_(resid_(pre|mid|mid_cross|post)|attn_out|cross_attn_out|mlp_out)$/.test(part) ? undefined : null;
}

function projected(
  direction: Float32Array,
  { toStream, width }: { readonly toStream: Float32Array; readonly width: number },
): Float32Array<ArrayBuffer> {
  const sums = new Float64Array(width);
  for (const [d, weight] of direction.entries()) for (let c = 0; c < width; c++) sums[c]! += weight * toStream[d * width + c]!;
  return Float32Array.from(sums);
}

function byMeaning(effects: Float64Array, { firstThetaToken, padToken, endToken, wordToken }: StrokeTokenizer): LogitEffects {
  const special = [
    { name: "PAD", token: padToken },
    { name: "END", token: endToken },
    ...(wordToken === null ? [] : [{ name: "WORD", token: wordToken }]),
  ];
  return {
    theta: Array.from(effects.subarray(firstThetaToken, padToken)),
    radiusDown: Array.from(effects.subarray(0, firstThetaToken / 2)),
    radiusUp: Array.from(effects.subarray(firstThetaToken / 2, firstThetaToken)),
    special: special.map(({ name, token }) => ({ name, effect: effects[token]! })),
  };
}
