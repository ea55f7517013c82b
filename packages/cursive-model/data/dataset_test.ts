import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { inkOf } from "../testing/ink.ts";
import { padSequence, type Split, WordDataset, type WordDatasetOptions } from "./dataset.ts";
import { joinWords } from "./join.ts";
import { makeWords } from "./make_words.ts";
import { splitWords } from "./split.ts";
import { StrokeTokenizer } from "./tokenizer.ts";

const tokenizer = new StrokeTokenizer();
const words = makeWords({ count: 60, characters: "abcdefgh", letters: [2, 3], spacing: 0.05 });
const dataset = (options: Partial<WordDatasetOptions> = {}) =>
  new WordDataset(words, { tokenizer, numWords: 2, maxLength: 120, contextLength: 10, ...options });
const arbitraryBatch = fc.record({
  step: fc.nat(1e6),
  batchSize: fc.integer({ min: 1, max: 4 }),
  split: fc.constantFrom<Split>("train", "test"),
});

describe("splitWords", () => {
  it("holds out 5 %, but at least 10 and at most 1,000", () => {
    const sizes = (count: number) => splitWords(Array(count).fill(0), { seed: 1 }).test.length;
    expect([11, 200, 239, 240, 1900, 20_000, 30_000].map(sizes)).toEqual([10, 10, 11, 12, 95, 1000, 1000]);
  });

  it("puts every word on one side, by the seed alone", () => {
    fc.assert(
      fc.property(fc.integer({ min: 11, max: 400 }), fc.nat(), (count, seed) => {
        const all = Array.from({ length: count }, (_, i) => i);
        const { train, test } = splitWords(all, { seed });
        expect([...train, ...test].sort((a, b) => a - b)).toEqual(all);
        expect(splitWords(all, { seed })).toEqual({ train, test });
      }),
    );
    expect(splitWords([...Array(100).keys()], { seed: 1 }).test).not.toEqual(splitWords([...Array(100).keys()], { seed: 2 }).test);
  });

  it("refuses to hold out everything", () => {
    expect(() => splitWords(Array(10).fill(0), { seed: 1 })).toThrow("Expected more than the 10 words to hold out but found 10");
  });
});

describe("padSequence", () => {
  it("adds END and PAD, and shifts the targets by one, END twice", () => {
    const { tokens, targets } = padSequence([7, 8, 9], { length: 6, padToken: 0, endToken: 1 });
    expect([[...tokens], [...targets]]).toEqual([
      [7, 8, 9, 1, 0, 0],
      [8, 9, 1, 1, 0, 0],
    ]);
  });

  it("cuts what leaves no room for END", () => {
    for (const sequence of [
      [7, 8, 9],
      [7, 8, 9, 10, 11],
    ]) {
      const { tokens, targets } = padSequence(sequence, { length: 3, padToken: 0, endToken: 1 });
      expect([[...tokens], [...targets]]).toEqual([
        [7, 8, 1],
        [8, 1, 1],
      ]);
    }
  });
});

