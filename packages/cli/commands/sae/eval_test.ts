import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createSae } from "@cursive/sae";
import { type Device, openDevice } from "@cursive/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunFolder } from "../../run/run_folder.ts";
import { encodeSae } from "../../sae/save_sae.ts";
import { makeRunFolder, miniConfig, type TemporaryFolder, temporaryFolder, trainMini } from "../../testing/mini.ts";
import { type Ended, startCli } from "../../testing/run_cli.ts";
import { runInProcess } from "../../testing/run_in_process.ts";

let device: Device;
let parent: TemporaryFolder;
let folder: RunFolder;
const config = miniConfig({ "training.evaluation.batches": 2, "training.evaluation.batchSize": 4 });

/** A folder under `saes` with autoencoders of these names, as training leaves it. */
async function writeRun(run: string, members: Readonly<Record<string, { seed: number; dIn?: number }>>): Promise<void> {
  const path = join(parent.path, "runs", "saes", run);
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, "config.json"), "{}");
  for (const [file, { seed, dIn = 8 }] of Object.entries(members)) {
    const sae = createSae({ architecture: "topk", dIn, dSae: 16, k: 3, seed });
    const checkpoint = folder.file("checkpoints/best.safetensors");
    const origin = { hook: "blocks.0.hook_mlp_out", checkpoint, run: "mini-001", trainedBy: run, steps: 1, rows: 1 };
    writeFileSync(join(path, `${file}.safetensors`), encodeSae(await sae.stateDict(), { config: sae.config as never, origin }));
  }
}

beforeAll(async () => {
  device = await openDevice();
  parent = temporaryFolder();
  folder = await makeRunFolder(join(parent.path, "runs"), { config, device });
  await trainMini(config, { device, folder });
  await folder.release();
  await writeRun("one-001", { sae: { seed: 1 } });
  await writeRun("grid-002", { "sae-a": { seed: 1 }, "sae-b": { seed: 2 }, "sae-wide": { seed: 1, dIn: 9 } });
  await writeRun("begun-003", {});
});
afterAll(() => {
  parent[Symbol.dispose]();
  device.destroy();
});

const evaluate = (...args: string[]): Promise<Ended> => runInProcess("sae", "eval", "--runs", join(parent.path, "runs"), ...args);

