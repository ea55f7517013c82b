import type { HeadAttention, InkSegment } from "@cursive/cursive-model";
import { describe, expect, it } from "vitest";
import { headId, headsNamed, headTitle } from "./head_id.ts";
import { columnOf, letterMap, meanRow, rowOf, segmentMap } from "./segment_map.ts";

const segment = (thetaIndex: number): InkSegment => ({
  ...{ from: [0, 0], to: [1, 0], pen: 1, drawn: true, malformed: false },
  ...{ thetaIndex, radiusIndex: thetaIndex + 1 },
});
const segments = [segment(0), segment(2)];
const figures = { diagonality: 0, entropy: 0, padMass: 0, firstMass: 0, letterMass: null, layer: 0, head: 0 };
const numbers = (values: ArrayLike<number>): number[] => Array.from(values, (value) => Number(value.toFixed(4)));

/** Four tokens over two letters and two places of padding. */
const cross: HeadAttention = {
  ...{ ...figures, attention: "cross_attn" },
  map: { rows: 4, keys: 4, real: 2, weights: [1, 0, 0, 0, 0.5, 0.5, 0, 0, 0, 0.5, 0.25, 0.25, 0, 1, 0, 0] },
};
/** Four tokens that look back evenly. */
const self: HeadAttention = {
  ...{ ...figures, attention: "attn" },
  map: { rows: 4, keys: 4, real: 4, weights: [1, 0, 0, 0, 0.5, 0.5, 0, 0, 0.25, 0.25, 0.5, 0, 0.25, 0.25, 0.25, 0.25] },
};

describe("segmentMap", () => {
  it("takes the row of the direction, of the length, or their mean, with all padding as the last key", () => {
    expect(numbers(segmentMap(cross, segments, "theta").shares)).toEqual([1, 0, 0, 0, 0.5, 0.5]);
    expect(numbers(segmentMap(cross, segments, "r").shares)).toEqual([0.5, 0.5, 0, 0, 1, 0]);
    expect(numbers(segmentMap(cross, segments, "average").shares)).toEqual([0.75, 0.25, 0, 0, 0.75, 0.25]);
  });

  it("adds up what a movement's two tokens are looked at", () => {
    const map = segmentMap(self, segments, "r");
    expect(numbers(map.shares)).toEqual([1, 0, 0.5, 0.5]);
    expect(numbers(rowOf(map, 1))).toEqual([0.5, 0.5]);
    expect(numbers(columnOf(map, 0))).toEqual([1, 0.5]);
    expect(numbers(meanRow(map))).toEqual([0.75, 0.25]);
  });
});

describe("letterMap", () => {
  it("leaves padding out, and sums the ink of each letter", () => {
    const about = { path: [1, 0], letters: 2 };
    expect(numbers(letterMap(segmentMap(cross, segments, "theta"), { ...about, isSelf: false }).shares)).toEqual([1, 0, 0, 0.5]);
    expect(numbers(letterMap(segmentMap(self, segments, "r"), { ...about, isSelf: true }).shares)).toEqual([0, 1, 0.5, 0.5]);
  });
});

describe("headsNamed", () => {
  it("reads what headId writes, and passes over heads that there are not", () => {
    const head = { attention: "cross_attn", layer: 1, head: 2 } as const;
    expect([headId(head), headTitle(head)]).toEqual(["c1.2", "cross-attention L1H2"]);
    expect(headsNamed("c1.2,s0.1,c9.9,c1.2,x", { nLayer: 2, nHead: 4 })).toEqual([{ attention: "attn", layer: 0, head: 1 }, head]);
    expect(headsNamed("", { nLayer: 2, nHead: 4 })).toEqual([]);
  });
});
