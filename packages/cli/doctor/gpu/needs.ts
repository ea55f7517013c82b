import { StrokeTokenizer } from "@cursive/cursive-model";
import type { RunConfig } from "../../config/run_config.ts";

/**
 * Bytes of the greatest tensor of a training step: the logits `[B, T, V]`, their rows brought to multiples of four elements, or the hidden
 * layer of the MLP `[B, T, 4 C]`. Evaluations go in pieces of a training step's size.
 */
export function largestTensor({ data, model, training }: RunConfig): number {
  const { vocabSize } = new StrokeTokenizer({ bins: data.bins });
  return 4 * training.batchSize * data.maxLength * Math.max(4 * Math.ceil(vocabSize / 4), 4 * model.nEmbd);
}
