import { embedding, HookError, type HostTensor, noGrad, type Tensor } from "@cursive/tensor";
import type { Transformer } from "../transformer.ts";
import { applyLnToStack } from "./apply_ln_to_stack.ts";
import type { PosSlice } from "./pos_slice.ts";
import { type CachedModel, onDeviceOf } from "./residual_stack.ts";

/** Stroke tokens: one for all places, or ids of i32 with one for each sequence `[B]`, or for each place `[B, T]`. */
export type AttributedTokens = number | Tensor | HostTensor;

/** Options of {@link logitAttrs}. */
export interface LogitAttrsOptions {
  /** Attribute the difference between the logits of the tokens and of these, of the same shape. */
  readonly incorrectTokens?: AttributedTokens;
  /** Which of the cached stroke tokens the stack has. */
  readonly posSlice?: PosSlice;
}

/**
 * What each part of the residual stream `[parts, B, T, C]` adds to the logit of a token, directly: behind the last normalisation, by the
 * scale that the whole stream had there, times the token's row of `lm_head`. `[parts, B, T]`. All parts sum to the logit, less what the
 * normalisation's bias adds: `ln_f.bias` · `lm_head.weight[token]`, the same everywhere. TransformerLens's `logit_attrs`.
 */
export function logitAttrs(
  components: Tensor,
  { tokens, incorrectTokens, posSlice, model, cache }: CachedModel & LogitAttrsOptions & { readonly tokens: AttributedTokens },
): Tensor {
  return noGrad(() => {
    let directions = directionsOf(tokens, model);
    if (incorrectTokens !== undefined) {
      const others = directionsOf(incorrectTokens, model);
      if (others.shape.join() !== directions.shape.join())
        throw new HookError(`Expected incorrectTokens of the shape of tokens but found ${shapeOf(others)} and ${shapeOf(directions)}`);
      directions = directions.sub(others);
    }
    const scaled = applyLnToStack(components, { model, cache, posSlice });
    if (directions.rank >= scaled.rank)
      throw new HookError(`Expected tokens for parts [${scaled.shape.slice(1).join(", ")}] but found ${shapeOf(directions)}`);
    // of each sequence the same at all its places
    while (directions.rank > 1 && directions.rank < scaled.rank - 1) directions = directions.unsqueeze(-2);
    return scaled.mul(directions).sum({ axis: -1 });
  });
}

/** The tokens' rows of the head, `[.., C]`. @throws RangeError for a number that is no token's. */
function directionsOf(tokens: AttributedTokens, model: Transformer): Tensor {
  const { weight } = model.lm_head;
  if (typeof tokens !== "number") return embedding(onDeviceOf(model, tokens), weight);
  const { vocabSize } = model.config;
  if (!Number.isInteger(tokens) || tokens < 0 || tokens >= vocabSize)
    throw new RangeError(`Expected a token from 0 to ${vocabSize - 1} but found ${tokens}`);
  return weight.select(0, tokens);
}

/** The shape of the tokens. */
function shapeOf(directions: Tensor): string {
  return `[${directions.shape.slice(0, -1).join(", ")}]`;
}
