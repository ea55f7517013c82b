import { noGrad } from "@cursive/tensor";
import { applyLnToStack, normBefore } from "./apply_ln_to_stack.ts";
import {
  blocksBefore,
  type CachedModel,
  type ResidualPart,
  type ResidualStack,
  type ResidualStackOptions,
  stackParts,
} from "./residual_stack.ts";

/** Options of {@link accumulatedResid}. */
export interface AccumulatedResidOptions extends ResidualStackOptions {
  /** Take the stream between the parts of blocks too: after self-attention (`0_mid`) and after cross-attention (`0_mid_cross`). */
  readonly inclMid?: boolean;
}

/**
 * The residual stream as it grows, up to what reads it: before each block (`0_pre`), and what comes out of the last one (`final_post`). With
 * `applyLn` for the head each is normalised anew, bias and all, so that `lm_head` makes logits of it: the logit lens; for an earlier reader by the scale that
 * this had. TransformerLens's `accumulated_resid`.
 */
export function accumulatedResid<const O extends AccumulatedResidOptions>(options: O, { model, cache }: CachedModel): ResidualStack<O> {
  const { inclMid = false, applyLn = false, posSlice, returnLabels = false } = options;
  const layer = blocksBefore(model, options);
  const { nLayer } = model.config;
  const isInMlp = options.mlpInput ?? false;
  const parts: ResidualPart[] = [];
  const add = (block: number, site: string): void => {
    parts.push({ label: `${block}_${site}`, name: `blocks.${block}.hook_resid_${site}` });
  };
  for (let block = 0; block <= layer; block++) {
    if (block === nLayer) {
      parts.push({ label: "final_post", name: `blocks.${block - 1}.hook_resid_post` });
      continue;
    }
    add(block, "pre");
    if (block < layer ? inclMid : isInMlp || options.crossAttnInput) add(block, "mid");
    if (block < layer ? inclMid : isInMlp) add(block, "mid_cross");
  }
  return noGrad(() => {
    const stacked = stackParts(parts, { model, cache, posSlice });
    const { norm } = normBefore(model, options);
    const components = !applyLn
      ? stacked
      : layer === nLayer
        ? norm.forward(stacked)
        : applyLnToStack(stacked, { ...options, model, cache, posSlice });
    return (returnLabels ? [components, parts.map(({ label }) => label)] : components) as ResidualStack<O>;
  });
}
