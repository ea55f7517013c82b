import { resolve } from "node:path";
import type { Device } from "@cursive/tensor";
import { type Command, InvalidArgumentError } from "commander";
import { addConfigOptions, type ConfigFlags, configFlagNames, configFromFlags } from "../config/config_options.ts";
import type { Override } from "../config/overrides.ts";
import { describeChanges, type ResolvedConfig, readConfigFile, resolveConfig } from "../config/resolve.ts";
import type { RunConfig } from "../config/run_config.ts";
import { UsageError } from "../errors.ts";
import { openData, type RunData } from "../run/data.ts";
import { describeEnvironment } from "../run/environment.ts";
import { type Estimate, estimateRun } from "../run/estimate.ts";
import { findRun } from "../run/find_run.ts";
import { listenForInterrupt } from "../run/interrupt.ts";
import { noteResumption } from "../run/resumption.ts";
import { RunFolder } from "../run/run_folder.ts";
import { readStatus, statusNow } from "../run/status.ts";
import { trainRun } from "../run/train_run.ts";
import { Output } from "../terminal/output.ts";
import { clock, megabytes } from "../terminal/progress.ts";
import { openTunedDevice } from "../tuning/tuning_file.ts";

interface TrainFlags extends ConfigFlags {
  readonly runs: string;
  readonly name?: string;
  readonly resume?: true | string;
  readonly dryRun?: true;
  readonly timedSteps: number;
  readonly json?: true;
  readonly quiet?: true;
}

/** `train`: trains a model and leaves a run folder with metrics, checkpoints and pictures. */
export function addTrainCommand(program: Command): void {
  const command = program
    .command("train")
    .description("Train a handwriting transformer; metrics, checkpoints and pictures of what it writes go into a new folder.");
  addConfigOptions(command)
    .option("--resume [run]", "go on with a run where it was saved: a name, a number, a folder, or last")
    .option("--runs <folder>", "where run folders are made", "runs")
    .option("--name <name>", "name of the run folder, a number is added (default: the preset's)", folderName)
    .option("--dry-run", "say what the run would take in parameters and memory, and train nothing")
    .option("--timed-steps <n>", "with --dry-run: take some steps, to estimate the time", wholeNumber, 0)
    .option("--json", "one JSON object a line on standard output; text for people goes to standard error")
    .option("--quiet", "nothing but errors")
    .addHelpText("after", examples)
    .action(async (flags: TrainFlags) => {
      const output = new Output(flags);
      if (flags.resume !== undefined) await resume(flags, output);
      else if (flags.dryRun) await dryRun(await configFromFlags(flags), { output, timedSteps: flags.timedSteps });
      else await start(await configFromFlags(flags), { flags, output });
    });
}

const examples = `
What a run does is its configuration: a preset, over it --config, over this --set, over this the other flags.
\`config ls\` lists presets and keys, \`config show\` the whole of one. Ctrl-C saves and stops, twice stops at once.

Examples:
  pnpm cli train                                  a small model on built-in cursive, minutes on two CPU cores
  pnpm cli train --data bigbank.json.zip          the same on a word bank of your own
  pnpm cli train --preset reference --dry-run     what the PyTorch original's configuration would take
  pnpm cli train --set model.nLayer=4 --lr 3e-3   a preset with other values
  pnpm cli train --config mine.json --name wide   values from a file, in runs/wide-001 or the next free number
  pnpm cli train --resume                         go on with the last run, bit for bit as if it had not stopped
  pnpm cli train --resume 7 --steps 6000          go on with run 7, and longer
  pnpm cli train --json | jq .loss                for programs`;

/** Trains in a new folder. */
async function start(resolved: ResolvedConfig, { flags, output }: { flags: TrainFlags; output: Output }): Promise<void> {
  const { config, changes } = resolved;
  output.say(`config   preset ${config.preset}${changes.length > 0 ? ", changed:" : ""}`);
  for (const line of describeChanges(changes)) output.say(`           ${line}`);
  const data = await openData(config);
  const device = await openTunedDevice();
  const environment = await describeEnvironment(device, { seed: config.seed, dataHash: data.hash });
  const files = {
    "config.json": json(config),
    "env.json": json(environment),
    "status.json": statusNow({ state: "running", step: 0, steps: config.steps }),
  };
  const folder = await RunFolder.create(resolve(flags.runs), { name: flags.name ?? config.preset, files });
  output.event("start", { run: folder.name, path: folder.path, config, changes, environment });
  try {
    await train(config, { data, device, folder, output });
  } finally {
    await folder.release();
  }
}

