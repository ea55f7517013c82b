import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createSae } from "@cursive/sae";
import { type Device, openDevice } from "@cursive/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeSae } from "../../sae/save_sae.ts";
import { makeRunFolder, miniConfig, type TemporaryFolder, temporaryFolder, trainMini } from "../../testing/mini.ts";
import { readPng } from "../../testing/read_png.ts";
import { type Ended, startCli } from "../../testing/run_cli.ts";
import { runInProcess } from "../../testing/run_in_process.ts";

let device: Device;
let parent: TemporaryFolder;
const at = (...parts: string[]): string => join(parent.path, ...parts);

beforeAll(async () => {
  device = await openDevice();
  parent = temporaryFolder();
  const config = miniConfig({ "model.nHead": 2 });
  const folder = await makeRunFolder(at("runs"), { config, device });
  await trainMini(config, { device, folder });
  await folder.release();
  mkdirSync(at("runs/saes/one-001"), { recursive: true });
  writeFileSync(at("runs/saes/one-001/config.json"), "{}");
  const sae = createSae({ architecture: "topk", dIn: 8, dSae: 16, k: 16, seed: 1 });
  const origin = { hook: "blocks.0.hook_mlp_out", checkpoint: folder.file("checkpoints/best.safetensors"), run: "mini-001" };
  const about = { config: sae.config as never, origin: { ...origin, trainedBy: "one-001", steps: 1, rows: 1 } };
  const state = await sae.stateDict();
  writeFileSync(at("runs/saes/one-001/sae.safetensors"), encodeSae(state, about));
  state.get("b_enc")!.data.fill(-1e6);
  writeFileSync(at("silent.safetensors"), encodeSae(state, about));
});
afterAll(() => {
  parent[Symbol.dispose]();
  device.destroy();
});

const steer = (...args: string[]): Promise<Ended> =>
  runInProcess("sae", "steer", "--runs", at("runs"), "--sequences", "8", "--out", at("ink"), ...args);

