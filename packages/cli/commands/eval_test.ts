import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Device, openDevice } from "@cursive/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { decodeCheckpoint, encodeModel, unseal } from "../run/checkpoint.ts";
import { isEvaluation, readMetrics } from "../run/metrics.ts";
import type { RunFolder } from "../run/run_folder.ts";
import { makeRunFolder, miniConfig, type TemporaryFolder, temporaryFolder, trainMini } from "../testing/mini.ts";
import { type Ended, startCli } from "../testing/run_cli.ts";
import { runInProcess } from "../testing/run_in_process.ts";

let device: Device;
let parent: TemporaryFolder;
let folder: RunFolder;
const config = miniConfig({ "training.evaluation.batches": 2, "training.evaluation.batchSize": 5 });

beforeAll(async () => {
  device = await openDevice();
  parent = temporaryFolder();
  folder = await makeRunFolder(join(parent.path, "runs"), { config, device });
  await trainMini(config, { device, folder });
  await folder.release();
});
afterAll(() => {
  parent[Symbol.dispose]();
  device.destroy();
});

const evaluate = (...args: string[]): Promise<Ended> => runInProcess("eval", "--runs", join(parent.path, "runs"), ...args);

describe("eval", () => {
  it("has the very test losses that train logged at the checkpoint's step, of the best and of the last", async () => {
    const rows = (await readMetrics(folder.file("metrics.jsonl"))).filter(isEvaluation);
    const best = rows.reduce((least, row) => (row.testLoss < least.testLoss ? row : least));
    for (const [args, row] of [
      [[], best],
      [["--which", "last"], rows.at(-1)!],
    ] as const) {
      const { code, stdout } = await evaluate("--json", "--run", "1", ...args);
      expect(code).toBe(0);
      const found = JSON.parse(stdout);
      expect(found).toMatchObject({ run: "mini-001", step: row.step, split: "test", sequences: 10 });
      expect([found.all.loss, found.real.loss]).toEqual([row.testLoss, row.testLossReal]);
      expect(found.logged).toEqual({ testLoss: row.testLoss, testLossReal: row.testLossReal });
      expect(found.ablated.rise.loss).toBeCloseTo(found.ablated.real.loss - found.real.loss, 12);
    }
  });

  it("tells people what each figure is", async () => {
    const { code, stdout, stderr } = await evaluate("--quiet");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^all targets, padding included +\d\.\d{3} ± \d\.\d{3} +\d\.\d{3} +\d+(\.\d+)? +\d+\.\d +160$/m);
    expect(stdout).toMatch(/^without padding, text zeroed /m);
    expect(stdout).toContain("All targets, padding included, is the PyTorch original's test loss.");
    expect(stdout).toMatch(/train logged the same at this step: \d\.\d{4} and \d\.\d{4}\./);
    expect(stdout).toContain("ink of all words that contain it");
  });

  it("measures a checkpoint's file, other splits, numbers of batches and word banks", async () => {
    const best = folder.file("checkpoints/best.safetensors");
    const alone = join(parent.path, "alone.safetensors");
    writeFileSync(alone, readFileSync(best));
    const configured = join(parent.path, "config.json.txt");
    writeFileSync(configured, JSON.stringify(config));
    const own = JSON.parse((await evaluate("--json")).stdout);
    const file = JSON.parse((await evaluate("--json", "--checkpoint", alone, "--config", configured)).stdout);
    expect(file).toEqual({ ...own, run: null, checkpoint: alone, logged: null, seconds: file.seconds });
    const inRun = JSON.parse((await evaluate("--json", "--checkpoint", best)).stdout);
    expect(inRun).toEqual({ ...own, seconds: inRun.seconds });

    const bank = join(parent.path, "bank.json");
    expect(
      (await runInProcess("data", "make", "--count", "30", "--characters", "aei", "--letters", "1,2", "--out", bank, "--quiet")).code,
    ).toBe(0);
    const args = ["--data", bank, "--split", "train", "--batches", "1", "--batch-size", "3", "--no-ablation"];
    const other = JSON.parse((await evaluate("--json", ...args)).stdout);
    expect(other).toMatchObject({ run: "mini-001", split: "train", sequences: 3, logged: null, ablated: null, data: { source: bank } });
    expect(other.byCharacter.every(({ character }: { character: string }) => "aei".includes(character))).toBe(true);
  });

  it("refuses in one line what it cannot measure", async () => {
    const broken = await makeRunFolder(join(parent.path, "others"), { config, device });
    mkdirSync(broken.file("checkpoints"));
    const state = decodeCheckpoint(readFileSync(folder.file("checkpoints/last.safetensors")), {});
    const { metadata } = unseal(readFileSync(folder.file("checkpoints/best.safetensors")));
    const [name, tensor] = [...state.model][0]!;
    const model = new Map([...state.model, [name, { ...tensor, data: new Float32Array(tensor.data.length).fill(Number.NaN) }] as const]);
    writeFileSync(broken.file("checkpoints/best.safetensors"), encodeModel({ ...state, model }, metadata));
    writeFileSync(broken.file("checkpoints/last.safetensors"), readFileSync(folder.file("checkpoints/last.safetensors")).subarray(0, 900));
    const others = ["--runs", join(parent.path, "others")];
    const cases: [string[], number, RegExp][] = [
      [["--run", "9"], 2, /found no '9': the nearest are mini-001/],
      [["--preset", "small"], 2, /Expected no --preset for a model of a run but found it/],
      [["--checkpoint", "none.safetensors"], 2, /Expected a checkpoint at .*none\.safetensors but found no such file/],
      [["--splt", "test"], 2, /unknown option '--splt' \(Did you mean --split\?\)/],
      [["--batches", "0"], 2, /Expected a whole number from 1 but found "0"/],
      [["--data", "none.json"], 2, /Expected a word bank \(zip or JSON\) at .*none\.json but found/],
      [others, 1, /Expected finite losses but found NaN: the parameters in .*best\.safetensors are broken/],
      [[...others, "--which", "last"], 2, /last\.safetensors: Expected /],
    ];
    for (const [args, code, stderr] of cases) {
      const found = await evaluate(...args);
      expect(found.stderr).toMatch(stderr);
      expect(found).toMatchObject({ code });
      expect(found.stderr.trim().split("\n")).toHaveLength(1);
    }
    const environment = JSON.parse(readFileSync(broken.file("env.json"), "utf8"));
    writeFileSync(broken.file("env.json"), JSON.stringify({ ...environment, dataHash: "other" }));
    expect((await evaluate(...others)).stderr).toContain("Expected the words that mini-001 was trained on but found others");
  });

  it("teaches by examples", async () => {
    expect((await runInProcess("eval", "--help")).stdout).toContain("Examples:\n  pnpm cli eval");
  });

  it("stops at Ctrl-C", async () => {
    const cli = startCli(["eval", "--runs", join(parent.path, "runs"), "--batches", "100000"]);
    await new Promise<void>((resolve) => cli.onLine((line) => line.startsWith("evaluating") && resolve()));
    cli.process.kill("SIGINT");
    expect(await cli.ended).toMatchObject({
      code: 130,
      stderr: "stopping after the sequences under way; once more leaves at once\ninterrupted\n",
    });
  });
});
