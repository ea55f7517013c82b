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
