// A small training run that every runtime must repeat: the same words, parameters and batches, whatever runs the JavaScript and the WGSL.
import { coarseAugmentation, makeWords, StrokeTokenizer, Trainer, Transformer, WordDataset } from "@cursive/cursive-model";
import { type Device, openDevice } from "@cursive/tensor";

/** What came of the run, and where. */
export interface TwentySteps {
  readonly adapter: string;
  readonly family: Device["family"];
  /** Mean cross-entropy of each step, before its change. */
  readonly losses: readonly number[];
}

/** Trains a transformer of two blocks on the built-in hand for twenty captured steps. */
export async function twentySteps(options: { readonly family?: Device["family"] } = {}): Promise<TwentySteps> {
  const device = await openDevice(options);
  const tokenizer = new StrokeTokenizer({ bins: "polar-73" });
  const words = makeWords({ count: 60, characters: "abcdefghijklmnopqrstuvwxyz", letters: [1, 3] });
  const dataset = new WordDataset(words, { tokenizer, numWords: 1, maxLength: 48, contextLength: 4, augment: coarseAugmentation });
  const model = new Transformer(
    {
      nLayer: 2,
      nHead: 2,
      nEmbd: 32,
      blockSize: dataset.maxLength,
      contextBlockSize: dataset.contextLength,
      vocabSize: tokenizer.vocabSize,
      contextVocabSize: tokenizer.contextVocabSize,
    },
    { seed: 1 },
  );
  const trainer = new Trainer(model, { dataset, batchSize: 8, schedule: { stepSize: 10, gamma: 0.5 } });
  const losses: number[] = [];
  for await (const { loss } of trainer.run({ until: 20 })) losses.push(loss);
  const { name: adapter, family } = device;
  device.destroy();
  return { adapter, family, losses };
}
