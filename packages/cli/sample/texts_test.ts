import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fitText, StrokeTokenizer } from "@cursive/cursive-model";
import { describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { temporaryFolder } from "../testing/mini.ts";
import { describeReplacements, readTexts } from "./texts.ts";

const tokenizer = new StrokeTokenizer();

describe("describeReplacements()", () => {
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
