import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Device, openDevice } from "@cursive/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Override } from "../config/overrides.ts";
import { Interrupted } from "../errors.ts";
import { unseal } from "../run/checkpoint.ts";
import { openModelWithData } from "../run/model_data.ts";
import { RunFolder } from "../run/run_folder.ts";
import { parseRows } from "../run/step_log.ts";
import { readEventFolder, scalarsOf } from "../tensorboard/testing/read_events.ts";
import { Output } from "../terminal/output.ts";
import { makeRunFolder, miniConfig, type TemporaryFolder, temporaryFolder, trainMini } from "../testing/mini.ts";
import { cacheActivations } from "./cache_activations.ts";
import { resolveSaeConfig } from "./resolve_sae_config.ts";
import type { SaeRunConfig } from "./sae_config.ts";
import type { SaeRow } from "./sae_metrics.ts";
import { cachedSource, liveSource } from "./sae_source.ts";
import { buildSaeTrainer, type TrainedSae, trainSaeRun } from "./train_sae_run.ts";

let device: Device;
let folder: TemporaryFolder;
let checkpoint: string;
let cache: string;
beforeAll(async () => {
  device = await openDevice();
  folder = temporaryFolder();
  const config = miniConfig({ steps: 20, "logging.report": false, "logging.tensorboard": false });
  const run = await makeRunFolder(join(folder.path, "runs"), { config, device });
  await trainMini(config, { device, folder: run });
  await run.release();
  checkpoint = run.file("checkpoints/last.safetensors");
  cache = join(folder.path, "cache");
  const subject = await openModelWithData({ runs: "", checkpoint });
  const signal = new AbortController().signal;
  const what = { split: "train", tokens: ["theta", "radius", "end"], rowsPerShard: 100, storage: "f32", chunk: 4 } as const;
  await cacheActivations(subject, { ...what, hooks: ["blocks.0.hook_mlp_out"], out: cache, sequences: 30, signal, onSequence: () => {} });
}, 120_000);
afterAll(() => {
  folder[Symbol.dispose]();
  device.destroy();
});

const hooks = ["blocks.0.hook_mlp_out", "blocks.0.mlp.hook_post"];

const small = {
  steps: 30,
  "data.batchRows": 12,
  "data.bufferRows": 40,
  "sae.k": 2,
  "checkpoints.everySteps": 4,
  "checkpoints.everySeconds": null,
};

function configOf(preset: "default" | "notebook", values: Readonly<Record<string, unknown>>): SaeRunConfig {
  const overrides: Override[] = Object.entries(values).map(([path, value]) => ({ path, value, from: "test" }));
  return resolveSaeConfig(preset, overrides).config;
}

/** Says nothing, and asks for an end when a step has been taken. */
class Stopper extends Output {
  readonly controller = new AbortController();
  readonly #at: number;

  constructor(at: number) {
    super({ quiet: true });
    this.#at = at;
  }

