import type { InkSegment } from "@cursive/cursive-model";
import { describe, expect, it } from "vitest";
import { fittingScale, type LayoutWord, layOut, paperHeight, SPACING } from "./layout.ts";
import { movementSeconds, penMovements } from "./polyline.ts";

/** A zigzag of drawn movements from x = `left` on. */
function ink(steps: number, left = 0): InkSegment[] {
  return Array.from({ length: steps }, (_, i) => ({
    ...{ from: [left + 0.05 * i, i % 2 ? -0.1 : 0], to: [left + 0.05 * (i + 1), i % 2 ? 0 : -0.1] },
    ...{ pen: 1, drawn: true, thetaIndex: 2 * i, radiusIndex: 2 * i + 1, malformed: false },
  }));
}

const word = (text: string, steps = 0): LayoutWord => ({ text, segments: ink(steps, -0.02) });

describe("layOut()", () => {
  it("puts words side by side by their own ink, and on a new line where the paper ends", () => {
    const { words, lines } = layOut([word("at", 6), word("the", 8), word("end", 8)], { width: 1.12 });
    expect(words[0]!.left).toBe(SPACING.side);
    expect(words[0]!.segments[0]!.from[0]).toBeCloseTo(SPACING.side, 10);
    expect(words[1]!.left).toBeCloseTo(words[0]!.right + SPACING.word, 10);
    expect(words.map(({ line }) => line)).toEqual([0, 0, 1]);
    expect([words[2]!.left, words[2]!.y, lines]).toEqual([SPACING.side, SPACING.above + SPACING.line, 2]);
  });

  it("gives words that are done no more room than their ink takes, and puts what is left of the paper on both sides", () => {
    const words = [word("at", 6), word("the", 8), word("end", 8)].map((each) => ({ ...each, isDone: true }));
    const width = 0.3 + 2 * SPACING.word + 0.4 + 0.4 + 2 * SPACING.side;
    const { words: placed, lines } = layOut(words, { width: width + 0.2 });
    expect(lines).toBe(1);
    expect(placed[0]!.left).toBeCloseTo(SPACING.side + 0.1, 10);
    expect(placed[2]!.right).toBeCloseTo(width + 0.2 - SPACING.side - 0.1, 10);
    expect(layOut(words, { width: width - 0.01 }).lines).toBe(2);
    expect(layOut(words, { width }).lines).toBe(1);
  });

  it("keeps lines as they are while a word grows, and joins the pieces of a word without a gap", () => {
    const breaks = [0, 1, 3].map((steps) => layOut([word("one", 9), word("longer", steps)], { width: 1.4 }).words[1]!.line);
    expect(new Set(breaks).size).toBe(1);
    const { words } = layOut([word("extra", 9), { ...word("ordinary", 9), isJoined: true }], { width: 0.8 });
    expect([words[1]!.left, words[1]!.line]).toEqual([words[0]!.right, 0]);
  });

  it("slants ink about its baseline", () => {
    const [upright] = layOut([word("a", 5)], { width: 2 }).words;
    const [leaning] = layOut([word("a", 5)], { width: 2, slant: 0.5 }).words;
    for (const [i, { to }] of leaning!.segments.entries()) {
      expect(to[1]).toBeCloseTo(upright!.segments[i]!.to[1], 12);
      expect(to[0] - leaning!.origin[0]).toBeCloseTo(upright!.segments[i]!.to[0] - upright!.origin[0] + 0.5 * (upright!.y - to[1]), 12);
    }
  });
});

describe("fittingScale()", () => {
  it("makes short texts large and long ones fit, on one line where that costs little", () => {
    const paper = { width: 850, height: 360, most: 460 };
    expect(fittingScale([word("ink")], paper)).toBe(460);
    const three = ["watch", "me", "write"].map((text) => word(text));
    const scale = fittingScale(three, paper);
    expect(layOut(three, { width: paper.width / scale + 1e-9 }).lines).toBe(1);
    const many = Array.from({ length: 12 }, () => word("letters"));
    const small = fittingScale(many, paper);
    expect(small).toBeLessThan(scale);
    expect(paperHeight(layOut(many, { width: paper.width / small }).lines) * small).toBeLessThanOrEqual(
      Math.max(360, 150 * paperHeight(5)),
    );
  });
});

describe("penMovements()", () => {
  it("ends each movement where its segment ends, smooth or not, and marks what leaves no ink", () => {
    const segments = ink(5).map((segment, i) => (i === 2 ? { ...segment, drawn: false } : segment));
    for (const smooth of [true, false]) {
      const movements = penMovements(segments, { smooth });
      expect(movements.map(({ drawn }) => drawn)).toEqual([true, true, false, true, true]);
      for (const [i, { places, from }] of movements.entries()) {
        expect(from).toEqual(segments[i]!.from);
        expect([places.at(-2), places.at(-1)]).toEqual(segments[i]!.to.map(Math.fround));
        expect(movementSeconds(movements[i]!)).toBeGreaterThan(0);
      }
    }
    expect(penMovements(segments, { smooth: true })[0]!.places.length).toBeGreaterThan(2);
  });
});
