import { describe, expect, it } from "vitest";
import type { InkSegment } from "../data/tokenizer.ts";
import { inkDifference, malformedPairs, segmentsAfter } from "./ink_difference.ts";

/** A horizontal line of `count` segments of 0.1 at height y, two tokens each. */
function line(count: number, y: number): InkSegment[] {
  return Array.from({ length: count }, (_, i) => ({
    from: [i / 10, y],
    to: [(i + 1) / 10, y],
    ...{ pen: 1, drawn: true, thetaIndex: 2 * i, radiusIndex: 2 * i + 1, malformed: false },
  }));
}

describe("inkDifference", () => {
  it("is nothing between ink and itself", () => {
    const ink = { tokens: [1, 2, 3, 4], segments: line(2, 0) };
    expect(inkDifference(ink, ink)).toEqual({ sameTokens: 4, distance: 0, length: 1 });
  });

  it("is the distance between parallel lines, and the ratio of their lengths", () => {
    const found = inkDifference({ tokens: [1, 2, 3, 9], segments: line(2, 0.25) }, { tokens: [1, 2, 3, 4], segments: line(2, 0) });
    expect(found.sameTokens).toBe(3);
    expect(found.distance).toBeCloseTo(0.25, 12);
    expect(inkDifference({ tokens: [1], segments: line(4, 0) }, { tokens: [1], segments: line(2, 0) }).length).toBeCloseTo(2, 12);
  });

  it("has no distance where there is no ink, nor counts what is malformed or in the air", () => {
    const [first] = line(1, 0);
    const odd = [
      { ...first!, malformed: true, drawn: false },
      { ...first!, drawn: false },
    ];
    expect(malformedPairs(odd)).toBe(1);
    expect(inkDifference({ tokens: [], segments: odd }, { tokens: [], segments: line(1, 0) })).toEqual({
      ...{ sameTokens: 0, distance: null, length: 0 },
    });
    expect(inkDifference({ tokens: [], segments: line(1, 0) }, { tokens: [], segments: odd }).length).toBeNull();
  });
});

describe("segmentsAfter", () => {
  it("finds segments of which a token changed", () => {
    expect(segmentsAfter(line(3, 0), 3).map(({ thetaIndex }) => thetaIndex)).toEqual([2, 4]);
    expect(segmentsAfter(line(3, 0), 6)).toEqual([]);
  });
});
