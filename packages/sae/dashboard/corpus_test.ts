import { describe, expect, it } from "vitest";
import { longestOf } from "./corpus.ts";

describe("longestOf", () => {
  it("finds the longest of more sequences than a function takes as arguments", () => {
    const sequences = Array.from({ length: 300_000 }, (_, i) => ({ tokens: i === 7 ? [1, 2, 3] : [1] }));
    expect(() => Math.max(...sequences.map(({ tokens }) => tokens.length))).toThrow(RangeError);
    expect(longestOf(sequences)).toBe(3);
    expect(longestOf([])).toBe(0);
  });
});