  override event(name: string, fields: Readonly<Record<string, unknown>> = {}): void {
    if (name === "step" && fields.step === this.#at) this.controller.abort(new Interrupted("interrupted", { exitCode: 130 }));
  }
}

/** Trains on in a folder, with a trainer, model and stream of its own. */
async function trainOn(
  run: RunFolder,
  { config, stopAt = Number.NaN }: { config: SaeRunConfig; stopAt?: number },
): Promise<readonly TrainedSae[]> {
  const output = new Stopper(stopAt);
  const { signal } = output.controller;
  const source = config.source.activations === null ? await liveSource(config, { say: () => {}, signal }) : await cachedSource(config);
  const trainer = await buildSaeTrainer(config, { source, stream: await source.open(), output });
  return trainSaeRun({ config, source, trainer, folder: run, output, signal }).finally(() => trainer.destroy());
}

const newRun = (name: string): Promise<RunFolder> => RunFolder.create(join(folder.path, "saes"), { name, files: { "config.json": "{}" } });

function measured(run: RunFolder): object[] {
  const { rows } = parseRows<SaeRow>(readFileSync(run.file("metrics.jsonl"), "utf8"));
  return rows.map(({ milliseconds: _, rowsPerSecond: __, ...row }) => row);
}

describe("trainSaeRun()", () => {
  it("goes on bit for bit wherever it was interrupted, from a model, at several hooks of it, whole sequences, or a cache", async () => {
    const whole = {
      steps: 30,
      "data.sequences": 8,
      "data.batchSequences": 3,
      "checkpoints.everySteps": 4,
      "checkpoints.everySeconds": null,
    };
    const configs = [
      configOf("default", { ...small, "source.checkpoint": checkpoint, "training.deadAfterRows": 30, "training.resample.atSteps": [10] }),
      configOf("default", { ...small, "source.checkpoint": checkpoint, "source.hooks": hooks, grid: ["sae.k=1,2"] }),
      configOf("notebook", { ...whole, "source.checkpoint": checkpoint }),
      configOf("default", { ...small, "source.activations": cache, grid: ["sae.k=1,2"] }),
    ];
    for (const config of configs) {
      const [straight, broken] = [await newRun("straight"), await newRun("broken")];
      const results = await trainOn(straight, { config });
      for (const stopAt of [3, 17]) await expect(trainOn(broken, { config, stopAt })).rejects.toMatchObject({ exitCode: 130 });
      const status = JSON.parse(readFileSync(broken.file("status.json"), "utf8"));
      expect(status).toMatchObject({ state: "interrupted", step: 18 }); // a step was under way
      await trainOn(broken, { config });
      const bytes = (run: RunFolder): Buffer => readFileSync(run.file("checkpoints/last.safetensors"));
      expect(bytes(broken).equals(bytes(straight))).toBe(true);
      expect(measured(broken)).toEqual(measured(straight));
      expect(measured(broken)).toHaveLength(30);
      const prefix = config.source.hooks.length > 1 ? "blocks.0.mlp.hook_post_" : "";
      const figure = config.grid ? `${prefix}k-2/metrics/l0` : "metrics/l0";
      const told = scalarsOf(readEventFolder(broken.file("tensorboard")), figure);
      expect(told).toEqual(measured(broken).map((row, i) => [i + 1, Math.fround((row as SaeRow)[figure]!)]));
      expect(results.every(({ fve, l0 }) => Number.isFinite(fve) && l0 > 0)).toBe(true);
    }
  }, 120_000);

  it("trains at several hooks of one pass what each hook alone would give, and says in each file whose it is", async () => {
    for (const config of [
      configOf("default", { ...small, "source.checkpoint": checkpoint, "data.storage": "f16" }),
      configOf("notebook", { steps: 5, "data.sequences": 8, "data.batchSequences": 3, "source.checkpoint": checkpoint }),
    ]) {
      const at = (own: readonly string[]): SaeRunConfig => ({ ...config, source: { ...config.source, hooks: own } });
      const together = await trainOn(await newRun("both"), { config: at(hooks) });
      expect(together.map(({ name, hook }) => [name, hook])).toEqual(hooks.map((hook) => [hook, hook]));
      for (const [i, hook] of hooks.entries()) {
        const [alone] = await trainOn(await newRun("alone"), { config: at([hook]) });
        const [own, other] = [unseal(readFileSync(together[i]!.path)), unseal(readFileSync(alone!.path))];
        expect([...own.tensors]).toEqual([...other.tensors]);
        expect(JSON.parse(own.metadata.origin!)).toMatchObject({ hook, trainedBy: expect.stringMatching(/^both-/) });
      }
    }
  }, 60_000);

  it("refuses one hook under two names, and halves of an odd width", async () => {
    const options = { say: () => {}, signal: new AbortController().signal };
    const twice = configOf("default", { ...small, "source.checkpoint": checkpoint, "source.hooks": [hooks[0], "transformer.h.0.mlp"] });
    await expect(liveSource(twice, options)).rejects.toThrow(
      "Expected source.hooks that differ but found transformer.h.0.mlp, which is blocks.0.hook_mlp_out again",
    );
    const odd = await makeRunFolder(join(folder.path, "odd"), { config: miniConfig({ "model.nHead": 1, "model.nEmbd": 7 }), device });
    await trainMini(miniConfig({ steps: 1, "model.nHead": 1, "model.nEmbd": 7 }), { device, folder: odd });
    await odd.release();
    const halves = configOf("default", {
      ...{ ...small, "source.checkpoint": odd.file("checkpoints/last.safetensors"), "data.storage": "f16" },
    });
    await expect(liveSource(halves, options)).rejects.toThrow(
      "Expected data.storage f32 for rows of an odd width, such as the 7 of blocks.0.hook_mlp_out, but found f16",
    );
  }, 60_000);

  it("keeps each autoencoder's figures under SAELens' names, behind its own where there are several", () => {
    const row = measured({ file: (name: string) => join(folder.path, "saes/straight-007", name) } as RunFolder)[0]!;
    for (const name of ["k-1", "k-2"])
      for (const figure of ["losses/overall_loss", "losses/mse_loss", "metrics/l0", "metrics/explained_variance", "sparsity/dead_features"])
        expect(row).toHaveProperty([`${name}/${figure}`]);
    expect(row).toMatchObject({ step: 1, "details/n_training_samples": 12 });
  });

  it("stops at a loss that is not finite, says so, and keeps what was saved before", async () => {
    const run = await newRun("wild");
    const config = configOf("default", {
      ...small,
      "source.activations": cache,
      "training.lr": 1e30,
      "training.warmupSteps": 0,
      "training.maxGradNorm": null,
    });
    await expect(trainOn(run, { config })).rejects.toThrow(
      /^Expected .*finite.* but found .* at step \d+; a lower training\.lr .*; step \d+ is saved in /,
    );
    expect(JSON.parse(readFileSync(run.file("status.json"), "utf8"))).toMatchObject({ state: "failed" });
  });

  it("knows other numbers in the place of its cache, though everything else of them is the same", async () => {
    const subject = await openModelWithData({ runs: "", checkpoint });
    const write = async (storage: "f32" | "f16"): Promise<string> => {
      const out = join(folder.path, "again");
      rmSync(out, { recursive: true, force: true });
      const what = { split: "train", tokens: ["theta", "radius"], rowsPerShard: 100, storage, chunk: 4, sequences: 10 } as const;
      const { signal } = new AbortController();
      await cacheActivations(subject, { ...what, hooks: ["blocks.0.hook_mlp_out"], out, signal, onSequence: () => {} });
      return out;
    };
    const config = configOf("default", { ...small, steps: 4, "source.activations": await write("f32") });
    const run = await newRun("cached");
    await expect(trainOn(run, { config, stopAt: 3 })).rejects.toMatchObject({ exitCode: 130 });
    const { hash } = await cachedSource(config);
    await write("f16");
    expect((await cachedSource(config)).hash).not.toBe(hash);
    await expect(trainOn(run, { config })).rejects.toThrow("found none that can be used");
    await write("f32");
    expect((await cachedSource(config)).hash).toBe(hash);
    await trainOn(run, { config });
  }, 60_000);

  it("refuses the checkpoint of another configuration", async () => {
    const run = await newRun("other");
    const config = configOf("default", { ...small, steps: 4, "source.activations": cache });
    await trainOn(run, { config });
    await expect(trainOn(run, { config: { ...config, seed: 9 } })).rejects.toThrow("found none that can be used");
  });
});
