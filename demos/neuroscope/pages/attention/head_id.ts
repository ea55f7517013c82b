import { type AttentionHead, attentionHeads } from "@cursive/cursive-model";

/** `c1.2`: head 2 of layer 1 of cross-attention; `s1.2` of self-attention. As links have it. */
export function headId({ attention, layer, head }: AttentionHead): string {
  return `${attention === "cross_attn" ? "c" : "s"}${layer}.${head}`;
}

/** The heads that a link names, each once, in the model's order; what the model lacks is passed over. */
export function headsNamed(ids: string, sizes: { readonly nLayer: number; readonly nHead: number }): AttentionHead[] {
  const named = new Set(ids.split(",").map((id) => id.trim()));
  return attentionHeads(sizes).filter((head) => named.has(headId(head)));
}

/** `cross-attention L1H2`, layer and head from 0 as hooks count them. */
export function headTitle({ attention, layer, head }: AttentionHead): string {
  return `${attention === "cross_attn" ? "cross" : "self"}-attention L${layer}H${head}`;
}

/** Whether two are the same head. */
export function isSameHead(a: AttentionHead, b: AttentionHead): boolean {
  return headId(a) === headId(b);
}
