import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeWords, readWordBank, skipReasons, writeWordBank } from "@cursive/cursive-model";
import { strToU8, zipSync } from "fflate";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openData } from "../run/data.ts";
import { hashWords } from "../run/environment.ts";
import { miniConfig, type TemporaryFolder, temporaryFolder } from "../testing/mini.ts";
import { runInProcess as run } from "../testing/run_in_process.ts";

let folder: TemporaryFolder;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());

const file = (name: string): string => join(folder.path, name);
const write = (name: string, content: string | Uint8Array): string => {
  writeFileSync(file(name), content);
  return file(name);
};
const record = (changes: { metadata?: object; points?: unknown } = {}): object => ({
  metadata: { author: "A", asciiSequence: "hi", aspectRatio: 6, ...changes.metadata },
  points: changes.points ?? [
    [0.1, 0.6, 1],
    [0.2, 0.65, 1],
    [0.2, 0.65, 0],
  ],
});

describe("data", () => {
  it("teaches by examples in the help of every subcommand", async () => {
    for (const name of ["make", "import", "stats", "preview"]) {
      expect((await run("data", name, "--help")).stdout).toContain(`Examples:\n  pnpm cli data ${name}`);
    }
    expect((await run("data", "--help")).stdout).toContain("Examples:\n  pnpm cli data make");
  });
});

describe("data make", () => {
  const make = (...args: string[]) => run("data", "make", "--count", "12", "--characters", "abc", "--letters", "2,3", ...args);

  it("writes the same bytes for the same options, and never over a file unasked", async () => {
    expect((await make("--out", file("one.json.zip"), "--quiet")).stdout).toBe("");
    const before = readFileSync(file("one.json.zip"));
    const again = await make("--out", file("one.json.zip"));
    expect(again).toMatchObject({
      code: 2,
      stderr: `error: Expected no file at ${file("one.json.zip")} but found one: --force replaces it\n`,
    });
    const forced = await make("--out", file("one.json.zip"), "--force", "--json");
    expect(readFileSync(file("one.json.zip"))).toEqual(before);
    const words = await readWordBank(before);
    expect(JSON.parse(forced.stdout)).toMatchObject({ event: "bank", words: 12, bytes: before.length, hash: hashWords(words), seed: 42 });
    const texts = makeWords({ count: 12, characters: "abc", letters: [2, 3] }).map(({ text }) => text);
    expect(words.map(({ text }) => text)).toEqual(texts);
    await make("--out", file("two.json"), "--seed", "7");
    expect(JSON.parse(readFileSync(file("two.json"), "utf8"))).toHaveLength(12);
    expect((await readWordBank(readFileSync(file("two.json")))).map(({ text }) => text)).not.toEqual(texts);
  });

  it("refuses what it cannot write", async () => {
    const cases: [string[], RegExp][] = [
      [["--characters", "é"], /Expected characters of the built-in cursive but found "é"/],
      [["--letters", "5,2"], /Expected the fewest and the most, such as 2,9, but found "5,2"/],
      [["--count", "many"], /Expected a whole number from 1 but found "many"/],
      [["--seed", "-1"], /Expected --seed to be a whole number from 0/],
      [["--out", join(folder.config, "x.json")], /Expected a file that can be written at .* but found: E/],
      [["--cuont", "3"], /unknown option '--cuont' \(Did you mean --count\?\)/],
    ];
    for (const [args, stderr] of cases) {
      const ended = await run("data", "make", "--count", "3", "--out", file("x.json"), ...args);
      expect(ended).toMatchObject({ code: 2, stdout: expect.not.stringContaining("wrote") });
      expect(ended.stderr).toMatch(stderr);
      expect(ended.stderr.trim().split("\n")).toHaveLength(1);
    }
  });
});

