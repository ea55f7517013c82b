import { describe, expect, it } from "vitest";
import { fitText } from "./fit_text.ts";
import { StrokeTokenizer } from "./tokenizer.ts";

const tokenizer = new StrokeTokenizer();

describe("fitText()", () => {
  it("leaves texts of the model's characters as they are", () => {
    for (const text of ["hello", "Zen  42, (yes)?"]) expect(fitText(text, tokenizer)).toEqual({ text, written: text, replaced: [] });
  });

  it("takes accents off, straightens quotes, spells ligatures, and leaves out what nothing stands for", () => {
    const cases: [string, string][] = [
      ["café", "cafe"],
      ["cafe\u0301", "cafe"],
      ["‘quoted’ “twice”", "'quoted' \"twice\""],
      ["Straße", "Strasse"],
      ["pen—ink", "pen ink"],
      ["a\tb", "a b"],
      ["x² ﬁn", "x2 fin"],
      ["你好 there", "there"],
      ["a 🖋 b", "a b"],
    ];
    for (const [text, written] of cases) expect(fitText(text, tokenizer).written, text).toBe(written);
  });

  it("takes the other case where the model has but one", () => {
    expect(fitText("Ab", new StrokeTokenizer({ alphabet: "ab" })).written).toBe("ab");
  });
});
