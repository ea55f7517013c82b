import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Device } from "@cursive/tensor";
import { resolveConfig } from "../config/resolve.ts";
import type { RunConfig } from "../config/run_config.ts";
import { decodeCheckpoint, hashState } from "../run/checkpoint.ts";
import { openData } from "../run/data.ts";
import { describeEnvironment } from "../run/environment.ts";
import { RunFolder } from "../run/run_folder.ts";
import { statusNow } from "../run/status.ts";
import { type TrainRunOptions, type TrainRunResult, trainRun } from "../run/train_run.ts";
import { Output } from "../terminal/output.ts";

/** A run so small that its steps take milliseconds: what differs from the preset tiny, as a configuration file has it. */
export const miniValues: object = {
  steps: 12,
  data: { words: 40, characters: "aeinst", letters: [1, 2], maxLength: 16, contextLength: 4 },
  model: { nLayer: 1, nHead: 1, nEmbd: 8 },
  training: { batchSize: 2, lr: 0.02, schedule: { stepSize: 5, gamma: 0.9 }, evaluateEvery: 6, evaluation: { batches: 1, batchSize: 2 } },
  checkpoints: { everySteps: 4, everySeconds: null },
  samples: { texts: ["at"], early: false },
};

/** The configuration of {@link miniValues}, with other values at dotted paths. */
export function miniConfig(values: Readonly<Record<string, unknown>> = {}): RunConfig {
  const flat = (section: object, prefix: string): [string, unknown][] =>
    Object.entries(section).flatMap(([key, value]) =>
      typeof value === "object" && value !== null && !Array.isArray(value) ? flat(value, `${prefix}${key}.`) : [[prefix + key, value]],
    );
  const all = { ...Object.fromEntries(flat(miniValues, "")), ...values };
  return resolveConfig(
    "tiny",
    Object.entries(all).map(([path, value]) => ({ path, value, from: "test" })),
  ).config;
}

/** See {@link temporaryFolder}. */
export interface TemporaryFolder extends Disposable {
  readonly path: string;
  readonly config: string;
}

/** A folder that is removed at the end of the scope, and a configuration file of {@link miniValues} in it. */
export function temporaryFolder(): TemporaryFolder {
  const path = mkdtempSync(join(tmpdir(), "cursive-cli-"));
  const config = join(path, "mini.json");
  writeFileSync(config, JSON.stringify(miniValues));
  return { path, config, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** A new folder for a run, as `train` makes it. */
export async function makeRunFolder(parent: string, { config, device }: { config: RunConfig; device: Device }): Promise<RunFolder> {
  const { hash } = await openData(config);
  const environment = await describeEnvironment(device, { seed: config.seed, dataHash: hash });
  const files = {
    "config.json": JSON.stringify(config),
    "env.json": JSON.stringify(environment),
    "status.json": statusNow({ state: "running", step: 0, steps: config.steps }),
  };
  return RunFolder.create(parent, { name: "mini", files });
}

/** Trains in this process, silently. */
export async function trainMini(
  config: RunConfig,
  options: { device: Device; folder: RunFolder } & Partial<Pick<TrainRunOptions, "signal" | "afterStep" | "output">>,
): Promise<TrainRunResult> {
  const data = await openData(config);
  const { signal = new AbortController().signal, output = new Output({ quiet: true }) } = options;
  return trainRun({ config, data, ...options, output, signal });
}

/** The checksum of everything that a run's last checkpoint holds: parameters, moments, counts. */
export function lastStateHash(run: string): string {
  return hashState(decodeCheckpoint(readFileSync(join(run, "checkpoints/last.safetensors")), {}));
}
