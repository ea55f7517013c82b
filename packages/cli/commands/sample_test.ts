import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeWords, writeWordBank } from "@cursive/cursive-model";
import { type Device, openDevice } from "@cursive/tensor";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { makeRunFolder, miniConfig, type TemporaryFolder, temporaryFolder, trainMini } from "../testing/mini.ts";
import { readPng } from "../testing/read_png.ts";
import { startCli } from "../testing/run_cli.ts";
import { runHere, type SaidHere } from "../testing/run_here.ts";

let device: Device;
let folder: TemporaryFolder;
let runs: string;
let out: string;
let calls = 0;
beforeAll(async () => {
  device = await openDevice();
  folder = temporaryFolder();
  runs = join(folder.path, "runs");
  const config = miniConfig({ "data.maxLength": 64, "data.contextLength": 8 });
  const made = await makeRunFolder(runs, { config, device });
  await trainMini(config, { device, folder: made });
  await made.release();
});
afterAll(() => {
  device.destroy();
  folder[Symbol.dispose]();
});
beforeEach(() => {
  out = join(folder.path, `out-${calls++}`);
});

const sample = (...args: string[]): Promise<SaidHere> => runHere("sample", "--runs", runs, "--out", out, ...args);

/** What `--json` says. */
interface Result {
  readonly settings: Record<string, unknown>;
  readonly writings: { text: string; written: string; sample: number; ended: boolean; tokens: number; files: string[] }[];
  readonly tokensPerSecond: number;
}
const resultOf = ({ stdout }: SaidHere): Result => JSON.parse(stdout) as Result;
const inkAt = (path: string): { tokens: number[]; ended: boolean }[] => JSON.parse(readFileSync(path, "utf8")).writings;

