import { noGrad } from "@cursive/tensor";
import { applyLnToStack } from "./apply_ln_to_stack.ts";
import {
  blocksBefore,
  type CachedModel,
  type ResidualPart,
  type ResidualStack,
  type ResidualStackOptions,
  stackParts,
} from "./residual_stack.ts";

/** Options of {@link decomposeResid}. */
export interface DecomposeResidOptions extends ResidualStackOptions {
  /** Which parts of blocks. Default `"all"`. */
  readonly mode?: "all" | "attn" | "cross_attn" | "mlp";
  /** The embeddings of tokens and of places too. Default true. */
  readonly inclEmbeds?: boolean;
}

/**
 * What makes up the residual stream that something reads: the embeddings, and what self-attention, cross-attention and MLP of each block before
 * it have added. All of them sum to the stream. TransformerLens's `decompose_resid`, with cross-attention as a third part.
 */
export function decomposeResid<const O extends DecomposeResidOptions>(options: O, { model, cache }: CachedModel): ResidualStack<O> {
  const { mode = "all", inclEmbeds = true, applyLn = false, posSlice, returnLabels = false, mlpInput = false } = options;
  const layer = blocksBefore(model, options);
  const parts: ResidualPart[] = inclEmbeds ? ["embed", "pos_embed"].map((label) => ({ label, name: `hook_${label}` })) : [];
  const add = (block: number, what: "attn" | "cross_attn" | "mlp"): void => {
    if (mode === "all" || mode === what) parts.push({ label: `${block}_${what}_out`, name: `blocks.${block}.hook_${what}_out` });
  };
  for (let block = 0; block < layer; block++) for (const what of ["attn", "cross_attn", "mlp"] as const) add(block, what);
  if (mlpInput || options.crossAttnInput) add(layer, "attn");
  if (mlpInput) add(layer, "cross_attn");
  return noGrad(() => {
    const stacked = stackParts(parts, { model, cache, posSlice });
    const components = applyLn ? applyLnToStack(stacked, { ...options, model, cache, posSlice }) : stacked;
    return (returnLabels ? [components, parts.map(({ label }) => label)] : components) as ResidualStack<O>;
  });
}
