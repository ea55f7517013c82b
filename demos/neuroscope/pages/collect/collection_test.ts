import { importWordBanks, type Point, readWordBank, WordBankError } from "@cursive/cursive-model";
import { describe, expect, it } from "vitest";
import { bankOf, extended, inkOf, readBank, type Stroke } from "./collection.ts";
import { countCharacters, nextPrompt } from "./prompts.ts";

const strokes: Stroke[] = [
  [
    [0.3, -0.1],
    [0.35, 0],
    [0.4, -0.12],
  ],
  [[0.36, -0.2]],
];
const word = { text: "at", author: "me", points: inkOf(strokes) };
const other = { ...word, text: "ta", points: inkOf([[[0.1, 0], [0.9, -0.25]]]) }; // biome-ignore format: a stroke

describe("inkOf", () => {
  it("lifts the pen at the end of each stroke, a dot's too, and starts at x = 0", () => {
    const rounded = word.points.map(([x, y, pen]) => [Number(x.toFixed(3)), y, pen]);
    expect(rounded).toEqual([
      [0, -0.1, 1],
      [0.05, 0, 1],
      [0.1, -0.12, 1],
      [0.1, -0.12, 0],
      [0.06, -0.2, 1],
      [0.06, -0.2, 0],
    ]);
    expect(inkOf([])).toEqual([]);
  });
});

describe("extended", () => {
  it("leaves out places that are nearer than the least step to the last that was kept", () => {
    const stroke = extended([[0, 0]], [[0.001, 0], [0.003, 0], [0.0035, 0], [0.006, 0]], 0.002); // biome-ignore format: places
    expect(stroke.map(([x]) => x)).toEqual([0, 0.003, 0.006]);
  });
});

describe("bankOf", () => {
  it("writes what word banks' reader reads back, as a zip and as JSON", async () => {
    for (const format of ["zip", "json"] as const) {
      const read = await readWordBank(bankOf([word, other], format));
      expect(read.map(({ text, author }) => [text, author])).toEqual([
        ["at", "me"],
        ["ta", "me"],
      ]);
      for (const [i, { points }] of read.entries())
        for (const [at, point] of points.entries()) {
          const expected: Point = [word, other][i]!.points[at]!;
          for (const axis of [0, 1, 2]) expect(point[axis]).toBeCloseTo(expected[axis]!, 4);
        }
    }
  });

  it("writes what `data import` takes whole", async () => {
    const { files } = await importWordBanks([{ name: "mine.zip", bytes: bankOf([word, other], "zip") }]);
    expect(files[0]).toMatchObject({ found: 2, kept: 2, skipped: [] });
  });
});

describe("readBank", () => {
  it("adds what is new, and says of the rest why not", async () => {
    const { words, account } = await readBank(bankOf([word, other, { ...other, text: "ñ" }], "zip"), { name: "mine.zip", present: [word] });
    expect(words.map(({ text }) => text)).toEqual(["ta"]);
    expect(account.skipped.map(({ text, reason }) => [text, reason])).toEqual([
      ["at", "duplicate"],
      ["ñ", "unknown characters"],
    ]);
  });

  it("refuses another file, with its name", async () => {
    const bytes = new TextEncoder().encode('{"a": 1}');
    await expect(readBank(bytes, { name: "notes.json", present: [] })).rejects.toThrow(WordBankError);
    await expect(readBank(bytes, { name: "notes.json", present: [] })).rejects.toThrow("notes.json");
  });
});

describe("nextPrompt", () => {
  const alphabet = "abcdefghijklmnopqrstuvwxyz";

  it("comes to every letter about equally often", () => {
    const written: string[] = [];
    for (let number = 0; number < 60; number++) written.push(nextPrompt({ number, written, characters: alphabet, longest: 8 }));
    const counts = countCharacters(written);
    const numbers = [...alphabet].map((letter) => counts.get(letter) ?? 0);
    expect(Math.min(...numbers)).toBeGreaterThanOrEqual(4);
    expect(Math.max(...numbers) / Math.min(...numbers)).toBeLessThan(6);
    expect(new Set(written).size).toBe(60);
  });

  it("asks for words that one can say, and for figures where there are any", () => {
    const prompts = Array.from({ length: 40 }, (_, number) => nextPrompt({ number, written: [], characters: alphabet, longest: 8 }));
    for (const prompt of prompts) {
      expect(prompt).toMatch(/^[a-z]{3,8}$/);
      expect(prompt).toMatch(/[aeiouy]/);
      expect(prompt).not.toMatch(/[^aeiouyl]{5}|q(?!u)/);
    }
    const all = `${alphabet}${alphabet.toUpperCase()}0123456789`;
    const written: string[] = [];
    for (let number = 0; number < 60; number++) written.push(nextPrompt({ number, written, characters: all, longest: 8 }));
    expect(written.some((text) => /^\d+$/.test(text))).toBe(true);
    expect(written.some((text) => /^[A-Z][a-z]+$/.test(text))).toBe(true);
    expect(nextPrompt({ number: 1, written: [], characters: "0123456789", longest: 4 })).toMatch(/^\d{1,4}$/);
  });

  it("keeps to the characters and the length", () => {
    for (let number = 0; number < 20; number++) {
      const prompt = nextPrompt({ number, written: [], characters: "aeinst", longest: 4 });
      expect(prompt).toMatch(/^[aeinst]{1,4}$/);
    }
  });
});
