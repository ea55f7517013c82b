import { createHash } from "node:crypto";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeWords, writeWordBank } from "@cursive/cursive-model";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { unseal } from "../run/checkpoint.ts";
import { type TemporaryFolder, temporaryFolder } from "../testing/mini.ts";
import type { Ended } from "../testing/run_cli.ts";
import { runInProcess } from "../testing/run_in_process.ts";
import type { SaeOrigin } from "./save_sae.ts";

let folder: TemporaryFolder;
let checkpoint: string;
let bank: string;
const at = (...parts: string[]): string => join(folder.path, ...parts);
const run = (...args: string[]): Promise<Ended> => runInProcess(...args, "--runs", at("runs"));
const evaluate = (...args: string[]): Promise<Ended> => run("sae", "eval", ...args, "--batches", "1", "--batch-size", "2");
const train = async (name: string, ...args: string[]): Promise<SaeOrigin> => {
  const settings = ["--steps", "3", "--set", "logging.report=false", "--set", "logging.tensorboard=false", "--no-features", "--quiet"];
  expect(await run("sae", "train", "--name", name, ...settings, ...args)).toMatchObject({ code: 0 });
  const number = { bank: 1, cached: 2, notebook: 3 }[name];
  return JSON.parse(unseal(readFileSync(at(`runs/saes/${name}-00${number}/sae.safetensors`))).metadata.origin!);
};
const rows = ["--k", "2", "--batch-rows", "8", "--set", "data.bufferRows=16"];

beforeAll(async () => {
  folder = temporaryFolder();
  const settings = ["--set", "logging.report=false", "--set", "logging.tensorboard=false"];
  expect((await run("train", "--config", folder.config, "--steps", "12", "--name", "mini", "--quiet", ...settings)).code).toBe(0);
  checkpoint = at("runs/mini-001/checkpoints/best.safetensors");
  bank = at("bank.json");
  writeFileSync(bank, writeWordBank(makeWords({ count: 40, characters: "aeinst", letters: [1, 2], seed: 5 })));
}, 120_000);
afterAll(() => folder[Symbol.dispose]());

describe("what an autoencoder was trained on", () => {
  it("is in its file, from a model as from a cache, and is what commands read, unless told otherwise", async () => {
    const live = await train("bank", "--data", bank, ...rows);
    const modelHash = createHash("sha256").update(readFileSync(checkpoint)).digest("hex");
    expect(live).toMatchObject({ checkpoint, run: "mini-001", modelHash, bank, split: "train" });
    expect((await run("activations", "cache", "--data", bank, "--sequences", "20", "--out", at("acts"), "--quiet")).code).toBe(0);
    const { trainedBy: _, ...cached } = await train("cached", "--activations", at("acts"), ...rows);
    expect(live).toMatchObject(cached);
    const words = async (...args: string[]): Promise<object> => JSON.parse((await evaluate(...args, "--json")).stdout).cursive.data;
    expect(await words("bank-001")).toEqual({ source: bank, hash: live.wordsHash, trainedOn: false });
    expect(await words("bank-001", "--split", "train")).toMatchObject({ source: bank, trainedOn: true });
    expect(await words("bank-001", "--checkpoint", checkpoint)).toMatchObject({ source: bank });
    const last = at("runs/mini-001/checkpoints/last.safetensors");
    expect(await words("bank-001", "--checkpoint", last)).toMatchObject({ source: "cursive", trainedOn: false });
    expect((await evaluate("bank-001", "--split", "train")).stdout).toContain("words trained on, by the autoencoder as well");
  }, 120_000);

  it("is said to be what is measured on, where words are held out from the model alone", async () => {
    const settings = ["--set", "data.sequences=4", "--set", "data.batchSequences=2"];
    expect(await train("notebook", "--preset", "notebook", ...settings)).toMatchObject({ split: "test", bank: null });
    const note = "was trained on these words, which are held out from the model alone";
    const { stdout, stderr } = await evaluate("notebook-003");
    expect(stderr).toContain(`note: notebook-003 ${note}`);
    expect(stdout).toContain("words held out from the model, but trained on by the autoencoder");
    const page = at("page.html");
    const compared = await run(
      "sae",
      "compare",
      "notebook-003",
      "bank-001",
      "--batches",
      "1",
      "--batch-size",
      "2",
      "--out",
      page,
      "--json",
    );
    expect(JSON.parse(compared.stdout).saes).toMatchObject([{ trainedOn: true }, { trainedOn: false }]);
    expect(compared.stderr).toContain(`note: notebook-003 ${note}`);
    expect(compared.stderr).toContain("note: these read different words");
    expect(readFileSync(page, "utf8")).toContain("notebook-003: trained on these words, which are held out from the model alone");
  }, 120_000);

  it("is asked for where the checkpoint has other weights by now, or the words are gone", async () => {
    const gone = at("gone.json");
    copyFileSync(bank, gone);
    writeFileSync(bank, "");
    expect(await evaluate("bank-001", "--quiet")).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/Expected a word bank .* at .*bank\.json but found: .*: give --run or --checkpoint for another, or --data for other words\n$/),
    }); // biome-ignore format: a message
    copyFileSync(gone, bank);
    copyFileSync(at("runs/mini-001/checkpoints/last.safetensors"), checkpoint);
    const { code, stderr } = await evaluate("bank-001", "--quiet");
    expect([code, stderr.trim().split("\n").length]).toEqual([2, 1]);
    expect(stderr).toContain(`was trained on in ${checkpoint} but found others`);
    expect((await run("sae", "compare", "bank-001", "notebook-003", "--quiet")).code).toBe(2);
    expect((await evaluate("bank-001", "--quiet", "--checkpoint", checkpoint)).code).toBe(0);
  }, 120_000);
});
