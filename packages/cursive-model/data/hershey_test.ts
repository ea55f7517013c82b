import { createRng } from "@cursive/tensor";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { simplify } from "./downsample.ts";
import { cursiveCharacters, writeCursive } from "./hershey.ts";
import { makeWords } from "./make_words.ts";
import { defaultAlphabet, StrokeTokenizer } from "./tokenizer.ts";
import { type Point, visibleStrokes } from "./word.ts";

const write = (text: string, options: { seed?: number; variation?: number; spacing?: number } = {}) =>
  writeCursive(text, { rng: createRng(options.seed ?? 1, text), ...options });
const text = fc.string({ unit: fc.constantFrom(...cursiveCharacters), minLength: 1, maxLength: 8 });
const top = (points: readonly Point[]) => -Math.min(...points.map(([, y]) => y));
const bottom = (points: readonly Point[]) => Math.max(...points.map(([, y]) => y));

type Line = ReturnType<typeof visibleStrokes>[number];

describe("writeCursive", () => {
  it("has every character of the alphabet but the space", () => {
    expect([...cursiveCharacters].sort()).toEqual([...defaultAlphabet.slice(1)].sort());
  });

  it("writes any text as finite strokes from x = 0, each closed by a pen-up point where it ended", () => {
    fc.assert(
      fc.property(text, fc.nat(), (characters, seed) => {
        const { points, text: written } = write(characters, { seed });
        expect(written).toBe(characters);
        expect(points[0]![0]).toBe(0);
        expect(points[0]![2]).toBe(1);
        expect(points.at(-1)![2]).toBe(0);
        expect(points.flat().every(Number.isFinite)).toBe(true);
        const ends = [...points.entries()].filter(([, [, , pen]]) => pen === 0);
        expect(ends.map(([i]) => points[i - 1])).toEqual(ends.map(([, [x, y]]) => [x, y, 1]));
        // What a word may cover: 0.35 up, 0.3 down, a third of a height a character
        expect(top(points)).toBeLessThan(0.35 + 0.03 * characters.length);
        expect(bottom(points)).toBeLessThan(0.3 + 0.03 * characters.length);
        expect(points.every(([x]) => x > -0.2 && x < 0.36 * characters.length + 0.2)).toBe(true);
      }),
    );
  });

  it("puts points a spacing apart along each stroke", () => {
    for (const spacing of [0.005, 0.011, 0.03]) {
      for (const stroke of visibleStrokes(write("example", { spacing }).points)) {
        const steps = stroke.slice(1).map(([x, y], i) => Math.hypot(x - stroke[i]![0], y - stroke[i]![1]));
        expect(Math.max(...steps)).toBeLessThan(1.5 * spacing); // a stroke shorter than that is one step
      }
    }
  });

  it("joins letters: one stroke for letters without dot or bar", () => {
    for (const word of ["mnu", "hello", "queen", "vowel", "arcsbdpyzfgkw"]) expect(visibleStrokes(write(word).points)).toHaveLength(1);
  });

  it("rises into e without a dip", () => {
    const heights = visibleStrokes(write("le").points)
      .flat()
      .map(([, y]) => -y);
    const turnsUp = heights.filter((height, i) => i > 0 && height < heights[i - 1]! && height <= heights[i + 1]!);
    expect(turnsUp).toHaveLength(2); // at the foot of l and at that of e
  });

  it("dots and crosses right after the letter, then goes on where the letter ended", () => {
    const strokes = visibleStrokes(write("nil").points);
    expect(strokes).toHaveLength(3);
    const [before, dot, after] = strokes as [Line, Line, Line];
    expect(Math.min(...dot.map(([, y]) => -y))).toBeGreaterThan(0.15); // above small letters
    expect(Math.hypot(before.at(-1)![0] - after[0]![0], before.at(-1)![1] - after[0]![1])).toBeLessThan(0.02);
    expect(visibleStrokes(write("tx").points)).toHaveLength(4); // body, bar, body from t's way out, bar
    expect(visibleStrokes(write("ti").points)).toHaveLength(4);
  });

  it("lifts the pen for figures, marks and letters in capitals, and joins a capital that leads on", () => {
    expect(visibleStrokes(write("(12)").points)).toHaveLength(4);
    expect(visibleStrokes(write("MCS").points)).toHaveLength(3);
    expect(visibleStrokes(write("Man").points)).toHaveLength(1);
    expect(visibleStrokes(write("Pan").points)).toHaveLength(2);
  });

  it("has the sizes of captured ink: small letters 0.127 high, with ascenders, capitals and figures at least 0.2", () => {
    const height = (word: string) => top(write(word, { variation: 0 }).points);
    expect(height("mnu")).toBeCloseTo(0.127, 1.5);
    for (const word of ["l", "M", "8"]) expect(height(word)).toBeGreaterThan(0.19);
    for (const word of ["l", "M", "8"]) expect(height(word)).toBeLessThan(0.28);
    expect(bottom(write("mnu", { variation: 0 }).points)).toBeLessThan(0.01);
    expect(bottom(write("gyp", { variation: 0 }).points)).toBeGreaterThan(0.14);
  });

  it("writes the same from the same generator, and differently each time otherwise", () => {
    expect(write("again", { seed: 5 })).toEqual(write("again", { seed: 5 }));
    expect(write("again", { seed: 5 })).not.toEqual(write("again", { seed: 6 }));
  });

  it("refuses what it cannot write", () => {
    expect(() => write("")).toThrow("Expected a text but found an empty one");
    expect(() => write("naïve")).toThrow('Expected characters of the built-in cursive but found "ï"');
  });
});

