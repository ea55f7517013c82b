import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Device, openDevice } from "@cursive/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeRunFolder, miniConfig, type TemporaryFolder, temporaryFolder, trainMini } from "../testing/mini.ts";
import { readPng } from "../testing/read_png.ts";
import { runHere, type SaidHere } from "../testing/run_here.ts";

let device: Device;
let folder: TemporaryFolder;
let runs: string;
beforeAll(async () => {
  device = await openDevice();
  folder = temporaryFolder();
  runs = join(folder.path, "runs");
  const config = miniConfig({ "data.maxLength": 64, "data.contextLength": 8, "model.nHead": 2, "model.nLayer": 2 });
  const made = await makeRunFolder(runs, { config, device });
  await trainMini(config, { device, folder: made });
  await made.release();
});
afterAll(() => {
  device.destroy();
  folder[Symbol.dispose]();
});

const attention = (out: string, ...args: string[]): Promise<SaidHere> =>
  runHere("attention", "--runs", runs, "--out", join(folder.path, out), ...args);

interface Head {
  readonly name: string;
  readonly attention: string;
  readonly padMass: number;
  readonly ablation: { readonly real: { readonly loss: number } } | null;
  readonly map?: number[][];
}
interface Result {
  readonly heads: Head[];
  readonly baseline: { readonly sequences: number; readonly real: { readonly loss: number } } | null;
  readonly texts: { readonly text: string; readonly tokens: number[]; readonly heads: Head[] }[];
  readonly files: string[];
}

describe("attention", () => {
  it("tells of every head, in tables and pictures", async () => {
    const { code, stdout } = await attention("one", "tin", "--sequences", "4");
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /cross-attention +diagonal +bits +on padding % +on the letter % +loss without it\nL0H0 .* ± .*\nL0H1 .*\nL1H0 .*\nL1H1/,
    );
    expect(stdout).toMatch(/self-attention +diagonal +bits +on the first token %/);
    expect(stdout).toContain("on 4 sequences of held-out words");
    expect(readdirSync(join(folder.path, "one")).sort()).toEqual(["tin.png", "tin.svg"]);
    expect(readPng(readFileSync(join(folder.path, "one/tin.png"))).width).toBe(1080);
  });

  it("gives everything as JSON, the same for the same seed, and self-attention's maps when asked", async () => {
    const once = await attention("json", "tin", "at", "--json", "--sequences", "2", "--self-maps");
    const result = JSON.parse(once.stdout) as Result;
    expect(result.heads.map(({ attention, name }) => `${attention} ${name}`)).toEqual(
      [0, 1].flatMap((layer) => ["attn", "cross_attn"].flatMap((kind) => [0, 1].map((head) => `${kind} L${layer}H${head}`))),
    );
    expect(result.baseline!.sequences).toBe(2);
    for (const { text, tokens, heads } of result.texts)
      for (const { attention, map, padMass } of heads) {
        expect(map!.length).toBe(tokens.length);
        expect(map![0]!.length).toBe(attention === "attn" ? tokens.length : 8);
        const onPadding = map!.map((row) => row.slice(text.length).reduce((a, b) => a + b, 0));
        if (attention === "cross_attn") expect(padMass).toBeCloseTo(onPadding.reduce((a, b) => a + b, 0) / tokens.length, 3);
      }
    expect((await attention("json", "tin", "at", "--json", "--sequences", "2", "--self-maps")).stdout).toBe(once.stdout);
  });

  it("looks at words of the data instead, without ablation in less time, in one file of any kind", async () => {
    const { stdout } = await attention("words.json", "--words", "3", "--no-ablation", "--json");
    const result = JSON.parse(stdout) as Result;
    expect([result.texts.length, result.baseline, result.heads[0]!.ablation]).toEqual([3, null, null]);
    expect(result.texts[0]!.heads.filter(({ map }) => map).length).toBe(4);
    const { files, ...rest } = result;
    expect(files).toEqual([join(folder.path, "words.json")]);
    expect(JSON.parse(readFileSync(files[0]!, "utf8"))).toEqual(rest);
    expect((await attention("word.svg", "at", "--no-ablation", "--quiet")).stdout).toBe("");
    expect(readFileSync(join(folder.path, "word.svg"), "utf8")).toContain("L1H1");
  });

  it("refuses what it cannot do with one line, code 2 and no files", async () => {
    const cases: [string[], string][] = [
      [["tin", "--words", "3"], "Expected either texts or --words but found both"],
      [["a", "--run", "mini-007"], "the nearest are mini-001"],
      [["a", "--sequence", "3"], "Did you mean --sequences?"],
      [["a", "--split", "tests"], "Allowed choices are test, train"],
      [["a", "--words", "0"], "Expected a whole number from 1 to 1000"],
      [["tintintin"], 'Expected texts of 1 to 8 of the model\'s characters but found "tintintin"'],
      [["☃"], 'but found "☃"'],
      [["a", "--data", "nowhere.json"], "nowhere.json"],
    ];
    for (const [args, message] of cases) {
      const { code, stderr } = await attention("bad", ...args);
      expect({ args, code, stderr }).toEqual({ args, code: 2, stderr: expect.stringContaining(message) });
      expect(
        stderr
          .trim()
          .split("\n")
          .filter((line) => line.startsWith("error")).length,
      ).toBe(1);
    }
    const { stderr } = await attention("both.svg", "a", "at", "--no-ablation");
    expect(stderr).toContain("Expected one text for the one picture");
    expect(existsSync(join(folder.path, "bad"))).toBe(false);
  });
});