/** Goes on with a run. */
async function resume(flags: TrainFlags, output: Output): Promise<void> {
  const stray = [...configFlagNames.filter((name) => name !== "steps"), "name", "dryRun"].find((name) => flags[name] !== undefined);
  if (stray !== undefined) {
    throw new UsageError(
      `Expected no --${kebabCase(stray)} with --resume but found it: a run goes on with its own configuration; start a new one to change it`,
    );
  }
  const run = await findRun(resolve(flags.runs), flags.resume === true ? "last" : flags.resume!);
  const folder = await RunFolder.open(run.path);
  try {
    const saved = await readConfigFile(folder.file("config.json"));
    const steps = flags.steps as Override | undefined;
    const { config } = resolveConfig(saved.preset ?? "tiny", [...saved.overrides, ...(steps ? [steps] : [])]);
    const status = await readStatus(run.path);
    if (status && config.steps < status.step)
      throw new UsageError(`Expected --steps from ${status.step}, which run ${run.name} has taken, but found ${config.steps}`);
    if (status?.state === "finished" && status.step === config.steps) {
      output.say(`${run.name} has finished: ${status.step} steps; \`--steps N\` makes it go on`);
      return;
    }
    if (steps) await folder.write("config.json", json(config));
    const data = await openData(config);
    const device = await openTunedDevice();
    await noteResumption(folder, {
      device,
      step: status?.step ?? 0,
      dataHash: data.hash,
      data: "words",
      hint: "its word bank has changed since",
      warn: (text) => output.warn(text),
    });
    output.event("resume", { run: folder.name, path: folder.path, config });
    await train(config, { data, device, folder, output });
  } finally {
    await folder.release();
  }
}

async function train(config: RunConfig, about: { data: RunData; device: Device; folder: RunFolder; output: Output }): Promise<void> {
  const { data, device, folder, output } = about;
  const interruption = listenForInterrupt((text) => output.warn(text));
  const began = performance.now();
  describe(config, about);
  output.say(`run      ${folder.path}`);
  try {
    const { step, best } = await trainRun({ config, data, device, folder, output, signal: interruption.signal });
    const seconds = (performance.now() - began) / 1000;
    output.event("end", { state: "finished", step, best, seconds });
    output.say(`done     ${step} steps in ${clock(seconds)}, best test loss ${best.toFixed(3)}`);
  } finally {
    interruption.stop();
  }
}

function describe({ data }: RunConfig, { data: { dataset }, device, output }: { data: RunData; device: Device; output: Output }): void {
  const { train, test } = dataset.words;
  output.say(`adapter  ${device.name}${device.isSoftware ? " (software)" : ""}`);
  output.say(`data     ${data.source}: ${train.length} words to train on, ${test.length} held out`);
}

/** Says what a run would take. */
async function dryRun(resolved: ResolvedConfig, { output, timedSteps }: { output: Output; timedSteps: number }): Promise<void> {
  const { config, changes } = resolved;
  const data = await openData(config);
  const device = await openTunedDevice();
  const estimate = await estimateRun(config, { data, timedSteps, say: (text) => output.progress(text) });
  output.endProgress();
  output.say(`config   preset ${config.preset}${changes.length > 0 ? ", changed:" : ""}`);
  for (const line of describeChanges(changes)) output.say(`           ${line}`);
  describe(config, { data, device, output });
  output.result({ event: "estimate", config, changes, adapter: device.name, ...estimate }, describeEstimate(config, estimate).join("\n"));
}

function describeEstimate(config: RunConfig, estimate: Estimate): string[] {
  const { bytes, parameters, tokensPerStep, dispatches, seconds, millisecondsPerStep } = estimate;
  const time =
    seconds === undefined
      ? "not timed: --timed-steps 5 takes a few steps to see"
      : `${clock(seconds)} for ${config.steps} steps of ${millisecondsPerStep!.toFixed(0)} ms, evaluations and samples not counted`;
  return [
    `model    ${parameters.toLocaleString("en")} parameters`,
    `step     ${tokensPerStep.toLocaleString("en")} tokens, ${dispatches} dispatches`,
    `memory   ${megabytes(bytes.total)}: parameters ${megabytes(bytes.parameters)}, gradients ${megabytes(bytes.gradients)}, ` +
      `moments ${megabytes(bytes.moments)}, a captured step ${megabytes(bytes.step)}, evaluations ${megabytes(bytes.evaluation)}`,
    `time     ${time}`,
  ];
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function kebabCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function folderName(given: string): string {
  if (!/^[\w][\w.-]*$/.test(given))
    throw new InvalidArgumentError(`Expected a name of letters, digits, ".", "_" and "-" but found "${given}".`);
  return given;
}

function wholeNumber(given: string): number {
  if (!/^\d{1,6}$/.test(given)) throw new InvalidArgumentError(`Expected a whole number but found "${given}".`);
  return Number(given);
}
