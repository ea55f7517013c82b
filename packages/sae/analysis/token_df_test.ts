import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { makeTokenDf } from "./token_df.ts";

describe("makeTokenDf", () => {
  it("has a row for each token, with ids around it and nothing in between", () => {
    expect(makeTokenDf([11, 22, 33, 44])).toEqual({
      str_tokens: ["11", "22", "33", "44"],
      unique_token: ["11/0", "22/1", "33/2", "44/3"],
      context: ["|11|22", "11|22|33", "1122|33|", "112233|44|"], // the last token is in no suffix
      batch: [0, 0, 0, 0],
      pos: [0, 1, 2, 3],
      label: ["0/0", "0/1", "0/2", "0/3"],
    });
    expect(makeTokenDf(Int32Array.of(7)).context).toEqual(["|7|"]);
    expect(makeTokenDf([]).context).toEqual([]);
  });

  it("takes as much before and after as asked for", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(999), { maxLength: 12 }), fc.nat(6), fc.nat(6), (tokens, lenPrefix, lenSuffix) => {
        const { context, unique_token } = makeTokenDf(tokens, { lenPrefix, lenSuffix });
        expect(unique_token).toHaveLength(tokens.length);
        for (const [place, text] of context.entries()) {
          const near = (token: number, at: number): boolean =>
            at < place ? place - at <= lenPrefix : at > place && at - place <= lenSuffix && at < tokens.length - 1 && token >= 0;
          const of = (isIn: (at: number) => boolean): string => tokens.filter((token, at) => isIn(at) && near(token, at)).join("");
          expect(text).toBe(`${of((at) => at < place)}|${tokens[place]}|${of((at) => at > place)}`);
        }
      }),
    );
  });
});
