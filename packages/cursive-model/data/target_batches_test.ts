import { describe, expect, it } from "vitest";
import { WordDataset } from "./dataset.ts";
import { makeWords } from "./make_words.ts";
import { targetBatches } from "./target_batches.ts";
import { StrokeTokenizer } from "./tokenizer.ts";

const words = makeWords({ count: 40, seed: 1, characters: "aein", letters: [1, 2] });
const dataset = new WordDataset(words, { tokenizer: new StrokeTokenizer(), numWords: 1, maxLength: 30, contextLength: 5 });

describe("targetBatches", () => {
  it("gives the dataset's batches of held-out words, the same ones each time, and then nothing", () => {
    const batches = targetBatches(dataset, { batches: 2, batchSize: 3 });
    for (const step of [0, 1, 0]) {
      const { tokens, targets, context } = dataset.batch({ step, batchSize: 3, split: "test" });
      expect(batches(step)).toEqual({
        tokens: { shape: [3, 30], dtype: "i32", data: tokens },
        targets: { shape: [3, 30], dtype: "i32", data: targets },
        context: { shape: [3, 5], dtype: "i32", data: context },
      });
    }
    expect(batches(2)).toBeUndefined();
  });

  it("takes words that were trained on where asked for", () => {
    const of = (split: "train" | "test") => targetBatches(dataset, { split, batchSize: 3 })(0)!.tokens.data;
    expect(of("train")).toEqual(dataset.batch({ step: 0, batchSize: 3, split: "train" }).tokens);
    expect(of("train")).not.toEqual(of("test"));
  });
});