describe("sae steer", () => {
  it("writes texts untouched and with a feature held, and saves one sheet", async () => {
    const { code, stdout } = await steer("at", "sea", "--feature", "3", "--to", "400", "--ablate", "--json");
    expect(code).toBe(0);
    const { columns, files, features, hook } = JSON.parse(stdout);
    expect(hook).toBe("blocks.0.hook_mlp_out");
    expect(features).toEqual([{ latent: 3, density: expect.any(Number), highest: expect.any(Number) }]);
    expect(columns.map(({ held }: { held: unknown }) => held)).toEqual([[], [{ latent: 3, value: 0 }], [{ latent: 3, value: 400 }]]);
    for (const { writings } of columns) {
      expect(writings.map(({ text }: { text: string }) => text)).toEqual(["at", "sea"]);
      for (const { tokens, malformed } of writings) expect([tokens.length <= 16, Number.isInteger(malformed)]).toEqual([true, true]);
    }
    expect(columns[0].writings[0].difference).toMatchObject({ sameTokens: columns[0].writings[0].tokens.length });
    expect(columns[2].writings[0].tokens).not.toEqual(columns[0].writings[0].tokens);
    expect(files).toEqual([at("ink/steered-3.svg"), at("ink/steered-3.png")]);
    const svg = readFileSync(files[0], "utf8");
    expect(svg.match(/<text /g)).toHaveLength(6);
    expect(svg).toContain("sea: held at 400");
    expect(readPng(readFileSync(files[1])).width).toBeGreaterThan(100);
  });

  it("writes untouched what sample writes with the same seed", async () => {
    const args = ["at", "--seed", "5", "--temperature", "0.7", "--json"];
    const { columns } = JSON.parse((await steer(...args, "--feature", "3", "--scale", "1")).stdout);
    await runInProcess("sample", ...args, "--runs", at("runs"), "--out", at("own.json"));
    expect(columns[0].writings[0].tokens).toEqual(JSON.parse(readFileSync(at("own.json"), "utf8")).writings[0].tokens);
  });

  it("holds a feature at multiples of its highest activation, at 0, 1 and 2 unless told otherwise", async () => {
    const { columns, features } = JSON.parse((await steer("at", "--feature", "5,3", "--json")).stdout);
    const [first, second] = features.map(({ highest }: { highest: number }) => highest);
    expect(first).toBeGreaterThan(0);
    expect(columns.slice(1).map(({ held }: { held: { value: number }[] }) => held.map(({ value }) => value))).toEqual([
      [0, 0],
      [first, second],
      [2 * first, 2 * second],
    ]);
  });

  it("tells people when ink changes and how far", async () => {
    const { code, stdout, stderr } = await steer("at", "--feature", "3", "--to", "400", "--out", at("one.svg"));
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^feature +3 fires on .*% of \d+ tokens of ink, at most \d/m);
    expect(stdout).toMatch(/^"at" +untouched/m);
    expect(stdout).toMatch(/^"at" +held at 400 .*from token \d+/m);
    expect(existsSync(at("one.svg"))).toBe(true);
  });

  it("refuses in one line what it cannot do", async () => {
    const cases: [string[], RegExp][] = [
      [["at"], /required option '--feature <numbers>' not specified/],
      [["at", "--feature", "61"], /Expected a feature from 0 to 15 but found 61: the nearest are /],
      [["at", "--feature", "x"], /Expected whole numbers with commas between but found "x"/],
      [["at", "--feature", "3", "--to", "1,,2"], /Expected numbers with commas between but found ""/],
      [["at", "--feature", "3", "--sae", "7"], /but found no '7': the nearest are /],
      [["at", "--feature", "3", "--hook", "blocks.0.hook_mlp_ou"], /nearest: blocks\.0\.hook_mlp_out/],
      [["at", "--feature", "3", "--hook", "blocks.0.mlp.hook_post"], /Expected activations 8 wide but found .*, 32 wide/],
      [
        ["at", "--feature", "3", "--sae", at("silent.safetensors")],
        /Expected a feature that fires but 3 never does on these words: give --to/,
      ],
      [["at", "--feature", "3", "--to", "1e39"], /Expected values that the model can compute with but found it held at 1e\+39/],
      [["at", "--feature", "3", "--scale", "1e308"], /Expected values that the model can compute with but found it 1e\+308 × highest/],
      [["attest", "--feature", "3"], /Expected texts of at most 4 characters.*"attest" \(6\)/],
      [["at", "--feature", "3", "--scael", "2"], /unknown option '--scael' \(Did you mean --scale\?\)/],
    ];
    for (const [args, stderr] of cases) {
      const found = await steer(...args);
      expect(found.stderr).toMatch(stderr);
      expect(found.code).toBe(2);
      expect(found.stderr.trim().split("\n")).toHaveLength(1);
    }
  });

  it("saves everything as JSON, also of negative values", async () => {
    const { code } = await steer("at", "--feature", "3", "--to", "-5,5", "--out", at("all.json"), "--quiet");
    const { columns } = JSON.parse(readFileSync(at("all.json"), "utf8"));
    expect([code, columns.map(({ label }: { label: string }) => label)]).toEqual([0, ["untouched", "held at -5", "held at 5"]]);
  });

  it("stops at Ctrl-C, reading and writing", async () => {
    const texts = Array.from({ length: 600 }, () => "at");
    for (const [stage, ...args] of [
      ["reading", "at", "--sequences", "999999"],
      ["writing", ...texts, "--sequences", "8", "--to", Array.from({ length: 200 }, (_, i) => i).join(",")],
    ] as const) {
      const cli = startCli(["sae", "steer", "--feature", "3", "--runs", at("runs"), "--out", at("none"), ...args]);
      await new Promise<void>((resolve) => cli.onLine((line) => line.startsWith(stage) && resolve()));
      cli.process.kill("SIGINT");
      expect(await cli.ended).toMatchObject({ code: 130 });
      expect(existsSync(at("none/steered-3.svg"))).toBe(false);
    }
  });
});
