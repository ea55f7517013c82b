import fc from "fast-check";
import { strToU8, unzipSync, zipSync } from "fflate";
import { describe, expect, it, vi } from "vitest";
import { arbitraryWord, inkOf } from "../testing/ink.ts";
import type { SkippedWord } from "./skipped_word.ts";
import type { Word } from "./word.ts";
import { readWordBank, writeWordBank } from "./word_bank.ts";
import { WordBankError } from "./word_bank_error.ts";

const metadata = { author: "A", asciiSequence: "hi", pointCount: 2, strokeCount: 1, aspectRatio: 6 };
const points = [
  [0.1, 0.6, 1],
  [0.2, 0.65, 0],
];
const json = (value: unknown) => strToU8(JSON.stringify(value));
const bank = json([{ metadata, points }]);

describe("readWordBank", () => {
  it("scales x by the aspect ratio, starts it at 0 and takes the baseline from y", async () => {
    const [word] = await readWordBank(bank);
    expect(word!.text).toBe("hi");
    expect(word!.author).toBe("A");
    expect(word!.points).toEqual([
      [0, 0.6 - 0.65, 1],
      [0.2 * 6 - 0.1 * 6, 0, 0],
    ]);
  });

  it("reads an ArrayBuffer as well as bytes", async () => {
    expect(await readWordBank(bank.slice().buffer)).toEqual(await readWordBank(bank));
  });

  it("takes the first .json of a zip that is not a __MACOSX companion", async () => {
    const zip = zipSync({
      "__MACOSX/._bank.json": strToU8("\0\0"),
      "readme.txt": strToU8("hello"),
      "bank.json": bank,
      "other.json": json([]),
    });
    expect(await readWordBank(zip)).toHaveLength(1);
  });

  it("takes a member by name", async () => {
    const zip = zipSync({ "one.json": json([]), "two.json": bank });
    expect(await readWordBank(zip, { member: "two.json" })).toHaveLength(1);
    await expect(readWordBank(zip, { member: "three.json" })).rejects.toThrow(
      "Expected three.json in the zip but found one.json, two.json",
    );
  });

  it.each<[string, unknown]>([
    ['Expected a list of words but found {"points":[]}', { points: [] }],
    ["Expected an object with metadata and points but found 3 in word 1", [{ metadata, points }, 3]],
    ["Expected metadata but found nothing in word 0", [{ points }]],
    ["Expected metadata.author to be a string but found 7 in word 0", [{ metadata: { ...metadata, author: 7 }, points }]],
    [
      'Expected metadata.asciiSequence to be a non-empty string but found "" in word 0',
      [{ metadata: { ...metadata, asciiSequence: "" }, points }],
    ],
    [
      "Expected metadata.aspectRatio to be a positive number but found 0 in word 0",
      [{ metadata: { ...metadata, aspectRatio: 0 }, points }],
    ],
    ["Expected a non-empty list of points but found [] in word 0", [{ metadata, points: [] }]],
    ["Expected metadata.pointCount to be 2 but found 3 in word 0", [{ metadata: { ...metadata, pointCount: 3 }, points }]],
    ["Expected metadata.strokeCount to be 1 but found 2 in word 0", [{ metadata: { ...metadata, strokeCount: 2 }, points }]],
    ["Expected [x, y, pen] but found [0.1,0.6] in word 0, point 0", [{ metadata, points: [[0.1, 0.6], points[1]] }]],
    ["Expected finite x and y but found [null,0.6,1] in word 0, point 1", [{ metadata, points: [points[0], [null, 0.6, 1]] }]],
    ["Expected pen to be 0 or 1 but found 2 in word 0, point 1", [{ metadata, points: [points[0], [0.1, 0.6, 2]] }]],
  ])("says in one line what is wrong: %s", async (message, value) => {
    await expect(readWordBank(json(value))).rejects.toThrow(new WordBankError(message));
  });

  it("hands out the words that are not as they should be, and goes on, if asked to", async () => {
    const skipped: SkippedWord[] = [];
    const unfit = { metadata: { ...metadata, pointCount: 3 }, points };
    const words = await readWordBank(json([3, { metadata, points }, unfit]), { onSkip: (word) => skipped.push(word) });
    expect(words).toHaveLength(1);
    expect(skipped).toEqual([
      { index: 0, text: null, reason: "malformed", detail: "Expected an object with metadata and points but found 3" },
      { index: 2, text: "hi", reason: "wrong counts", detail: "Expected metadata.pointCount to be 2 but found 3" },
    ]);
  });

  it("reads what Python writes for NaN as a coordinate that is not finite, and leaves texts alone", async () => {
    const text = new TextDecoder().decode(bank).replace('"hi"', '"NaN, \\"Infinity"');
    expect((await readWordBank(strToU8(text)))[0]!.text).toBe('NaN, "Infinity');
    for (const found of ["NaN", "Infinity", "-Infinity"]) {
      await expect(readWordBank(strToU8(text.replace("0.2,", `${found},`)))).rejects.toThrow(
        "Expected finite x and y but found [null,0.65,0] in word 0, point 1",
      );
    }
    await expect(readWordBank(strToU8(text.replace("0.2,", "1e400,")))).rejects.toThrow("Expected finite x and y");
  });

  it("refuses a file of empty lists, which would fill the memory many times over", async () => {
    const zip = zipSync({ "bank.json": strToU8(`[${"[],".repeat(1e6)}[]]`) });
    await expect(readWordBank(zip)).rejects.toThrow("Expected JSON but found something else (1000002 lists in 3000004 bytes)");
    expect(zip.length).toBeLessThan(10_000);
  });

  it("refuses a long list of anything but words without naming each", async () => {
    const onSkip = vi.fn();
    const bytes = strToU8(`[${"0,".repeat(2000)}0]`);
    await expect(readWordBank(bytes, { onSkip })).rejects.toThrow(
      "Expected words with metadata and points but found 2001 entries in 4003 bytes",
    );
    expect(onSkip).not.toHaveBeenCalled();
  });

  it("refuses a zip that inflates beyond the limit, whatever size it declares", async () => {
    const zip = zipSync({ "bomb.json": new Uint8Array(2 ** 19) });
    await expect(readWordBank(zip, { maxBytes: 2 ** 17 })).rejects.toThrow(
      "Expected at most 131072 bytes of JSON but found more in bomb.json",
    );
    new DataView(zip.buffer).setUint32(22, 10, true); // the local header's uncompressed size
    await expect(readWordBank(zip, { maxBytes: 2 ** 17 })).rejects.toThrow(WordBankError);
  });

  it("refuses plain JSON beyond the limit", async () => {
    await expect(readWordBank(bank, { maxBytes: 20 })).rejects.toThrow(`Expected at most 20 bytes of JSON but found ${bank.length}`);
  });

  it("answers any bytes with words or its own error", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.constantFrom("", "PK\x03\x04", "["), async (bytes, prefix) => {
        const result = await readWordBank(new Uint8Array([...strToU8(prefix, true), ...bytes])).catch((error: unknown) => error);
        expect(Array.isArray(result) || result instanceof WordBankError).toBe(true);
      }),
    );
  });

  it("reads a damaged zip or refuses it with its own error, and nothing else", async () => {
    const whole = zipSync({
      "bank.json": json([
        { metadata, points },
        { metadata, points },
      ]),
    });
    const damage = fc.record({ at: fc.nat(whole.length - 1), value: fc.nat(255), cut: fc.option(fc.nat(whole.length)) });
    await fc.assert(
      fc.asyncProperty(damage, async ({ at, value, cut }) => {
        const damaged = whole.slice(0, cut ?? undefined);
        if (at < damaged.length) damaged[at] = value;
        const result = await readWordBank(damaged).catch((error: unknown) => error);
        expect(Array.isArray(result) || result instanceof WordBankError).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});

describe("writeWordBank", () => {
  it("writes what readWordBank reads back, to the last decimal kept, plain and zipped", async () => {
    const options = fc.record({
      aspectRatio: fc.integer({ min: 1, max: 9 }),
      decimals: fc.integer({ min: 3, max: 7 }),
      zipAs: fc.constantFrom(undefined, "a.json"),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(arbitraryWord, { maxLength: 4 }), options, async (words, { aspectRatio, decimals, zipAs }) => {
        const read = await readWordBank(writeWordBank(words, { aspectRatio, decimals, zipAs }));
        expect(read.map(({ text, author }) => [text, author])).toEqual(words.map(({ text, author }) => [text, author]));
        const roundingError = 10 ** -decimals * (1 + 1e-6); // half a unit at the point and half at the first point
        const [found, wanted] = [read, words].map((some) => some.flatMap((word) => word.points));
        expect(found!.map(([, , pen]) => pen)).toEqual(wanted!.map(([, , pen]) => pen));
        const errors = (axis: 0 | 1) => found!.map((point, i) => Math.abs(point[axis] - wanted![i]![axis]));
        expect(Math.max(0, ...errors(0))).toBeLessThanOrEqual(aspectRatio * roundingError);
        expect(Math.max(0, ...errors(1))).toBeLessThanOrEqual(roundingError);
      }),
    );
  });

  it("writes the fields that a bank has, with x from 0", () => {
    const word: Word = { text: "i", author: "B", points: inkOf("0,0 -0.3,0.1 -0.3,0.1/") };
    expect(JSON.parse(new TextDecoder().decode(writeWordBank([word])))).toEqual([
      {
        metadata: { author: "B", asciiSequence: "i", pointCount: 3, strokeCount: 1, aspectRatio: 6 },
        points: [
          [0.05, 0.65, 1],
          [0, 0.75, 1],
          [0, 0.75, 0],
        ],
      },
    ]);
    expect(Object.keys(unzipSync(writeWordBank([word], { zipAs: "bank.json" })))).toEqual(["bank.json"]);
  });

  it("writes equal bytes for equal words, whenever and wherever", () => {
    const word: Word = { text: "i", author: "B", points: inkOf("0,0 -0.3,0.1/") };
    const write = (now: number): Uint8Array => {
      vi.spyOn(Date, "now").mockReturnValue(now);
      return writeWordBank([word], { zipAs: "bank.json" });
    };
    expect(write(1e12)).toEqual(write(0));
    vi.restoreAllMocks();
  });

  it("refuses an aspect ratio that is not positive", () => {
    expect(() => writeWordBank([], { aspectRatio: 0 })).toThrow("Expected a positive aspect ratio but found 0");
  });
});
