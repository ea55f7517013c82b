import { describe, expect, it } from "vitest";
import { fitWord, LONGEST_TEXT, MOST_WORDS, planText } from "./text_plan.ts";

const small = { characters: "abcdefghijklmnopqrstuvwxyz", longestWord: 8 };

describe("planText()", () => {
  it("takes a text word by word and counts copies", () => {
    const { words, marks, notes } = planText("  the end of the end ", small);
    expect(words.map(({ text, copy }) => `${text}${copy}`)).toEqual(["the0", "end0", "of0", "the1", "end1"]);
    expect([marks, notes]).toEqual([[], []]);
  });

  it("marks what the model does not have, and says what becomes of it", () => {
    const { words, marks, notes } = planText("A Café, 12", small);
    expect(words.map(({ text }) => text)).toEqual(["a", "cafe"]);
    expect(marks).toEqual([[0, 1], [2, 3], [5, 7], [8, 10]]); // biome-ignore format: pairs
    expect(notes).toEqual([
      "This model has small letters only: A and C are written small.",
      "é is written as e.",
      ",, 1 and 2 are left out: this model does not have them.",
    ]);
  });

  it("cuts long words into pieces of like length, and texts after their most words", () => {
    const { words, notes } = planText("extraordinary", small);
    expect(words).toEqual([{ text: "extraor", isJoined: false, copy: 0 }, { text: "dinary", isJoined: true, copy: 0 }]); // biome-ignore format: a pair
    expect(notes[0]).toMatch(/^Words of more than 8 letters/);
    const long = planText("a ".repeat(LONGEST_TEXT / 2), small);
    expect(long.words).toHaveLength(MOST_WORDS);
    expect(long.notes).toEqual([`Only the first ${MOST_WORDS} words are written.`]);
  });

  it("asks for nothing where nothing can be written", () => {
    expect(planText(" 你好 ", small)).toMatchObject({ words: [], marks: [[1, 3]] });
  });
});

describe("fitWord()", () => {
  it("takes the first word as it is written among others, and says what became of the text", () => {
    expect(fitWord("pen", small)).toEqual({ text: "pen", note: "" });
    expect(fitWord(" Pén and ink ", small)).toEqual({
      text: "pen",
      note: "This model has small letters only: P is written small. é is written as e. Here one word at a time is looked at: “pen”.",
    });
    for (const text of ["extraordinary", "a new pen", "Quartz 9", "你 好", ""])
      expect(fitWord(text, small).text).toBe(planText(text, small).words[0]?.text ?? "");
  });

  it("takes several words where the model was trained on several at a time", () => {
    const model = { characters: "abcdefghijklmnopqrstuvwxyz ", longestWord: 11 };
    expect(fitWord("pen and ink again", model).text).toBe("pen and ink");
    expect(fitWord("pen and  ink", model)).toEqual({ text: "pen and ink", note: "" });
  });
});
