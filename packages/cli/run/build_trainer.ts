import { Trainer, Transformer, type WordDataset } from "@cursive/cursive-model";
import type { CompileProgress } from "@cursive/tensor";
import type { RunConfig } from "../config/run_config.ts";

/** A fresh model for a data set, with the sizes that a configuration gives. */
export function buildModel({ model, seed }: RunConfig, dataset: WordDataset): Transformer {
  const { tokenizer } = dataset;
  return new Transformer(
    {
      ...model,
      blockSize: dataset.maxLength,
      contextBlockSize: dataset.contextLength,
      vocabSize: tokenizer.vocabSize,
      contextVocabSize: tokenizer.contextVocabSize,
    },
    { seed },
  );
}

/** A trainer for a fresh model. `onCompile` hears how far the shaders of its step are. */
export function buildTrainer(config: RunConfig, options: { readonly dataset: WordDataset; readonly onCompile?: CompileProgress }): Trainer {
  const { batchSize, lr, weightDecay, betas, schedule, maxGradNorm, evaluation } = config.training;
  const model = buildModel(config, options.dataset);
  return new Trainer(model, { batchSize, lr, weightDecay, betas, schedule, evaluation, maxGradNorm: maxGradNorm ?? undefined, ...options });
}
