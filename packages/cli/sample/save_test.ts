import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { StrokeTokenizer } from "@cursive/cursive-model";
import { describe, expect, it } from "vitest";
import { UsageError } from "../errors.ts";
import { temporaryFolder } from "../testing/mini.ts";
import { readPng } from "../testing/read_png.ts";
import { chooseTarget, fileStems, type InkFormat, type Layout, type SaveOptions, saveWritings } from "./save.ts";
import type { Writing } from "./write_texts.ts";

const tokenizer = new StrokeTokenizer({ decode: "centre" });
const tokens = tokenizer.encodeStrokes([[0, 0, 1], [0.4, -0.3, 1], [0.8, 0, 1], [0.8, 0, 0]]); // biome-ignore format: a line

const writing = (text: string, fields: Partial<Writing> = {}): Writing => ({
  ...{ text, written: text, replaced: [], sample: 1, tokens, ended: true, segments: tokenizer.segments(tokens) },
  ...fields,
});

const options = (layout: Layout): SaveOptions => ({
  model: { run: "tiny-001", checkpoint: "best.safetensors", step: 7 },
  settings: { temperature: 0.5, topK: null, seed: 3, samples: 1, maxTokens: 100, cache: true, warmUp: null },
  layout,
  scale: 100,
});

async function save(out: string, about: { writings: Writing[]; layout?: Layout; formats?: InkFormat[] }): Promise<string[]> {
  const target = await chooseTarget(out, about.formats);
  const files = await saveWritings(about.writings, target, options(about.layout ?? "both"));
  return files.map(({ path, writings }) => `${path.slice(out.length + 1)} ${writings.join()}`.trim());
}

describe("saveWritings()", () => {
  it("makes a file each text in every format, and a sheet of more than one, as the layout says", async () => {
    using folder = temporaryFolder();
    const out = join(folder.path, "deep", "ink");
    const writings = [writing("one"), writing("two")];
    expect(await save(out, { writings })).toEqual(["one.svg 0", "one.png 0", "two.svg 1", "two.png 1", "sheet.svg 0,1", "sheet.png 0,1"]);
    expect(readdirSync(out).sort()).toEqual(["one.png", "one.svg", "sheet.png", "sheet.svg", "two.png", "two.svg"]);
    expect(await save(out, { writings: [writing("one")] })).toEqual(["one.svg 0", "one.png 0"]);
    expect(await save(out, { writings, layout: "files", formats: ["json"] })).toEqual(["one.json 0", "two.json 1"]);
    expect(await save(out, { writings: [writing("one")], layout: "sheet", formats: ["png"] })).toEqual(["sheet.png 0"]);
  });

  it("puts all into one file where the path is a file's", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "all.svg");
    await save(path, { writings: [writing("one"), writing("a<b", { ended: false })] });
    const svg = readFileSync(path, "utf8");
    for (const caption of [">one</text>", ">a&lt;b (never ended)</text>", "<title>one, a&lt;b</title>"]) expect(svg).toContain(caption);
    expect(svg).toContain("Written by tiny-001, step 7: {&quot;temperature&quot;:0.5");
  });

  it("draws PNG to the scale asked for", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "one.PNG");
    await save(path, { writings: [writing("one")] });
    const { width, height } = readPng(readFileSync(path));
    expect([width, height]).toEqual([90, 40].map(() => expect.any(Number)));
    expect(Math.abs(width - 100 * (0.8 + 0.1))).toBeLessThan(4); // the ink is 0.8 wide, up to its tokens' bins, with a margin
    expect(Math.abs(height - 100 * (0.3 + 0.1))).toBeLessThan(4);
  });

  it("writes JSON that the ink can be made of again", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "ink.json");
    await save(path, { writings: [writing("one"), writing("two", { sample: 2, ended: false })] });
    const { writings, ...about } = JSON.parse(readFileSync(path, "utf8"));
    expect(about).toEqual({ format: "cursive-ink", model: options("both").model, settings: options("both").settings });
    expect(writings[1]).toMatchObject({ text: "two", sample: 2, ended: false, tokens: [...tokens] });
    const points = tokenizer.decodeStrokes(writings[0].tokens);
    for (const [i, [x, y, pen]] of writings[0].points.entries()) {
      expect(x).toBeCloseTo(points[i]![0], 5);
      expect(y).toBeCloseTo(points[i]![1], 5);
      expect(pen).toBe(points[i]![2]);
    }
    expect(writings[0].segments).toHaveLength(4);
  });
});

describe("chooseTarget()", () => {
  it("refuses formats that contradict a file's ending, and places that cannot be written", async () => {
    using folder = temporaryFolder();
    await expect(chooseTarget("all.png", ["svg"])).rejects.toThrow("Expected --format png for the file all.png but found svg");
    expect((await chooseTarget(join(folder.path, "all.png"), ["png"])).isFile).toBe(true);
    const file = join(folder.path, "file");
    writeFileSync(file, "");
    await expect(chooseTarget(join(file, "ink"), undefined)).rejects.toThrow(UsageError);
    await expect(chooseTarget(file, undefined)).rejects.toThrow(`Expected a folder that can be written at ${file} but found`);
  });
});

describe("fileStems()", () => {
  it("names files after texts, each differently even where case does not count", () => {
    expect(fileStems(["hello world", "Hello World!", "hello world", "../..", "sheet", "été", ""])).toEqual([
      "hello-world",
      "Hello-World-2",
      "hello-world-3",
      "ink",
      "sheet-2",
      "été",
      "ink-2",
    ]);
  });
});
