import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { arbitraryWord, inkOf } from "../testing/ink.ts";
import { coarseAugmentation, defaultAugmentation } from "./augment.ts";
import { WordDataset } from "./dataset.ts";
import { makeWords } from "./make_words.ts";
import { StrokeTokenizer } from "./tokenizer.ts";
import type { Word } from "./word.ts";
import { describeExamples, describeTokens, describeWords } from "./word_stats.ts";

const words: Word[] = [
  { text: "ab", author: "A", points: inkOf("0,0 1,-0.5 1,-0.5/ 1.5,0.1 1.5,0.1/") },
  { text: "b", author: "B", points: inkOf("0,0 0.5,-0.25 0.5,-0.25/") },
  { text: "ab", author: "A", points: inkOf("0,0 0.2,0.2 0.2,0.2/") },
];

describe("describeWords", () => {
  it("counts words, texts, authors, characters and points, and measures the ink", () => {
    const stats = describeWords(words);
    expect(stats).toMatchObject({
      words: 3,
      differentTexts: 2,
      authors: [
        { author: "A", words: 2 },
        { author: "B", words: 1 },
      ],
      characters: [
        { character: "b", count: 3, words: 3 },
        { character: "a", count: 2, words: 2 },
      ],
      textLengths: [
        { characters: 1, words: 1 },
        { characters: 2, words: 2 },
      ],
      points: { least: 3, median: 3, most: 5 },
      pointsPerCharacter: 11 / 5,
      penUpShare: 4 / 11,
      strokes: { least: 1, median: 1, mean: 4 / 3, most: 2 },
      width: { least: 0.2, median: 0.5, p95: 1.5, most: 1.5 },
      above: { least: -0, median: 0.25, most: 0.5 },
      below: { least: 0, median: 0.1, most: 0.2 },
    });
  });

  it("gives the middle of an even number of values, and refuses none", () => {
    expect(describeWords([...words, { ...words[0]!, points: inkOf("0,0 1,1 2,2 2,2/") }]).points).toMatchObject({
      median: 3.5,
      mean: 3.75,
    });
    expect(() => describeWords([])).toThrow("Expected at least one word but found none");
  });

  it("orders every distribution", () => {
    fc.assert(
      fc.property(fc.array(arbitraryWord, { minLength: 1, maxLength: 30 }), (drawn) => {
        const { points, strokes, width, above, below } = describeWords(drawn);
        for (const { least, median, mean, p95, most } of [points, strokes, width, above, below]) {
          for (const value of [median, mean, p95]) {
            expect(value).toBeGreaterThanOrEqual(least - 1e-12);
            expect(value).toBeLessThanOrEqual(most + 1e-12);
          }
          expect(median).toBeLessThanOrEqual(p95);
        }
      }),
    );
  });
});

describe("describeTokens", () => {
  it("counts two tokens a point whatever the bins, fewer of augmented ink, and their entropy", () => {
    const bank = makeWords({ count: 40 });
    for (const bins of ["polar-73", "polar-151", "polar-220-word"] as const) {
      const tokenizer = new StrokeTokenizer({ bins });
      const raw = describeTokens(bank, { tokenizer, augment: false, seed: 1 });
      expect(raw.tokensPerWord.mean).toBe(2 * describeWords(bank).points.mean);
      expect(raw.tokensPerCharacter).toBe(2 * describeWords(bank).pointsPerCharacter);
      const varied = describeTokens(bank, { tokenizer, augment: defaultAugmentation, seed: 1 });
      expect(varied.tokensPerCharacter).toBeLessThan(0.5 * raw.tokensPerCharacter);
      expect(varied).toEqual(describeTokens(bank, { tokenizer, augment: defaultAugmentation, seed: 1 }));
      expect(raw.vocabulary).toBe(tokenizer.vocabSize);
      expect(raw.entropy).toBeLessThanOrEqual(Math.log(raw.used));
      expect(raw.entropy).toBeGreaterThan(1);
    }
    const same: Word = { text: "i", author: "", points: inkOf("0,0") };
    // A direction and a length, each half of the time.
    expect(describeTokens([same], { tokenizer: new StrokeTokenizer(), augment: false, seed: 1 })).toMatchObject({
      used: 2,
      entropy: Math.LN2,
    });
  });
});

describe("describeExamples", () => {
  it("counts what is cut and what is padding, as the batches have them", () => {
    const bank = makeWords({ count: 60, characters: "abcdefgh", letters: [2, 5] });
    const tokenizer = new StrokeTokenizer({ bins: "polar-73" });
    fc.assert(
      fc.property(fc.integer({ min: 30, max: 200 }), fc.integer({ min: 2, max: 12 }), (maxLength, contextLength) => {
        const dataset = new WordDataset(bank, { tokenizer, numWords: 2, maxLength, contextLength, augment: coarseAugmentation });
        const { targets, texts } = dataset.batch({ step: 0, batchSize: 20, split: "train" });
        const stats = describeExamples(dataset, { split: "train", count: 20 });
        expect(stats.paddingShare).toBeCloseTo(targets.filter((target) => target === tokenizer.padToken).length / targets.length, 12);
        expect(stats.cutText).toBe(texts.filter((text) => text.length > contextLength).length);
        expect(stats.cutInk > 0).toBe(stats.tokens.most >= maxLength);
        expect(stats.examples).toBe(20);
      }),
      { numRuns: 20 },
    );
  });
});
