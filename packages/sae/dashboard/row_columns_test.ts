import { StrokeTokenizer } from "@cursive/cursive-model";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RowColumns } from "./row_columns.ts";

const tokenizer = new StrokeTokenizer({ alphabet: "abc", bins: "polar-73", decode: "centre" });

function columnsOf(
  tokens: readonly number[],
  { text = "ab", letters = tokens.map(() => 0), places = [...tokens.keys()] } = {},
): Record<string, number[]> {
  const columns = new RowColumns(tokenizer);
  columns.add({ tokens, text, letters }, places);
  return Object.fromEntries(columns.factors().map(({ name, values }) => [name, Array.from(values)]));
}

describe("RowColumns", () => {
  it("knows where the pen is and how it turned, as the points say", () => {
    const coordinate = fc.double({ min: -0.5, max: 0.5, noNaN: true });
    fc.assert(
      fc.property(fc.array(fc.tuple(coordinate, coordinate), { minLength: 2, maxLength: 12 }), (moves) => {
        let [x, y] = [0, 0];
        const points = moves.map(([dx, dy]): [number, number, number] => {
          [x, y] = [x + dx, y + dy];
          return [x, y, 1];
        });
        const tokens = [...tokenizer.encodeStrokes(points)];
        const decoded = tokenizer.decodeStrokes(tokens);
        const { x: across, height, turn, theta } = columnsOf(tokens);
        for (let k = 0; k < points.length; k++) {
          const [before, now] = [decoded[k - 1] ?? [0, 0, 0], decoded[k]!];
          // a direction is read before its length: the pen has not moved yet
          expect([across![2 * k], height![2 * k]]).toEqual([before[0], 0 - before[1]]);
          expect([across![2 * k + 1], height![2 * k + 1]]).toEqual([now[0], 0 - now[1]]);
          if (k === 0) expect(turn![1]).toBeNaN();
          else expect(Math.cos(turn![2 * k]! - theta![2 * k]! + theta![2 * k - 1]!)).toBeCloseTo(1, 12);
          expect(turn![2 * k + 1]).toEqual(turn![2 * k]);
        }
      }),
    );
  });

  it("counts places through each word anew, where the letters being written come to a space, or by WORD", () => {
    const ink = [0.1, 0.2, 0.3].map((x): [number, number, number] => [x, 0, 1]);
    const line = [...tokenizer.encodeStrokes(ink), tokenizer.endToken]; // seven tokens
    const placesOf = (text: string, letters: number[]) => columnsOf(line, { text, letters }).place;
    const none = Number.NaN;
    expect(placesOf("ab", [0, 0, 0, 0, 1, 1, -1])).toEqual([1 / 12, 3 / 12, 5 / 12, 7 / 12, 9 / 12, 11 / 12, none]);
    expect(placesOf("a b", [0, 0, 0, 0, 2, 2, -1])).toEqual([1 / 8, 3 / 8, 5 / 8, 7 / 8, 1 / 4, 3 / 4, none]); // the space passed by
    expect(placesOf("a b", [0, 0, 1, 2, 2, 2, -1])).toEqual([1 / 4, 3 / 4, none, 1 / 6, 1 / 2, 5 / 6, none]);
    expect(placesOf("a  b", [0, 0, 1, 2, 3, 3, -1])).toEqual([1 / 4, 3 / 4, none, none, 1 / 4, 3 / 4, none]);

    const withWord = new StrokeTokenizer({ alphabet: "abc", bins: "polar-220-word" });
    const columns = new RowColumns(withWord);
    const tokens = [...withWord.encodeWords([ink.slice(0, 1), ink.slice(0, 2)])]; // a pair, two WORDs, two pairs
    columns.add({ tokens, text: "a b", letters: [0, 0, 0, 0, 0, 1, 2, 2] }, [...tokens.keys()]); // attention is late
    const place = columns.factors().find(({ name }) => name === "place")!;
    expect(Array.from(place.values)).toEqual([1 / 4, 3 / 4, none, none, 1 / 8, 3 / 8, 5 / 8, 7 / 8]);
  });

  it("takes the rows that count, and numbers letters by the alphabet's order, whichever came first", () => {
    const columns = new RowColumns(tokenizer);
    const tokens = [
      ...tokenizer.encodeStrokes([
        [0, 0, 1],
        [0.1, 0, 1],
      ]),
      tokenizer.endToken,
    ];
    columns.add({ tokens, text: "ca", letters: [0, 0, 1, 1, -1] }, [1, 3]);
    columns.add({ tokens, text: "b", letters: [0, 0, 0, -1, -1] }, [0, 3, 4]);
    const letter = columns.factors().find(({ name }) => name === "letter")!;
    expect(letter).toMatchObject({ kind: "class", labels: ["a", "b", "c"] });
    expect(Array.from(letter.values)).toEqual([2, 0, 1, Number.NaN, Number.NaN]);
    const token = columns.factors().find(({ name }) => name === "token")!;
    expect(Array.from(token.values)).toEqual([1, 1, 0, 1, 4]);
  });
});
