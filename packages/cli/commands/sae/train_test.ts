import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { unseal } from "../../run/checkpoint.ts";
import { saeKeys } from "../../sae/sae_schema.ts";
import { type TemporaryFolder, temporaryFolder } from "../../testing/mini.ts";
import { runCli, startCli } from "../../testing/run_cli.ts";
import { runHere } from "../../testing/run_here.ts";
import { runInProcess } from "../../testing/run_in_process.ts";

let folder: TemporaryFolder;
let runs: string[];
beforeAll(async () => {
  folder = temporaryFolder();
  runs = ["--runs", join(folder.path, "runs")];
  const settings = ["--set", "logging.report=false", "--set", "logging.tensorboard=false"];
  expect((await runHere("train", "--config", folder.config, "--steps", "20", "--quiet", ...settings, ...runs)).code).toBe(0);
}, 120_000);
afterAll(() => folder[Symbol.dispose]());

const small = ["--batch-rows", "12", "--k", "2", "--set", "data.bufferRows=40", "--set", "checkpoints.everySteps=4"];
const saes = (...parts: string[]): string => join(folder.path, "runs/saes", ...parts);

describe("sae train", () => {
  it("says what a run would take, with every loss in its units, and leaves nothing", async () => {
    const { code, stdout } = await runHere("sae", "train", "--dry-run", "--preset", "notebook", "--set", "data.batchSequences=4", ...runs);
    expect(code).toBe(0);
    expect(stdout).toContain("l1: 0.0003 × sum over 64 rows of Σ_F f; 0.0192 a row against mean ‖x̂ − x‖²");
    expect(stdout).toMatch(/memory {3}[\d.]+ [kM]B: parameters/);
    const byRows = await runHere("sae", "train", "--dry-run", "--json", "--quiet", "--rows", "25", ...small, ...runs);
    expect(JSON.parse(byRows.stdout)).toMatchObject({ event: "estimate", batchRows: 12, config: { steps: 3 } });
    expect(existsSync(saes())).toBe(false);
  });

  it("loses nothing to kill -9 and to Ctrl-C, which exits with 130, and leaves the autoencoder for activations as they are", async () => {
    const args = ["sae", "train", "--steps", "90", "--json", ...small, ...runs];
    expect((await runCli(args)).code).toBe(0);
    const stopped = async (signal: NodeJS.Signals, command: string[]): Promise<number | null> => {
      const cli = startCli(command);
      let steps = 0;
      cli.onLine((line) => line.startsWith('{"event":"step"') && ++steps === 20 && cli.process.kill(signal));
      return (await cli.ended).code;
    };
    const resume = ["sae", "train", "--resume", "last", "--json", ...runs];
    expect(await stopped("SIGKILL", args)).toBeNull();
    expect(await stopped("SIGINT", resume)).toBe(130);
    expect(JSON.parse(readFileSync(saes("default-002/status.json"), "utf8")).state).toBe("interrupted");
    const { code, stdout } = await runCli(resume);
    expect(code).toBe(0);
    const events = stdout.trim().split("\n").map((line) => JSON.parse(line)); // biome-ignore format: a chain
    expect([events[0].event, ...events.slice(-3).map(({ event }) => event)]).toEqual(["resume", "sae", "end", "features"]);
    expect(readFileSync(join(events.at(-1).path, "index.html"), "utf8")).toContain("<!doctype html>");
    const file = (name: string): Buffer => readFileSync(saes(name));
    expect(file("default-002/checkpoints/last.safetensors").equals(file("default-001/checkpoints/last.safetensors"))).toBe(true);
    const { tensors, metadata } = unseal(file("default-002/sae.safetensors"));
    expect([...tensors].map(([name, { shape }]) => [name, shape])).toEqual(
      expect.arrayContaining([["W_enc", [8, 64]], ["W_dec", [64, 8]], ["b_enc", [64]], ["b_dec", [8]]]), // biome-ignore format: pairs
    );
    expect(JSON.parse(metadata.config!)).toMatchObject({ architecture: "topk", k: 2, dIn: 8, dSae: 64 });
    expect(JSON.parse(metadata.origin!)).toMatchObject({ hook: "blocks.0.hook_mlp_out", run: "tiny-001", steps: 90, rows: 1080 });
    expect(readFileSync(saes("default-002/report.html"), "utf8")).toContain('<span class="state finished">finished</span>');
    expect((await runHere("sae", "train", "--resume", ...runs)).stdout).toContain("default-002 has finished: 90 steps");
  }, 300_000);

  it("takes a configuration again, from the file that a run left", async () => {
    const { code } = await runHere(
      "sae",
      "train",
      "--config",
      saes("default-001/config.json"),
      "--steps",
      "4",
      "--set",
      "training.warmupSteps=0",
      "--set",
      "training.decaySteps=0",
      "--name",
      "again",
      "--quiet",
      ...runs,
    );
    expect(code).toBe(0);
    expect(readdirSync(saes()).filter((name) => name.startsWith("again"))).toHaveLength(1);
  });

  it("refuses hooks without a vector a token, models that have changed, and what makes no autoencoder, in one line", async () => {
    const one = async (...args: string[]): Promise<string> => {
      const { code, stderr } = await runHere("sae", "train", "--quiet", ...args, ...runs);
      expect(code).toBe(2);
      expect(stderr.trim().split("\n")).toHaveLength(1);
      return stderr;
    };
    expect(await one("--hook", "blocks.0.hook_mpl_out")).toContain("nearest: blocks.0.hook_mlp_out");
    expect(await one("--hook", "blocks.0.attn.hook_pattern")).toContain("[B, T, …], but found blocks.0.attn.hook_pattern [B, H, T, T]");
    expect(await one("--k", "100")).toContain("100");
    expect(await one("--set", "data.tokens=word")).toContain("Expected tokens of the kinds in data.tokens but found none");
    const status = saes("default-001/status.json");
    writeFileSync(status, readFileSync(status, "utf8").replace("finished", "interrupted"));
    const environment = saes("default-001/env.json");
    writeFileSync(environment, readFileSync(environment, "utf8").replace(/"dataHash": "\w+"/, '"dataHash": "other"'));
    expect(await one("--resume", "1")).toContain("Expected the activations that default-001 began with but found others");
  }, 60_000);

  it("refuses wrong options before anything is opened, in one line, exit code 2", async () => {
    const model = ["--checkpoint", join(folder.path, "runs/tiny-001/checkpoints/last.safetensors")];
    const cases: [string[], string][] = [
      [["sae", "trian"], "error: unknown command 'trian' (Did you mean train?)\n"],
      [["sae", "train", "--set", "k=4", ...model], 'error: Expected a key of the configuration but found "k": the nearest is sae.k\n'],
      [["sae", "train", "--architecture", "relu"], "error: option '--architecture <name>' argument 'relu' is invalid. Expected --architecture to be one of standard, topk, batchtopk, jumprelu, gated, matryoshka but found \"relu\"\n"],
      [["sae", "train", "--architecture", "gated", "--k", "4", ...model], "error: Expected no sae.k for the architecture gated but found 4: it is one of topk, batchtopk, matryoshka\n"],
      [["sae", "train", "--grid", "k=4,4", ...model], "error: Expected values that differ in a grid but found sae.k=4 twice\n"],
      [["sae", "train", "--rows", "10", "--steps", "3", ...model], "error: Expected either --steps or --rows but found both\n"],
      [["sae", "train", "--rows", "10", "--preset", "notebook", ...model], "error: Expected --steps where a step takes whole sequences but found --rows\n"],
      [["sae", "train", "--activations", "x", "--run", "1"], "error: Expected no --run with --activations but found it: they are of one hook of one model\n"],
      [["sae", "train", "--resume", "--lr", "1"], "error: Expected no --lr with --resume but found it: autoencoders go on with their own configuration; start new ones to change it\n"],
      [["sae", "train", "--runs", join(folder.path, "none")], `error: Expected a trained model but found no run in ${join(folder.path, "none")}: \`pnpm cli train\` makes one, or give --checkpoint FILE\n`],
    ]; // biome-ignore format: a table
    for (const [args, stderr] of cases) expect(await runInProcess(...args)).toEqual({ code: 2, stdout: "", stderr });
  });

  it("has every key in docs/cli.md", () => {
    const page = readFileSync(new URL("../../../../docs/cli.md", import.meta.url), "utf8").replace(/ +/g, " "); // its columns are aligned
    for (const { path, field } of saeKeys.fields) expect(page).toContain(`| \`${path}\` | ${field.doc} | ${field.expects} |`);
  });
});
