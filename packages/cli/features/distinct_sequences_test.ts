import { makeWords, StrokeTokenizer, WordDataset } from "@cursive/cursive-model";
import { describe, expect, it } from "vitest";
import { distinctSequences } from "./distinct_sequences.ts";

const tokenizer = new StrokeTokenizer({ alphabet: "aeinst", bins: "polar-73" });
const words = makeWords({ count: 60, characters: "aeinst", letters: [3, 5], spacing: 0.1 });
const dataset = new WordDataset(words, { tokenizer, numWords: 1, maxLength: 32, contextLength: 6, combinations: { train: 40, test: 9 } });

const textsOf = (count: number): string[] => {
  const batches = distinctSequences(dataset, { split: "test", count });
  return Array.from({ length: count }, (_, i) => tokenizer.decodeText(batches(i)!.context.data as Int32Array));
};

describe("distinctSequences", () => {
  it("draws no text twice while there are others", () => {
    const texts = textsOf(4);
    expect(new Set(texts).size).toBe(4);
  });

  it("repeats texts rather than giving fewer sequences, each time the same, and then ends", () => {
    const texts = textsOf(20);
    expect(new Set(texts).size).toBeLessThanOrEqual(9);
    expect(textsOf(20)).toEqual(texts);
    const batches = distinctSequences(dataset, { split: "test", count: 20 });
    expect(batches(19)!.tokens.data).toEqual(batches(19)!.tokens.data); // out of order, too
    expect(batches(20)).toBeUndefined();
  });
});
