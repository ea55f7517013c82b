import fc from "fast-check";
import { strToU8, zipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { arbitraryWord, inkOf } from "../testing/ink.ts";
import { importWordBanks } from "./import_words.ts";
import { type SkipReason, skipReasons } from "./skipped_word.ts";
import type { Point, Word } from "./word.ts";
import { canvasBaseline, writeWordBank } from "./word_bank.ts";
import { WordBankError } from "./word_bank_error.ts";

const json = (value: unknown): Uint8Array => strToU8(JSON.stringify(value));
const file = (bytes: Uint8Array, name = "bank.json") => ({ name, bytes });
const hi: Word = { text: "hi", author: "A", points: inkOf("0,0 0.2,-0.3 0.4,0 0.4,0/") };
const bank = (...words: Word[]) => writeWordBank(words);

/** A record as collect.html exports it, with something else in it. */
const record = (changes: { metadata?: object; points?: unknown } = {}) => ({
  metadata: { author: "A", asciiSequence: "hi", pointCount: 3, strokeCount: 1, aspectRatio: 6, ...changes.metadata },
  points: changes.points ?? [
    [0.1, 0.6, 1],
    [0.2, 0.65, 1],
    [0.2, 0.65, 0],
  ],
});
const withPoints = (...points: unknown[]) => record({ metadata: { pointCount: undefined, strokeCount: undefined }, points });

/** One record for every reason to leave one out. */
const misfits: Record<SkipReason, unknown> = {
  malformed: { word: "hi", points: [[10, 20, 1]] },
  "wrong counts": record({ metadata: { strokeCount: 2 } }),
  "not finite": withPoints([0.1, 0.6, 1], [null, 0.6, 1], [0.2, 0.6, 0]),
  "empty ink": withPoints([0.1, 0.6, 0]),
  "no pen-up": withPoints([0.1, 0.6, 1], [0.2, 0.6, 1]),
  "unknown characters": record({ metadata: { asciiSequence: "né" } }),
  "absurd size": withPoints([0, 0, 1], [400, 300, 1], [400, 300, 0]),
  duplicate: record(),
};

describe("importWordBanks", () => {
  it("keeps what is right and says of the rest why not", async () => {
    const { words, files } = await importWordBanks([file(json([record(), ...Object.values(misfits), record({ points: [] })]))]);
    expect(words).toHaveLength(1);
    expect(files).toMatchObject([{ name: "bank.json", found: 10, kept: 1, repaired: 0 }]);
    expect(files[0]!.skipped.map(({ index, text, reason, detail }) => `${index} ${text} ${reason}: ${detail}`)).toEqual([
      "1 null malformed: Expected metadata but found nothing",
      "2 hi wrong counts: Expected metadata.strokeCount to be 1 but found 2",
      "3 hi not finite: Expected finite x and y but found [null,0.6,1] at point 1",
      "4 hi empty ink: Expected a point with the pen down but found none among 1",
      "5 hi no pen-up: Expected ink that ends with the pen up but found it down",
      '6 né unknown characters: Expected characters of the alphabet but found "é"',
      "7 hi absurd size: Expected ink of at most 40 by 2.5 canvas heights but found 2400 by 300",
      "8 hi duplicate: Expected a new word but found word 0 of bank.json again",
      "9 hi empty ink: Expected a non-empty list of points but found []",
    ]);
  });

  it("finds every misfit wherever it stands among good words, and every good word", async () => {
    const reasons = Object.keys(skipReasons).filter((reason) => reason !== "duplicate") as SkipReason[];
    const entry = fc.oneof(
      arbitraryWord.map((word) => ({
        word: { ...word, points: [[0, 0, 1] as Point, [0.5, 0, 1] as Point, ...word.points] },
        reason: null,
      })),
      fc.constantFrom(...reasons).map((reason) => ({ word: null, reason })),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(entry, { maxLength: 12 }), fc.constantFrom(undefined, "bank.json"), async (entries, zipAs) => {
        const good = entries.flatMap(({ word }) => word ?? []);
        const records = JSON.parse(new TextDecoder().decode(writeWordBank(good))) as unknown[];
        const all = json(entries.map(({ reason }) => (reason === null ? records.shift() : misfits[reason])));
        const { words, files } = await importWordBanks([file(zipAs ? zipSync({ [zipAs]: all }) : all)], { duplicates: "keep" });
        expect(words.map(({ text }) => text)).toEqual(good.map(({ text }) => text));
        const wanted = entries.flatMap(({ reason }, index) => (reason === null ? [] : [`${index} ${reason}`]));
        expect(files[0]!.skipped.map(({ index, reason }) => `${index} ${reason}`)).toEqual(wanted);
        expect(files[0]!.found).toBe(entries.length);
      }),
    );
  });

  it("writes a bank that is imported as it is", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(arbitraryWord, { maxLength: 5 }), async (words) => {
        const once = await importWordBanks([file(writeWordBank(words))]);
        const bytes = writeWordBank(once.words);
        const twice = await importWordBanks([file(bytes)]);
        expect(twice.files[0]!.skipped).toEqual([]);
        expect(writeWordBank(twice.words)).toEqual(bytes);
      }),
    );
  });

  it("merges files, and finds the same ink in two of them wherever it stands on the canvas", async () => {
    const moved: Word = { ...hi, author: "B", points: hi.points.map(([x, y, pen]): Point => [x + 0.31, y, pen]) };
    const other: Word = { ...hi, points: inkOf("0,0 0.2,-0.2 0.4,0 0.4,0/") };
    const files = [file(bank(hi, other), "one.json"), file(bank(moved, { ...moved, text: "h" }), "two.json")];
    const kept = async (duplicates?: "ink" | "text" | "keep") =>
      (await importWordBanks(files, { duplicates })).files.map((account) => account.kept);
    expect(await kept()).toEqual([2, 1]);
    expect(await kept("text")).toEqual([1, 1]);
    expect(await kept("keep")).toEqual([2, 2]);
    const [, second] = (await importWordBanks(files)).files;
    expect(second!.skipped).toMatchObject([
      { index: 0, reason: "duplicate", detail: "Expected a new word but found word 0 of one.json again" },
    ]);
  });

  it("lifts the pen at the end of ink if asked to", async () => {
    const { words, files } = await importWordBanks([file(json([misfits["no pen-up"], record()]))], { repair: true });
    expect(files).toMatchObject([{ kept: 2, repaired: 1, skipped: [] }]);
    expect(words[0]!.points).toHaveLength(3);
    expect(words[0]!.points.at(-1)).toEqual([...words[0]!.points[1]!.slice(0, 2), 0]);
  });

  it("takes another alphabet, and exports from canvases of other shapes", async () => {
    const square = record({ metadata: { aspectRatio: 1, asciiSequence: "né" } });
    const { words } = await importWordBanks([file(json([square]))], { alphabet: "né" });
    expect(words[0]!.points[1]).toEqual([0.1, 0.65 - canvasBaseline, 1]);
  });

  it("leaves out ink that is too small or too long to be a word", async () => {
    const dot: Word = { text: ".", author: "", points: inkOf("0,0 0,0/") };
    const long: Word = { ...hi, points: Array.from({ length: 10_001 }, (_, i): Point => [i / 1000, 0, i === 10_000 ? 0 : 1]) };
    const { words, files } = await importWordBanks([file(bank(dot, { ...dot, text: ".." }, long))]);
    expect(words.map(({ text }) => text)).toEqual(["."]);
    expect(files[0]!.skipped.map(({ detail }) => detail)).toEqual([
      "Expected ink of at least 0.02 canvas heights but found 0 by 0",
      "Expected at most 10000 points but found 10001",
    ]);
  });

  it("names the file that cannot be read", async () => {
    const files = [file(bank(hi), "fine.json"), file(strToU8("PK nothing"), "broken.zip")];
    const error = await importWordBanks(files).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(WordBankError);
    expect((error as Error).message).toMatch(/^broken\.zip: Expected /);
  });
});