describe("sample", () => {
  it("writes texts to pictures, says where they are and how fast it was, and marks what never ended", async () => {
    const { code, stdout, stderr } = await sample("at", "sin", "--samples", "2", "--max-tokens", "12");
    expect(code).toBe(0);
    const files = ["at", "at-2", "sheet", "sin", "sin-2"].flatMap((stem) => [`${stem}.png`, `${stem}.svg`]);
    expect(new Set(readdirSync(out))).toEqual(new Set(files));
    const { width, height } = readPng(readFileSync(join(out, "sheet.png")));
    expect(width * height).toBeGreaterThan(1000);
    expect(stdout).toMatch(/^model {4}mini-001, best checkpoint, step \d+, on .+\n/);
    expect(stdout).toMatch(/"at" +\d+ +tokens.* {2}\S+at-2\.svg {2}\S+at-2\.png\n/);
    expect(stdout).toMatch(/\nspeed {4}\d.* tokens\/s, \d+ tokens in [\d.]+ s, the first after [\d.]+ s\n$/);
    const warnings = stderr.match(/^warning: "(at|sin)", writing [12], did not come to its end within 12 tokens$/gm);
    expect(warnings?.length).toBeGreaterThan(0);
    expect(stdout.match(/tokens, never ended/g)?.length).toBe(warnings?.length);
  });

  it("writes the same ink for the same seed, with kept keys and values and without, and other ink for another", async () => {
    const ink: number[][][] = [];
    for (const flags of [[], ["--no-cache"], ["--seed", "1"]]) {
      const path = `${out}-${ink.length}.json`;
      const result = resultOf(await sample("at", "sin", "--json", ...flags, "--out", path));
      expect(result.settings).toMatchObject({ temperature: 0.6, topK: 40, cache: flags[0] !== "--no-cache" });
      expect(result.tokensPerSecond).toBeGreaterThan(0);
      expect(result.writings.map(({ files }) => files)).toEqual([[path], [path]]);
      ink.push(inkAt(path).map(({ tokens }) => tokens));
    }
    expect(ink[1]).toEqual(ink[0]);
    expect(ink[2]).not.toEqual(ink[0]);
  });

  it("names characters that the model does not have and says what it does, or refuses them if asked to be strict", async () => {
    const file = join(folder.path, "texts.txt");
    writeFileSync(file, "né\n\nan~t\n");
    const { code, stdout, stderr } = await sample("--file", file, "--json", "--format", "json");
    expect(code).toBe(0);
    expect(resultOf({ code, stdout, stderr }).writings.map(({ text, written }) => [text, written])).toEqual([["né", "ne"], ["an~t", "ant"]]); // biome-ignore format: pairs
    expect(stderr).toContain('warning: "né": é is not among the model\'s characters, e stands for it\n');
    expect(stderr).toContain('warning: "an~t": ~ is not among the model\'s characters, left out\n');
    expect(readdirSync(out).sort()).toEqual(["ant.json", "ne.json", "sheet.json"]);
    const strict = await sample("né", "an~t", "--strict");
    expect(strict).toMatchObject({ code: 2, stdout: "" });
    expect(strict.stderr).toBe('error: Expected texts in the model\'s characters but found é in "né", ~ in "an~t"\n');
  });

  it("goes on in the hand of a warm-up, whose ink is left out", async () => {
    const bank = join(folder.path, "bank.json");
    const words = makeWords({ count: 20, seed: 5, characters: "aeinst", letters: [1, 1] });
    writeFileSync(bank, writeWordBank(words));
    const { text } = words[3]!;
    const warm = await sample(
      "at",
      "--style",
      bank,
      "--warm-up",
      text,
      "--max-tokens",
      "6",
      "--temperature",
      "1",
      "--json",
      "--format",
      "json",
    );
    expect(resultOf(warm).settings).toMatchObject({ warmUp: text, maxTokens: 6, temperature: 1 });
    expect(warm.stderr).toContain("note: this model was trained on single words, and is asked for 2\n");
    expect(warm.stderr).toMatch(new RegExp(`hand {5}goes on from "${text}", \\d+ tokens\n`));
    const [ink] = inkAt(join(out, "at.json"));
    expect(ink!.tokens.length).toBeLessThanOrEqual(6);
    if (!ink!.ended) expect(ink!.tokens.length).toBe(6);
  });

  it("refuses in one line what cannot be: long texts, no run, no text, contradictions", async () => {
    const stray = join(folder.path, "stray");
    const cases: [string[], string | RegExp][] = [
      [
        ["instance", "a", "stationary", "sententious"],
        'Expected texts of at most 8 characters, this model\'s limit, but found "stationary" (10), "sententious" (11)',
      ],
      [
        ["a", "--runs", stray],
        `Expected a trained model but found no run in ${stray}: \`pnpm cli train\` makes one, or give --checkpoint FILE`,
      ],
      [["a", "--run", "mini-007"], `Expected a run in ${runs} but found no 'mini-007': the nearest are mini-001`],
      [["~~"], 'Expected a text with characters of the model but found none in "~~"'],
      [["a", "--format", "gif"], /argument 'gif' is invalid. Expected svg, png, json but found "gif"\./],
      [["a", "--temperature", "-1"], /Expected a number from 0 but found "-1"\./],
      [["a", "--checkpoint", "none.safetensors"], /Expected a checkpoint at \S+none.safetensors but found no such file/],
    ];
    for (const [args, message] of cases) {
      const { code, stdout, stderr } = await sample(...args);
      expect({ code, stdout }, args.join(" ")).toEqual({ code: 2, stdout: "" });
      expect(stderr.split("\n").at(-2)).toMatch(typeof message === "string" ? `error: ${message}` : message);
    }
    expect(existsSync(stray)).toBe(false);
  });

  it("ends with exit code 130 when it is interrupted, and says what is saved", async () => {
    const running = startCli(["sample", "--runs", runs, "--out", join(out, "all.json"), "--json", "--samples", "1000", "at", "sin"]);
    running.process.stderr!.on("data", (chunk: Buffer) => {
      if (chunk.toString().includes("writing 0/2000")) running.process.kill("SIGINT");
    });
    const { code, stdout, stderr } = await running.ended;
    expect(code).toBe(130);
    const finished = Number(/interrupted: (\d+) of 2000 writings were finished/.exec(stderr)?.[1]);
    const [result, error] = stdout.trim().split("\n").map((line) => JSON.parse(line)); // biome-ignore format: a line
    expect(result.writings).toHaveLength(finished);
    expect(inkAt(join(out, "all.json"))).toHaveLength(finished);
    expect(error).toMatchObject({ event: "error", exitCode: 130 });
  });
});
