import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { arbitraryInk, inkOf } from "../testing/ink.ts";
import { strokeColumns, strokeTokenClasses } from "./stroke_columns.ts";
import { StrokeTokenizer } from "./tokenizer.ts";

const tokenizer = new StrokeTokenizer({ bins: "polar-220-word" });

describe("strokeColumns", () => {
  it("says of each token what has been read by then", () => {
    const tokens = [...tokenizer.encodeStrokes(inkOf("0,0 0,0.2 0,0.2/ 0.3,0.2")), tokenizer.endToken, tokenizer.padToken];
    const { theta, length, pen, token } = strokeColumns(tokens, { tokenizer });
    const names = Array.from(token, (code) => strokeTokenClasses[code]);
    const [down, up] = ["length (pen down)", "length (pen up)"];
    expect(names).toEqual(["direction", down, "direction", down, "direction", up, "direction", down, "END", "PAD"]);
    expect([...pen]).toEqual([Number.NaN, 1, 1, 1, 1, 0, 0, 1, Number.NaN, Number.NaN]);
    expect(theta[2]! / (Math.PI / 2)).toBeCloseTo(1, 1); // y points down
    expect(theta[3]).toBe(theta[2]);
    expect(length[2]).toBeNaN();
    expect(length[3]).toBeCloseTo(0.2, 2);
    expect(theta[8]).toBeNaN();
  });

  it("agrees with the segments that the tokenizer finds, and lies within bins", () => {
    fc.assert(
      fc.property(arbitraryInk, fc.array(fc.nat(60), { maxLength: 3 }), (points, lost) => {
        const tokens = Array.from(tokenizer.encodeStrokes(points)).filter((_, i) => !lost.includes(i));
        const { theta, length, pen } = strokeColumns(tokens, { tokenizer });
        for (const { thetaIndex, radiusIndex, pen: penThere, malformed } of tokenizer.segments(tokens)) {
          if (radiusIndex !== null) expect(Number.isNaN(theta[radiusIndex]!)).toBe(malformed);
          if (malformed || thetaIndex === null || radiusIndex === null) continue;
          expect(theta[radiusIndex]).toBe(theta[thetaIndex]);
          expect(pen[radiusIndex]).toBe(penThere);
          const meaning = tokenizer.meaning(tokens[radiusIndex]!);
          if (meaning.kind !== "radius") throw new Error("Expected a length");
          expect(length[radiusIndex]).toBeGreaterThanOrEqual(meaning.low);
          expect(length[radiusIndex]).toBeLessThanOrEqual(meaning.high);
        }
      }),
    );
  });

  it("counts places through each word anew, by WORD or as it is told", () => {
    const tokens = [...tokenizer.encodeWords([inkOf("0,0 0.1,0.1"), inkOf("0,0")]), tokenizer.padToken];
    const [none, first, second] = [Number.NaN, [1, 3, 5, 7].map((k) => k / 8), [0.25, 0.75]];
    expect([...strokeColumns(tokens, { tokenizer }).place]).toEqual([...first, none, none, ...second, none]);
    const words = [0, 0, -1, -1, -1, -1, 1, 1, 1];
    expect([...strokeColumns(tokens, { tokenizer, words }).place]).toEqual([...second, none, none, none, none, 1 / 6, 0.5, 5 / 6]);
  });
});
