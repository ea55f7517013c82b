import { StrokeTokenizer } from "@cursive/cursive-model";
import { describe, expect, it } from "vitest";
import { alongSegments, alongTokens, foretold, quantileOf, rankFeatures, specificity } from "./ranking.ts";

const tokenizer = new StrokeTokenizer({ bins: "polar-73" });
const segments = tokenizer.segments([100, 3, 110, 4, 120, 5]); // tokens 0–5 are three segments
const features = [
  { index: 7, places: [0, 3], values: [2, 5] },
  { index: 2, places: [1, 2], values: [4, 9] },
  { index: 9, places: [5], values: [1] },
];
const numbers = (ranked: readonly { readonly index: number }[]): number[] => ranked.map(({ index }) => index);

describe("alongSegments", () => {
  it("takes a segment's direction, its length or the stronger of both", () => {
    const dense = alongTokens(features[1]!, 6);
    expect(alongSegments(dense, { segments, show: "theta" })).toEqual([0, 9, 0]);
    expect(alongSegments(dense, { segments, show: "r" })).toEqual([4, 0, 0]);
    expect(alongSegments(dense, { segments, show: "max" })).toEqual([4, 9, 0]);
  });
});

describe("foretold", () => {
  it("gives a segment what was foretold of its own tokens, and the first token nothing", () => {
    expect(foretold([1, 10, 100, 1000, 10000, 100000], segments)).toEqual([1, 110, 11000]);
  });
});

describe("quantileOf", () => {
  it("is the share of weaker firings, evenly within a bar", () => {
    const bars = { edges: [0, 1, 2, 4], heights: [6, 3, 1] };
    expect([0, 1, 2, 3, 4, 9].map((value) => quantileOf(value, bars))).toEqual([0, 0.6, 0.9, 0.95, 1, 1]);
    expect(quantileOf(1, { edges: [0, 1], heights: [0] })).toBeNull();
  });
});

describe("specificity", () => {
  it("is the bits of a firing at a feature's highest activation, less below it, and 0 for what always fires", () => {
    expect(specificity(4, { max: 4, density: 0.25 })).toBe(2);
    expect(specificity(1, { max: 4, density: 0.25 })).toBe(0.5);
    expect(specificity(9, { max: 4, density: 0.25 })).toBe(2);
    expect(specificity(4, { max: 4, density: 1 })).toBeCloseTo(0, 12);
    expect(specificity(4, { max: 0, density: 0 })).toBe(0);
  });
});

describe("rankFeatures", () => {
  const all = { segments, show: "max", segment: null } as const;

  it("ranks by activation, on all of the ink or on one segment", () => {
    expect(rankFeatures(features, { ...all, by: "size" })).toEqual([
      { index: 2, value: 9, score: 9 },
      { index: 7, value: 5, score: 5 },
      { index: 9, value: 1, score: 1 },
    ]);
    expect(numbers(rankFeatures(features, { ...all, by: "size", show: "r" }))).toEqual([7, 2, 9]);
    expect(numbers(rankFeatures(features, { ...all, by: "size", segment: 0 }))).toEqual([2, 7]);
    expect(numbers(rankFeatures(features, { ...all, by: "size", segment: 0, show: "theta" }))).toEqual([7]);
  });

  it("ranks seldom ones before frequent ones, unknown ones last", () => {
    const known = { 2: { max: 9, density: 0.5 }, 7: { max: 5, density: 1 / 64 } };
    const list = Array.from({ length: 8 }, (_, i) => known[i as 2 | 7]);
    expect(rankFeatures(features, { ...all, by: "specific", known: list as { max: number; density: number }[] })).toEqual([
      { index: 7, value: 5, score: 6 },
      { index: 2, value: 9, score: 1 },
      { index: 9, value: 1, score: null },
    ]);
  });

  it("ranks by what is strong for the feature itself, unknown ones last", () => {
    const histograms = new Map([
      [9, { edges: [0, 1], heights: [4] }],
      [2, { edges: [0, 20], heights: [4] }],
    ]);
    expect(numbers(rankFeatures(features, { ...all, by: "quantile", histograms }))).toEqual([9, 2, 7]);
  });

  it("ranks by the mean rise in loss at the places that are looked at", () => {
    const ablations = new Map([
      [2, { index: 2, rises: [0, 0.6, 0, 0, 0, 0] }],
      [7, { index: 7, rises: [0, 0, 0, 0, 0, 1.2] }],
    ]);
    expect(rankFeatures(features, { ...all, by: "loss", ablations })).toEqual([
      { index: 7, value: 5, score: expect.closeTo(0.2) },
      { index: 2, value: 9, score: expect.closeTo(0.1) },
      { index: 9, value: 1, score: null },
    ]);
    expect(rankFeatures(features, { ...all, by: "loss", ablations, segment: 0, show: "r" })).toEqual([
      { index: 2, value: 4, score: expect.closeTo(0.6) },
    ]);
  });
});