describe("makeWords", () => {
  it("starts a longer list with a shorter one", () => {
    const short = makeWords({ count: 3, seed: 9 });
    expect(makeWords({ count: 6, seed: 9 }).slice(0, 3)).toEqual(short);
    expect(makeWords({ count: 3, seed: 10 })).not.toEqual(short);
  });

  it("keeps to the characters and the length it is given", () => {
    const characters = fc.uniqueArray(fc.constantFrom(...cursiveCharacters), { maxLength: 30 }).map((some) => `${some.join("")}`);
    fc.assert(
      fc.property(characters, fc.integer({ min: 1, max: 4 }), fc.integer({ min: 0, max: 4 }), fc.nat(), (some, least, more, seed) => {
        const make = () => makeWords({ count: 3, seed, characters: some, letters: [least, least + more], spacing: 0.1 });
        if (!/[a-zA-Z0-9]/.test(some)) {
          expect(make).toThrow("Expected letters or figures to make words of");
          return;
        }
        for (const { text } of make()) {
          expect([...text].filter((character) => !some.includes(character))).toEqual([]);
          const letters = text.replace(/[^a-zA-Z0-9]/g, "").length;
          expect(letters >= Math.min(least, 5) && letters <= least + more).toBe(true);
        }
      }),
    );
  });

  it("uses every character before long, the commonest letters most", () => {
    const counts = new Map<string, number>();
    for (const { text } of makeWords({ count: 500, spacing: 0.2 }))
      for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
    expect([...counts.keys()].sort()).toEqual([...cursiveCharacters].sort());
    expect(counts.get("e")!).toBeGreaterThan(2 * counts.get("z")!);
    expect(counts.get("z")!).toBeGreaterThan(5);
  });

  it("makes short words that fit 128 tokens once simplified", () => {
    const tokenizer = new StrokeTokenizer();
    const lengths = makeWords({ count: 200, characters: "abcdefghijklmnopqrstuvwxyz", letters: [3, 5] })
      .map(({ points }) => tokenizer.encodeStrokes(simplify(points, 0.01)).length)
      .sort((a, b) => a - b);
    expect(lengths[197]!).toBeLessThan(128);
  });

  it("refuses sizes and characters that make no sense", () => {
    expect(() => makeWords({ count: -1 })).toThrow("Expected a count from 0 but found -1");
    expect(() => makeWords({ count: 1, letters: [4, 3] })).toThrow("Expected letters from 1, the least first, but found 4 to 3");
    expect(() => makeWords({ count: 1, characters: "aß" })).toThrow('Expected characters of the built-in cursive but found "ß"');
  });
});