describe("WordDataset", () => {
  it("gives the same batch for the same seed, split and step, whatever was drawn before", () => {
    const used = dataset();
    fc.assert(
      fc.property(arbitraryBatch, (which) => {
        expect(used.batch(which)).toEqual(dataset().batch(which));
      }),
      { numRuns: 30 },
    );
  });

  it("gives other batches for another seed, split or step", () => {
    const which = { step: 3, batchSize: 2, split: "train" as Split };
    const { tokens } = dataset().batch(which);
    expect(dataset({ seed: 43 }).batch(which).tokens).not.toEqual(tokens);
    expect(dataset().batch({ ...which, step: 4 }).tokens).not.toEqual(tokens);
    expect(dataset().batch({ ...which, split: "test" }).tokens).not.toEqual(tokens);
  });

  it("starts a larger batch with the smaller one", () => {
    const small = dataset().batch({ step: 1, batchSize: 2, split: "train" });
    const large = dataset().batch({ step: 1, batchSize: 5, split: "train" });
    expect(large.tokens.subarray(0, 240)).toEqual(small.tokens);
    expect(large.texts.slice(0, 2)).toEqual(small.texts);
  });

  it("makes each split of its own words only, different ones in a combination", () => {
    const data = dataset();
    const { train, test } = data.words;
    expect(train.filter((word) => test.includes(word))).toEqual([]);
    fc.assert(
      fc.property(fc.constantFrom<Split>("train", "test"), fc.nat(2999), (split, index) => {
        const combination = data.combination(split, index);
        expect(new Set(combination).size).toBe(2);
        expect(combination.every((word) => data.words[split].includes(word))).toBe(true);
      }),
    );
  });

  it("uses every word of a split before long", () => {
    const data = dataset();
    const used = new Set(Array.from({ length: 300 }, (_, i) => data.combination("train", i)).flat());
    expect(used.size).toBe(data.words.train.length); // 50 words: one left out has a chance of 0.0003
  });

  it("writes rows of tokens, END, PAD, targets one ahead, and the text of the words", () => {
    const data = dataset();
    fc.assert(
      fc.property(arbitraryBatch, (which) => {
        const { tokens, targets, context, texts } = data.batch(which);
        expect([tokens.length, targets.length, context.length]).toEqual([120, 120, 10].map((length) => length * which.batchSize));
        for (const [row, text] of texts.entries()) {
          const x = [...tokens.subarray(row * 120, (row + 1) * 120)];
          const end = x.indexOf(tokenizer.endToken);
          expect(x.slice(end + 1).every((token) => token === tokenizer.padToken)).toBe(true);
          expect([...targets.subarray(row * 120, (row + 1) * 120)]).toEqual([
            ...x.slice(1, end + 1),
            tokenizer.endToken,
            ...x.slice(end + 1),
          ]);
          expect(tokenizer.segments(x).some((segment) => segment.malformed)).toBe(false);
          expect(context.subarray(row * 10, (row + 1) * 10)).toEqual(tokenizer.encodeText(text, { length: 10 }));
          expect(text.split(" ").every((part) => data.words[which.split].some((word) => word.text === part))).toBe(true);
        }
      }),
      { numRuns: 30 },
    );
  });

  it("tells the words of each row and how long their ink is, cut or not", () => {
    fc.assert(
      fc.property(arbitraryBatch, fc.constantFrom(8, 41, 400), (which, maxLength) => {
        const { tokens, texts, words: rows, lengths } = dataset({ maxLength }).batch(which);
        const whole = dataset({ maxLength: 4000 }).batch(which);
        expect(rows.map((row) => row.map(({ text }) => text).join(" "))).toEqual(texts);
        for (const [row, length] of lengths.entries()) {
          expect(length).toBe(whole.tokens.subarray(row * 4000).indexOf(tokenizer.endToken));
          expect(tokens.subarray(row * maxLength).indexOf(tokenizer.endToken)).toBe(Math.min(length, maxLength - 1));
        }
      }),
      { numRuns: 30 },
    );
  });

  it("leaves ink as it is without augmentation", () => {
    const data = dataset({ augment: false, maxLength: 500, combinations: { train: 1, test: 1 } });
    const { tokens, texts } = data.batch({ step: 0, batchSize: 1, split: "train" });
    const joined = joinWords(data.combination("train", 0));
    expect(texts).toEqual([joined.text]);
    const wanted = tokenizer.encodeStrokes(joined.points);
    expect(tokens.subarray(0, wanted.length)).toEqual(wanted);
  });

  it("varies held-out ink too, every time it is drawn", () => {
    const data = dataset({ combinations: { train: 1, test: 1 } });
    const first = data.batch({ step: 0, batchSize: 1, split: "test" });
    const second = data.batch({ step: 1, batchSize: 1, split: "test" });
    expect(first.texts).toEqual(second.texts);
    expect(first.tokens).not.toEqual(second.tokens);
  });

  it("keeps words apart for a tokenizer with a WORD token", () => {
    const later = new StrokeTokenizer({ bins: "polar-220-word" });
    const { tokens } = dataset({ tokenizer: later, numWords: 3, maxLength: 400 }).batch({ step: 0, batchSize: 1, split: "train" });
    expect(tokens.filter((token) => token === later.wordToken)).toHaveLength(4);
  });

  it("refuses what it cannot serve", () => {
    expect(() => dataset({ numWords: 0 })).toThrow("Expected numWords to be a positive whole number but found 0");
    expect(() => dataset({ maxLength: 2.5 })).toThrow("Expected maxLength to be a positive whole number but found 2.5");
    expect(() => dataset({ numWords: 11 })).toThrow("Expected at least 11 test words but found 10");
    expect(() => dataset({ tokenizer: new StrokeTokenizer({ alphabet: "abc" }) })).toThrow(
      /Expected characters of the alphabet but found "[d-h]" in word \d+/,
    );
    expect(() => dataset().batch({ step: -1, batchSize: 1, split: "train" })).toThrow("Expected a step from 0 but found -1");
    expect(() => dataset().batch({ step: 0, batchSize: 0, split: "train" })).toThrow("Expected a batch size from 1 but found 0");
    expect(() => dataset().combination("test", 3000)).toThrow("Expected a combination from 0 to 2999 but found 3000");
    const strange = [...words, { text: "é", author: "", points: inkOf("0,0 0,0/") }];
    expect(() => new WordDataset(strange, { tokenizer })).toThrow('found "é" in word 60');
  });
});
