import { createRng } from "@cursive/tensor";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { arbitraryWord } from "../testing/ink.ts";
import { augment, coarseAugmentation, defaultAugmentation, drawAugmentation } from "./augment.ts";
import { joinWords } from "./join.ts";
import { StrokeTokenizer } from "./tokenizer.ts";
import type { Word } from "./word.ts";
import { noWord, wordPlaces } from "./word_places.ts";

const joined = new StrokeTokenizer({ bins: "polar-151" });
const apart = new StrokeTokenizer({ bins: "polar-220-word" });

/** Words, some of them without the pen-up point at their end. */
const arbitraryWords = fc.array(
  fc.tuple(arbitraryWord, fc.boolean()).map(([word, isOpen]): Word => (isOpen ? { ...word, points: word.points.slice(0, -1) } : word)),
  { minLength: 1, maxLength: 4 },
);
const ranges = fc.constantFrom(defaultAugmentation, coarseAugmentation, {});

describe("wordPlaces", () => {
  it("tells whose every token is, however the ink was varied", () => {
    fc.assert(
      fc.property(arbitraryWords, fc.nat(), ranges, (words, seed, range) => {
        const draws = drawAugmentation(createRng(seed), range);
        const sizes = words.map(({ points }) => augment(points, draws).length);
        const wanted = sizes.flatMap((size, i) => [...(i > 0 ? [noWord, noWord] : []), ...Array<number>(2 * size).fill(i)]);
        const line = joined.encodeStrokes(augment(joinWords(words).points, draws));
        expect([...wordPlaces(line, { words, tokenizer: joined })]).toEqual(wanted);
        const separate = apart.encodeWords(words.map(({ points }) => augment(points, draws)));
        expect([...wordPlaces(separate, { words, tokenizer: apart })]).toEqual(wanted);
      }),
    );
  });

  it("gives END and PAD to no word, and takes a sequence that was cut anywhere", () => {
    fc.assert(
      fc.property(arbitraryWords, fc.nat(200), (words, cut) => {
        const whole = joined.encodeStrokes(joinWords(words).points);
        const tokens = [...whole.subarray(0, cut), joined.endToken, joined.padToken, joined.padToken];
        const places = [...wordPlaces(tokens, { words, tokenizer: joined })];
        const uncut = [...wordPlaces(whole, { words, tokenizer: joined })].slice(0, cut);
        // A gap that was cut between direction and length passes for the word before it.
        const last = uncut.length - 1;
        if (cut % 2 === 1 && uncut[last] === noWord) uncut[last] = uncut[last - 1]!;
        expect(places).toEqual([...uncut, noWord, noWord, noWord]);
      }),
    );
  });
});
