import { type CapturedStep, capture, type HostTensor, noGrad, type Tensor } from "@cursive/tensor";
import type { Transformer } from "./transformer.ts";

/** Computes the logits after one token of each sequence from all of the sequences' tokens: the work that kept keys and values save. */
export type WholeSequence = CapturedStep<[tokens: HostTensor, context: HostTensor, last: HostTensor], Tensor>;

const captured = { asked: new WeakMap<Transformer, WholeSequence>(), ablated: new WeakMap<Transformer, WholeSequence>() };

/** The model's logits after token `last` of each sequence: `[B, 1, V]`. The head sees that one position only. */
export function wholeSequence(model: Transformer, ablateCrossAttention: boolean): WholeSequence {
  const steps = ablateCrossAttention ? captured.ablated : captured.asked;
  let step = steps.get(model);
  if (!step) {
    step = capture(
      (tokens: Tensor, context: Tensor, last: Tensor) =>
        noGrad(() => model.lm_head.call(model.transformer.call(tokens, context, { ablateCrossAttention }).indexSelect(last, { axis: 1 }))),
      { device: model.lm_head.weight.device },
    );
    steps.set(model, step);
  }
  return step;
}
