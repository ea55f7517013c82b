import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { StrokeTokenizer } from "@cursive/cursive-model";
import { describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { temporaryFolder } from "../testing/mini.ts";
import { describeReplacements, fitText, readTexts } from "./texts.ts";

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

  it("is told in words, a line a character", () => {
    expect(describeReplacements(fitText("né~e—", tokenizer))).toEqual([
      '"né~e—": é is not among the model\'s characters, e stands for it',
      '"né~e—": ~ is not among the model\'s characters, left out',
      '"né~e—": — is not among the model\'s characters, a space stands for it',
    ]);
  });
});

describe("readTexts()", () => {
  it("takes arguments and the lines of a file, without blank ones", async () => {
    using folder = temporaryFolder();
    const file = join(folder.path, "texts.txt");
    writeFileSync(file, "one\r\n\n  two words \n\n");
    expect(await readTexts(["zero", " "], { file })).toEqual(["zero", "one", "two words"]);
    expect(await readTexts([])).toEqual([]);
  });

  it("refuses a file that is not there", async () => {
    await expect(readTexts([], { file: "none.txt" })).rejects.toThrow(UsageError);
    await expect(readTexts([], { file: "none.txt" })).rejects.toThrow("Expected a file of texts at none.txt but found: ENOENT");
  });
});
