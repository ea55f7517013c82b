import { noGrad, type Tensor } from "@cursive/tensor";
import type { Transformer } from "../transformer.ts";
import type { PosSlice } from "./pos_slice.ts";
import { blocksBefore, type CachedModel, cachedPart, type ResidualReader } from "./residual_stack.ts";

/** Options of {@link applyLnToStack}. */
export interface ApplyLnOptions extends ResidualReader {
  /** Which of the cached stroke tokens the stack has. */
  readonly posSlice?: PosSlice;
}

/**
 * What parts of the residual stream `[parts, B, T, C]` are behind the normalisation of what reads it: each centred, divided by the scale of the
 * whole stream that the cache has, and times the normalisation's weight. So they add up to what is read, less the normalisation's bias,
 * where the parts add up to the stream. TransformerLens's `apply_ln_to_stack`, as it is for a model with its normalisations folded.
 *
 * @throws HookError if `hook_scale` of that normalisation was not cached. @throws RangeError for a layer that there is not.
 */
export function applyLnToStack(components: Tensor, { model, cache, posSlice, ...reader }: CachedModel & ApplyLnOptions): Tensor {
  const { name, norm } = normBefore(model, reader);
  return noGrad(() => {
    const centred = components.sub(components.mean({ axis: -1, keepDims: true }));
    return centred.div(cachedPart(`${name}.hook_scale`, { model, cache, posSlice })).mul(norm.weight);
  });
}

/** The normalisation that a reader has before it, and TransformerLens's name of it. */
export function normBefore(
  model: Transformer,
  reader: ResidualReader,
): { readonly name: string; readonly norm: Transformer["transformer"]["ln_f"] } {
  const layer = blocksBefore(model, reader);
  const { h, ln_f } = model.transformer;
  if (layer === h.length) return { name: "ln_final", norm: ln_f };
  const block = h.at(layer);
  if (reader.mlpInput) return { name: `blocks.${layer}.ln3`, norm: block.ln_3 };
  return reader.crossAttnInput ? { name: `blocks.${layer}.ln2`, norm: block.ln_2 } : { name: `blocks.${layer}.ln1`, norm: block.ln_1 };
}
