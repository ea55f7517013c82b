import { StrokeTokenizer } from "@cursive/cursive-model";
import { describe, expect, it } from "vitest";
import { tokenMeaning, tokenTable } from "./token_table.ts";

const tokenizer = new StrokeTokenizer({ alphabet: "abc", bins: "polar-73", decode: "centre" });
const { firstThetaToken, padToken, endToken } = tokenizer;

describe("tokenMeaning", () => {
  it("says of every token what decoding it does", () => {
    for (let token = 0; token < tokenizer.vocabSize; token++) {
      const text = tokenMeaning(token, tokenizer);
      const meaning = tokenizer.meaning(token);
      if (meaning.kind === "theta") {
        const degrees = Number(/^θ (\d+)°$/.exec(text)![1]);
        const apart = ((((degrees - (meaning.value * 180) / Math.PI) % 360) + 540) % 360) - 180;
        expect(Math.abs(apart)).toBeLessThan(0.51);
        expect(degrees >= 0 && degrees < 360).toBe(true);
      } else if (meaning.kind === "radius") {
        const [, length, up] = /^r ([\d.e-]+)( up)?$/.exec(text)!;
        expect(Math.abs(Number(length) - (meaning.low + meaning.high) / 2)).toBeLessThanOrEqual(0.05 * meaning.high);
        expect(up === undefined).toBe(meaning.pen === 1);
      } else expect(text).toBe(meaning.kind.toUpperCase());
    }
    expect(tokenMeaning(tokenizer.vocabSize, tokenizer)).toBe("?");
  });
});

describe("tokenTable", () => {
  it("decodes the strongest firings with what is around them", async () => {
    const up = firstThetaToken / 2 + 3;
    const tokens = [firstThetaToken, 3, firstThetaToken + 1, up, firstThetaToken + 2, 4, endToken];
    const source = { sequence: async () => ({ tokens, text: "ab", letters: [0, 0, 0, 0, 1, 1, -1] }) };
    const topTokens = [
      { sequence: 9, position: 4, activation: 2.5 },
      { sequence: 9, position: 3, activation: 2 },
      { sequence: 9, position: 0, activation: 1 },
      { sequence: 9, position: 6, activation: 0.5 },
    ];
    const rows = await tokenTable({ topTokens }, { source, tokenizer: tokenizer.toJSON(), around: 2 });
    expect(rows.map(({ rank, activation, position, token, letter }) => [rank, activation, position, token, letter])).toEqual([
      [1, 2.5, 4, firstThetaToken + 2, "b"],
      [2, 2, 3, up, "a"],
      [3, 1, 0, firstThetaToken, "a"],
      [4, 0.5, 6, endToken, null],
    ]);
    // after a length the pen is known; a direction comes with the pen as it was left
    expect(rows.map(({ pen }) => pen)).toEqual(["up", "up", null, null]);
    const meanings = tokens.map((token) => tokenMeaning(token, tokenizer));
    expect(rows.map(({ before, meaning, after }) => [before, meaning, after])).toEqual([
      [meanings.slice(2, 4), meanings[4], meanings.slice(5, 7)],
      [meanings.slice(1, 3), meanings[3], meanings.slice(4, 6)],
      [[], meanings[0], meanings.slice(1, 3)],
      [meanings.slice(4, 6), "END", []],
    ]);
    expect(padToken).toBeLessThan(endToken);
  });
});
