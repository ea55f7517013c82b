import { StrokeTokenizer } from "@cursive/cursive-model";
import { describe, expect, it } from "vitest";
import { compass, expectationOf, likeliest, shareOf } from "./next_token.ts";
import { placeOf, wordStarts } from "./places.ts";

const tokenizer = new StrokeTokenizer({ bins: "polar-220-word" });
const logits = Float32Array.from({ length: tokenizer.vocabSize }, (_, i) => Math.sin(i * 1.7) * 3);

describe("expectationOf()", () => {
  it("takes all that can be drawn apart, and nothing twice", () => {
    for (const settings of [
      { temperature: 1, topK: 0 },
      { temperature: 0.3, topK: 7 },
      { temperature: 0, topK: 3 },
    ]) {
      const { directions, down, up, end, others } = expectationOf(logits, tokenizer, settings);
      expect(shareOf(directions) + shareOf(down) + shareOf(up) + end + others).toBeCloseTo(1, 10);
      expect(directions.every(({ token }) => tokenizer.meaning(token).kind === "theta")).toBe(true);
      expect(up.every(({ token }) => (tokenizer.meaning(token) as { pen: number }).pen === 0)).toBe(true);
      const left = [...directions, ...down, ...up].filter(({ share }) => share > 0).length + (end > 0 ? 1 : 0);
      if (settings.topK > 0) expect(left).toBeLessThanOrEqual(settings.topK);
    }
  });

  it("is the softmax at the temperature", () => {
    const { directions } = expectationOf(logits, tokenizer, { temperature: 0.5, topK: 0 });
    const sum = logits.reduce((total, value) => total + Math.exp(value / 0.5), 0);
    for (const { token, share } of directions) expect(share).toBeCloseTo(Math.exp(logits[token]! / 0.5) / sum, 6);
    expect(likeliest(directions).share).toBe(Math.max(...directions.map(({ share }) => share)));
  });
});

describe("compass()", () => {
  it("says directions with y down", () => {
    expect([0, Math.PI / 2, -Math.PI / 2, Math.PI, -Math.PI, -Math.PI / 4].map(compass)).toEqual([
      "right",
      "down",
      "up",
      "left",
      "left",
      "up and right",
    ]);
  });
});

describe("placeOf()", () => {
  const words = [3, 0, 2].map((count) => ({ segments: Array(count) }));
  it("finds the word of a movement; at a border that of the later word", () => {
    expect(wordStarts(words)).toEqual([0, 3, 3, 5]);
    expect([0, 2, 3, 4, 5, 9].map((at) => placeOf(words, at))).toEqual([
      { word: 0, movement: 0 },
      { word: 0, movement: 2 },
      { word: 2, movement: 0 },
      { word: 2, movement: 1 },
      { word: 2, movement: 2 },
      { word: 2, movement: 2 },
    ]);
    expect(placeOf([], 0)).toEqual({ word: 0, movement: 0 });
  });
});