describe("sae eval", () => {
  it("gives SAEBench's results file, and everything with errors beside it", async () => {
    const began = Date.now();
    const { code, stdout } = await evaluate("1", "--json");
    expect(code).toBe(0);
    const found = JSON.parse(stdout);
    expect(found.eval_type_id).toBe("core");
    expect(found.eval_result_metrics.sparsity.l0).toBe(3);
    expect(found.eval_result_details).toHaveLength(16);
    const keys = ["eval_type_id", "eval_config", "eval_id", "datetime_epoch_millis", "eval_result_metrics", "eval_result_details"];
    keys.push(
      "sae_bench_commit_hash",
      "sae_lens_id",
      "sae_lens_release_id",
      "sae_lens_version",
      "sae_cfg_dict",
      "eval_result_unstructured",
    );
    expect(Object.keys(found)).toEqual([...keys, "cursive"]);
    expect(found.eval_id).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(found.datetime_epoch_millis).toBeGreaterThanOrEqual(began);
    expect(found.datetime_epoch_millis).toBeLessThanOrEqual(Date.now());
    expect(found.eval_config).toMatchObject({ model_name: "mini-001", batch_size_prompts: 4, dataset: "cursive", context_size: 16 });
    expect(found.eval_config).toMatchObject({ n_eval_reconstruction_batches: 2, exclude_special_tokens_from_reconstruction: false });
    expect(found).toMatchObject({ sae_lens_id: "custom_sae", sae_lens_release_id: "one-001", sae_lens_version: null });
    const metadata = { hook_name: "blocks.0.hook_mlp_out", model_name: "mini-001" };
    expect(found.sae_cfg_dict).toMatchObject({ architecture: "topk", d_in: 8, d_sae: 16, k: 3, metadata });
    const { cursive } = found;
    expect(cursive.config).toMatchObject({ architecture: "topk", dIn: 8, dSae: 16 });
    expect(cursive).toMatchObject({ split: "test", batches: 2, batchSize: 4, tokens: ["theta", "radius"], against: null });
    expect(cursive.model).toMatchObject({ run: "mini-001" });
    expect(cursive.effect.sequences).toBe(8);
    expect(cursive.effect.all.targets).toBe(8 * 16);
    expect(cursive.reconstruction.rows).toBeLessThan(8 * 16);
    const { ce_loss_with_sae, ce_loss_without_sae } = found.eval_result_metrics.model_performance_preservation;
    expect(cursive.effect.real.sae.deltaCe.value).toBeCloseTo(ce_loss_with_sae - ce_loss_without_sae, 12);
    expect(cursive.notebook.get_recons_loss.loss).toBe(cursive.effect.all.ce.value);
  });

  it("has the losses that eval finds on the same sequences", async () => {
    const { cursive } = JSON.parse((await evaluate("1", "--json")).stdout);
    const own = JSON.parse(
      (await runInProcess("eval", "--runs", join(parent.path, "runs"), "--run", "1", "--no-ablation", "--json")).stdout,
    );
    expect(cursive.effect.all.ce.value).toBeCloseTo(own.all.loss, 6);
    expect(cursive.effect.real.ce.value).toBeCloseTo(own.real.loss, 6);
    expect(cursive.effect.real.ce.standardError).toBeCloseTo(own.real.standardError, 6);
  });

  it("tells people what each figure is", async () => {
    const { code, stdout, stderr } = await evaluate("1", "--quiet");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^variance explained +-?\d+\.\d+ ± \d+\.\d+ +0 for predicting their mean, 1 for themselves$/m);
    expect(stdout).toMatch(/^features a row \(L0\) +3\.000 ± 0\.000/m);
    expect(stdout).toMatch(/^with reconstructions +\d\.\d{3} ± \d\.\d{3} +\d\.\d{3} ± \d\.\d{3}$/m);
    expect(stdout).toMatch(/^never fire +\d+; on \d+ rows a density below \d\.\de-\d does not show$/m);
    expect(stdout).toContain("get_recons_loss  loss: ");
  });

  it("finds autoencoders by run, name and file, and compares two", async () => {
    const first = JSON.parse((await evaluate("1", "--json")).stdout).cursive;
    const named = JSON.parse((await evaluate("grid-002", "--name", "a", "--json", "--against", "one-001")).stdout).cursive;
    expect(named.reconstruction).toEqual(first.reconstruction);
    expect(named.against.mmcs.aInB).toBeCloseTo(1, 6);
    const other = await evaluate(join(parent.path, "runs/saes/grid-002/sae-b.safetensors"), "--json", "--against", "1");
    const { against, reconstruction } = JSON.parse(other.stdout).cursive;
    expect(reconstruction.mse.value).not.toBe(first.reconstruction.mse.value);
    expect(against.mmcs.aInB).toBeLessThan(0.99);
  });

  it("measures other tokens, places and words", async () => {
    const all = JSON.parse((await evaluate("1", "--json", "--tokens", "theta,radius,word,end,pad")).stdout).cursive;
    expect(all.reconstruction.rows).toBe(8 * 16);
    expect(all.notebook.get_freqs.freqs).toEqual(all.activity.density);
    const some = JSON.parse(
      (await evaluate("1", "--json", "--tokens", "theta", "--splice", "kept", "--split", "train", "--batches", "1")).stdout,
    );
    expect(some.eval_config.exclude_special_tokens_from_reconstruction).toBe(true);
    expect(some.cursive).toMatchObject({ notebook: null, split: "train", batches: 1, splice: "kept" });
  });

  it("refuses in one line what it cannot measure", async () => {
    const model = folder.file("checkpoints/best.safetensors");
    const gone = join(parent.path, "gone.safetensors");
    const damaged = join(parent.path, "damaged.safetensors");
    const file = join(parent.path, "runs/saes/one-001/sae.safetensors");
    const bytes = readFileSync(file);
    bytes[bytes.length - 2]! ^= 1;
    writeFileSync(damaged, bytes);
    const cases: [string[], RegExp][] = [
      [["7"], /Expected a run in .*saes but found no '7': the nearest are /],
      [["begun-003"], /Expected a trained autoencoder in .*begun-003 but found none: it has not saved any yet/],
      [["grid-002"], /Expected a --name, as there are 3 autoencoders in .*grid-002, but found none: a, b, wide/],
      [["grid-002", "--name", "c"], /found no 'c': the nearest are /],
      [["grid-002", "--name", "wide"], /Expected activations 9 wide but found blocks\.0\.hook_mlp_out, 8 wide/],
      [["grid-002", "--name", "a", "--against", "grid-002"], /Expected a --name/],
      [[file, "--name", "a"], /Expected either a file or a --name in a folder but found both/],
      [[gone], /Expected a run in /],
      [[model], /best\.safetensors: Expected an autoencoder but found cursive-model/],
      [[damaged], /damaged\.safetensors: Expected the content that the checksum promises/],
      [["1", "--hook", "blocks.0.hook_mlp_ou"], /found 'blocks\.0\.hook_mlp_ou'; nearest: blocks\.0\.hook_mlp_out/],
      [["1", "--hook", "blocks.0.attn.hook_pattern"], /Expected a hook with a vector for each stroke token/],
      [["1", "--tokens", "ink"], /Expected kinds out of theta, radius, word, end, pad but found "ink"/],
      [["1", "--spilt", "test"], /unknown option '--spilt' \(Did you mean --split\?\)/],
    ];
    for (const [args, stderr] of cases) {
      const found = await evaluate(...args);
      expect(found.stderr).toMatch(stderr);
      expect(found.code).toBe(2);
      expect(found.stderr.trim().split("\n")).toHaveLength(1);
    }
    renameSync(model, `${model}.away`);
    const missing = await evaluate("1");
    renameSync(`${model}.away`, model);
    expect(missing.stderr).toMatch(
      /Expected a checkpoint at .* but found no such file; .*sae\.safetensors was trained on it: give --run or/,
    );
  });

  it("takes the last run that holds an autoencoder where none is named", async () => {
    expect((await evaluate("--name", "b", "--json", "--batches", "1")).code).toBe(0);
    const none = await runInProcess("sae", "eval", "--runs", join(parent.path, "none"));
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining("`pnpm cli sae train` makes one")]);
  });

  it("stops at Ctrl-C", async () => {
    const cli = startCli(["sae", "eval", "1", "--runs", join(parent.path, "runs"), "--batches", "100000"]);
    await new Promise<void>((resolve) => cli.onLine((line) => line.startsWith("reading") && resolve()));
    cli.process.kill("SIGINT");
    expect(await cli.ended).toMatchObject({
      code: 130,
      stderr: "stopping after the sequences under way; once more leaves at once\ninterrupted\n",
    });
  });
});