describe("data import", () => {
  const mixed = [
    record(),
    record({ metadata: { asciiSequence: "né" } }),
    record({
      points: [
        [0.1, 0.6, 1],
        [0.2, 0.6, 1],
      ],
    }),
    record({ points: [[0.1, 0.6, 0]] }),
    { word: "hi", points: [] },
    record(),
  ];

  it("merges banks and exports, and accounts for every word that it leaves out", async () => {
    const bank = write("bank.json.zip", zipSync({ "bank.json": strToU8(JSON.stringify(mixed)), "__MACOSX/._bank.json": strToU8("x") }));
    const other = write("export.json", JSON.stringify([record({ metadata: { asciiSequence: "hello" } }), record()]));
    const { code, stdout } = await run("data", "import", bank, other, "--out", file("all.json"));
    expect(code).toBe(0);
    const lines = stdout.split("\n");
    for (const line of [
      "bank.json.zip: 6 words, 1 taken, 5 left out",
      "  1  unknown characters: characters that the alphabet lacks",
      '    word 1 "né": Expected characters of the alphabet but found "é"',
      "  1  no pen-up: the ink does not end with the pen up",
      "  1  empty ink: no point with the pen down",
      "    word 4: Expected metadata but found nothing",
      "export.json: 2 words, 1 taken, 1 left out",
      '    word 1 "hi": Expected a new word but found word 0 of bank.json.zip again',
    ]) {
      expect(lines).toContain(line);
    }
    const words = await readWordBank(readFileSync(file("all.json")));
    expect(words.map(({ text }) => text)).toEqual(["hi", "hello"]);
    const json = await run("data", "import", bank, other, "--json", "--quiet");
    const report = JSON.parse(json.stdout);
    expect(report).toMatchObject({
      event: "import",
      words: 2,
      bank: null,
      skipped: { malformed: 1, "empty ink": 1, "no pen-up": 1, duplicate: 2 },
    });
    expect(report.files.map((account: { skipped: object[] }) => account.skipped.length)).toEqual([5, 1]);
    const kept = JSON.parse((await run("data", "import", bank, other, "--json", "--quiet", "--duplicates", "keep", "--repair")).stdout);
    expect(kept).toMatchObject({ words: 5, files: [{ repaired: 1 }, { repaired: 0 }] });
  });

  it("has every reason in docs/cli.md", () => {
    const page = readFileSync(new URL("../../../docs/cli.md", import.meta.url), "utf8");
    for (const reason of Object.keys(skipReasons)) expect(page).toMatch(new RegExp(`^\\| ${reason} +\\| \\S`, "m"));
  });

  it("names at most three words for a reason", async () => {
    const bank = write("bank.json", JSON.stringify(Array.from({ length: 6 }, () => record())));
    const { stdout } = await run("data", "import", bank);
    expect(stdout).toContain("  5  duplicate: the same word again");
    expect(stdout).toContain("    and 2 more");
    expect(stdout).toContain("1 words in all; nothing was written: --out FILE does");
  });

  it("refuses damaged, cut off, foreign and bloated files in one line, and writes nothing", async () => {
    const good = writeWordBank(makeWords({ count: 5 }), { zipAs: "bank.json" });
    const lists = zipSync({ "bank.json": strToU8(`[${"[],".repeat(1e5)}[]]`) });
    const cases: [string, string | Uint8Array, RegExp][] = [
      ["cut.zip", good.subarray(0, 1000), /cut\.zip: Expected a (whole )?zip but found a (truncated|damaged) one/],
      ["cut.json", "[{", /cut\.json: Expected JSON but found something else/],
      ["photo.jpg", new Uint8Array([0xff, 0xd8, 0xff]), /photo\.jpg: Expected JSON/],
      ["other.zip", zipSync({ "readme.txt": strToU8("hi") }), /other\.zip: Expected a \.json file in the zip but found readme\.txt/],
      ["lists.zip", lists, /lists\.zip: Expected JSON but found something else \(100002 lists/],
      ["empty.json", "[]", /Expected at least one word to take but found none/],
    ];
    for (const [name, content, stderr] of cases) {
      const ended = await run("data", "import", write("good.zip", good), write(name, content), "--out", file("out.json"), "--quiet");
      if (name === "empty.json") expect((await run("data", "import", file(name), "--quiet")).stderr).toMatch(stderr);
      else {
        expect(ended.stderr).toMatch(stderr);
        expect(ended.stderr.trim().split("\n")).toHaveLength(1);
        expect(ended.code).toBe(2);
        expect(existsSync(file("out.json"))).toBe(false);
      }
    }
    expect((await run("data", "import", file("none.json"))).stderr).toMatch(
      /^error: Expected a word bank \(zip or JSON\) at .* but found: ENOENT/,
    );
  });
});

describe("data stats", () => {
  it("describes a bank, and what a configuration makes of it", async () => {
    const bank = write("bank.json", writeWordBank(makeWords({ count: 60, characters: "abc", letters: [2, 4] })));
    const { code, stdout } = await run("data", "stats", bank, "--set", "data.maxLength=40", "--json", "--examples", "20");
    expect(code).toBe(0);
    const found = JSON.parse(stdout);
    const words = await readWordBank(readFileSync(bank));
    expect(found).toMatchObject({
      source: bank,
      words: 60,
      hash: hashWords(words),
      split: { train: 50, test: 10 },
      config: { maxLength: 40 },
    });
    expect(found.characters.map(({ character }: { character: string }) => character).sort()).toEqual(["a", "b", "c"]);
    expect(Object.keys(found.tokenizers)).toEqual(["polar-151", "polar-220-word", "polar-73"]);
    expect(found.examples.train).toMatchObject({ examples: 20, cutText: 0 });
    expect(found.examples.train.cutInk).toBeGreaterThan(0);
    const text = (await run("data", "stats", bank, "--examples", "20", "--bins", "polar-220-word")).stdout;
    expect(text).toContain(`hash     ${hashWords(words)}`);
    expect(text).toMatch(/^points a word +\d+ +\d+ +\d+ +\d+ +\d+$/m);
    expect(text).toMatch(/^2 +\d+ +█+$/m);
    expect(text).toMatch(/^polar-220-word +525 +\d+ +\d\.\d{3} +\d\.\d{3} +as configured$/m);
  });

  it("describes a run's data", async () => {
    const config = miniConfig();
    mkdirSync(file("runs/mini-001"), { recursive: true });
    write("runs/mini-001/config.json", JSON.stringify(config));
    const { stdout } = await run("data", "stats", "--run", "1", "--runs", file("runs"), "--json");
    const { hash } = await openData(config);
    expect(JSON.parse(stdout)).toMatchObject({ source: "cursive", words: 40, hash, config: { maxLength: 16 } });
  });

  it("refuses what it cannot describe", async () => {
    const cases: [string[], RegExp][] = [
      [["none.json"], /Expected a word bank \(zip or JSON\) at .*none\.json but found/],
      [["--run", "last", "--runs", file("none")], /Expected a run in .* but found no 'last'/],
      [["--run", "last", "--preset", "small"], /Expected no --preset with --run but found it/],
      [["--set", "data.bin=polar-73"], /Expected a key of the configuration but found "data\.bin": the nearest is data\.bins/],
      [[write("few.json", writeWordBank(makeWords({ count: 3 })))], /few\.json: Expected more than the 10 words to hold out but found 3/],
    ];
    for (const [args, stderr] of cases) {
      const ended = await run("data", "stats", ...args);
      expect(ended).toMatchObject({ code: 2, stdout: "" });
      expect(ended.stderr).toMatch(stderr);
    }
    expect((await run("data", "statz")).stderr).toBe("error: unknown command 'statz' (Did you mean stats?)\n");
  });
});

describe("data preview", () => {
  it("draws the same words for the same seed, as SVG and PNG", async () => {
    const draw = async (...args: string[]) => {
      const ended = await run(
        "data",
        "preview",
        "--set",
        "data.words=60",
        "--words",
        "3",
        "--out",
        file("sheet.svg"),
        "--json",
        "--quiet",
        ...args,
      );
      expect(ended).toMatchObject({ code: 0, stderr: "" });
      return { ...JSON.parse(ended.stdout), content: readFileSync(file("sheet.svg"), "utf8") };
    };
    const plain = await draw();
    expect(plain).toMatchObject({ event: "preview", svg: file("sheet.svg"), png: file("sheet.png"), bins: "polar-73", variants: 0 });
    expect(readFileSync(file("sheet.png")).subarray(1, 4).toString()).toBe("PNG");
    expect(plain.content.match(/<text /g)).toHaveLength(6);
    expect(await draw()).toEqual(plain);
    expect((await draw("--seed", "2")).texts).not.toEqual(plain.texts);
    const varied = await draw("--augmented", "2", "--bins", "polar-220-word", "--only", "aeinst");
    expect(varied).toMatchObject({ bins: "polar-220-word", variants: 2 });
    expect(varied.texts.join("")).toMatch(/^[aeinst]+$/);
    expect(varied.content.match(/>varied: \d+ tokens</g)).toHaveLength(6);
  });

  it("refuses what it cannot draw", async () => {
    const cases: [string[], RegExp][] = [
      [["--only", "é"], /Expected words made of "é" alone but found none among 60/],
      [["--augmented", "--set", "data.augmentation=none"], /Expected data\.augmentation to vary ink by but found none/],
      [["--bins", "polar-72"], /Expected --bins to be one of polar-151, polar-220-word, polar-73 but found "polar-72"/],
      [["--out", join(folder.config, "sheet.svg")], /Expected files that can be written at .* but found/],
    ];
    for (const [args, stderr] of cases) {
      const ended = await run("data", "preview", "--set", "data.words=60", "--quiet", "--out", file("sheet.svg"), ...args);
      expect(ended.stderr).toMatch(stderr);
      expect(ended.code).toBe(2);
    }
  });
});
