/** Oracle of attention. */
import { build, map, type Nd, nd } from "../nd.ts";
import { matmul } from "./matmul.ts";
import { softmax } from "./normalize.ts";
import { transpose } from "./shape.ts";

/**
 * softmax(q kᵀ · scale) v (Vaswani et al., arXiv 1706.03762). q `[..., T, D]`, k `[..., S, D]`, v `[..., S, E]` → `[..., T, E]`.
 * Causal: place t sees places 0 … t. The scale is 1 / sqrt(D) unless given.
 */
export function scaledDotProductAttention(
  q: Nd,
  k: Nd,
  v: Nd,
  { causal = false, scale = 1 / Math.sqrt(q.shape.at(-1)!) }: { causal?: boolean; scale?: number } = {},
): Nd {
  const scores = map(matmul(q, transpose(k, -1, -2)), (score) => score * scale);
  const hidden = build(scores.shape, (index) => Number(causal && index.at(-1)! > index.at(-2)!));
  const visible = nd(
    scores.shape,
    scores.data.map((score, i) => (hidden.data[i] ? -Infinity : score)),
  );
  return matmul(softmax(visible), v);
}
