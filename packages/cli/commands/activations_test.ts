import { existsSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type TemporaryFolder, temporaryFolder } from "../testing/mini.ts";
import { runHere } from "../testing/run_here.ts";

let folder: TemporaryFolder;
let runs: string[];
beforeAll(async () => {
  folder = temporaryFolder();
  runs = ["--runs", join(folder.path, "runs")];
  const settings = ["--set", "logging.report=false", "--set", "logging.tensorboard=false"];
  expect((await runHere("train", "--config", folder.config, "--steps", "2", "--quiet", ...settings, ...runs)).code).toBe(0);
}, 120_000);
afterAll(() => folder[Symbol.dispose]());

const out = (...parts: string[]): string => join(folder.path, ...parts);

describe("activations", () => {
  it("writes the rows of several hooks in one pass, and says what they are like", async () => {
    const hooks = [
      "--hook",
      "blocks.0.hook_mlp_out,transformer.h.0.mlp.act",
      "--sequences",
      "20",
      "--tokens",
      "all",
      "--shard-rows",
      "100",
    ];
    const { code, stdout } = await runHere("activations", "cache", ...hooks, "--out", out("all"), "--json", ...runs);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ caches: [{ hook: "blocks.0.hook_mlp_out", rows: 320, dIn: 8 }, { hook: "blocks.0.mlp.hook_post", rows: 320, dIn: 32 }] }); // biome-ignore format: pairs
    const stats = JSON.parse((await runHere("activations", "stats", out("all/blocks.0.hook_mlp_out"), "--json")).stdout);
    const { rows, totalVariance, normOfMean, meanNorm, variance, kinds } = stats;
    expect(rows).toBe(320);
    expect(variance).toHaveLength(8);
    expect(totalVariance).toBeCloseTo(
      variance.reduce((a: number, b: number) => a + b, 0),
      12,
    );
    expect(normOfMean).toBeLessThanOrEqual(meanNorm); // ‖E x‖ ≤ E‖x‖
    expect(kinds.reduce((sum: number, { share }: { share: number }) => sum + share, 0)).toBeCloseTo(1, 12);
    expect(kinds.find(({ kind }: { kind: string }) => kind === "END").rows).toBe(20);
  }, 60_000);

  it("keeps the kinds of tokens that are asked for, as halves, and trains on fewer of them", async () => {
    const cache = ["activations", "cache", "--out", out("ink"), "--sequences", "20", "--dtype", "f16", "--quiet", ...runs];
    expect((await runHere(...cache)).code).toBe(0);
    const { kinds } = JSON.parse((await runHere("activations", "stats", out("ink"), "--json")).stdout);
    expect(kinds.map(({ kind }: { kind: string }) => kind)).not.toContain("PAD");
    const train = [
      "sae",
      "train",
      "--activations",
      out("ink"),
      "--steps",
      "3",
      "--batch-rows",
      "8",
      "--set",
      "data.bufferRows=8",
      "--set",
      "data.storage=f16",
      "--k",
      "2",
      "--quiet",
      ...runs,
    ];
    expect((await runHere(...train, "--tokens", "theta")).code).toBe(0);
    expect((await runHere(...train, "--tokens", "pad")).stderr).toContain("Expected rows of pad (data.tokens) but found theta,radius");
    expect(await runHere(...cache)).toMatchObject({
      code: 2,
      stderr: `error: Expected a folder without activations but found some at ${out("ink")}\n`,
    });
  }, 60_000);

  it("refuses tokens that no sequence has, and then has nothing written in the way", async () => {
    const cache = ["activations", "cache", "--out", out("words"), "--sequences", "20", "--quiet", ...runs];
    expect(await runHere(...cache, "--tokens", "word")).toMatchObject({
      code: 2,
      stderr: "error: Expected tokens of the kinds word but found none in 20 sequences\n",
    });
    expect((await runHere(...cache, "--tokens", "theta")).code).toBe(0);
    const all = out("all/blocks.0.hook_mlp_out");
    const train = ["sae", "train", "--activations", all, "--batch-rows", "8", "--set", "data.bufferRows=8", "--quiet", ...runs];
    expect(await runHere(...train, "--tokens", "word")).toMatchObject({
      code: 2,
      stderr: `error: Expected tokens of the kinds in data.tokens but found none in ${all}\n`,
    });
  }, 60_000);

  it("refuses what is no cache, and one that is damaged, in one line", async () => {
    const missing = await runHere("activations", "stats", out("nowhere"));
    expect(missing).toMatchObject({ code: 2, stdout: "" });
    expect(missing.stderr).toMatch(/^error: Expected cached activations in .* but found: ENOENT.*\n$/);
    expect(existsSync(out("nowhere"))).toBe(false);
    truncateSync(out("ink/activations-00000.safetensors"), 50);
    const damaged = await runHere("activations", "stats", out("ink"));
    expect(damaged.code).toBe(1);
    expect(damaged.stderr).toMatch(/error: Expected a whole shard activations-00000\.safetensors in .* but found: .+\n$/);
    expect((await runHere("activations", "cache", "--tokens", "ink", ...runs)).code).toBe(2);
  }, 60_000);
});
