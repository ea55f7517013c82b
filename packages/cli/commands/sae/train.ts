import { join, relative, resolve } from "node:path";
import { presetNames } from "@cursive/sae";
import type { Device } from "@cursive/tensor";
import { type Command, InvalidArgumentError, Option } from "commander";
import { fromText, type Override, parseSetting } from "../../config/overrides.ts";
import { describeChanges } from "../../config/resolve.ts";
import { UsageError } from "../../errors.ts";
import { describeEnvironment } from "../../run/environment.ts";
import { findCheckpoint } from "../../run/find_model.ts";
import { findRun } from "../../run/find_run.ts";
import { type Interruption, listenForInterrupt } from "../../run/interrupt.ts";
import { noteResumption } from "../../run/resumption.ts";
import { RunFolder } from "../../run/run_folder.ts";
import { readStatus, statusNow } from "../../run/status.ts";
import { gridMembers } from "../../sae/grid.ts";
import { type ResolvedSaeConfig, readSaeConfigFile, resolveSaeConfig } from "../../sae/resolve_sae_config.ts";
import type { SaeRunConfig } from "../../sae/sae_config.ts";
import { saeKeys } from "../../sae/sae_schema.ts";
import { cachedSource, liveSource, type SaeSource } from "../../sae/sae_source.ts";
import { buildSaeTrainer, lastSteps, type TrainedSae, trainSaeRun } from "../../sae/train_sae_run.ts";
import { Output } from "../../terminal/output.ts";
import { clock, megabytes } from "../../terminal/progress.ts";
import { table } from "../../terminal/table.ts";
import { openTunedDevice } from "../../tuning/tuning_file.ts";
import { addFeaturePages } from "./features.ts";

/** Options that say what autoencoders are trained, as commander gives them. */
export interface SaeConfigFlags {
  readonly runs: string;
  readonly run?: string;
  readonly which?: "best" | "last";
  readonly checkpoint?: string;
  readonly activations?: string;
  readonly preset?: "default" | "notebook";
  readonly config?: string;
  readonly set?: readonly string[];
  readonly grid?: readonly string[];
  readonly rows?: number;
  readonly [shorthand: string]: unknown;
}

interface SaeTrainFlags extends SaeConfigFlags {
  readonly name?: string;
  readonly resume?: true | string;
  readonly dryRun?: true;
  readonly features: boolean;
  readonly json?: true;
  readonly quiet?: true;
}

/** Flags that stand for a `--set`. */
const shorthands = [
  { flag: "--hook", hint: "<names>", path: "source.hooks" },
  { flag: "--data", hint: "<file>", path: "source.data" },
  { flag: "--architecture", hint: "<name>", path: "sae.architecture" },
  { flag: "--expansion", hint: "<n>", path: "sae.expansion" },
  { flag: "--k", hint: "<n>", path: "sae.k" },
  { flag: "--l1", hint: "<weight>", path: "sae.l1Coefficient" },
  { flag: "--steps", hint: "<n>", path: "steps" },
  { flag: "--batch-rows", hint: "<n>", path: "data.batchRows" },
  { flag: "--tokens", hint: "<kinds>", path: "data.tokens" },
  { flag: "--lr", hint: "<rate>", path: "training.lr" },
  { flag: "--seed", hint: "<n>", path: "seed" },
] as const;

/** `sae train`: trains sparse autoencoders and leaves a run folder with metrics, checkpoints and the autoencoders. */
export function addSaeTrainCommand(sae: Command): void {
  const command = sae
    .command("train")
    .description("Train sparse autoencoders on the activations of a trained model; they go into a new folder under runs/saes.");
  addSaeConfigOptions(command);
  command
    .option("--rows <n>", "rows to train on in all, instead of --steps", wholeNumber)
    .option("--resume [run]", "go on with autoencoders where they were saved: a name, a number, a folder, or last")
    .option("--runs <folder>", "where run folders are; those of autoencoders are made in saes/ there", "runs")
    .option("--name <name>", "name of the new folder, a number is added (default: the preset's)", folderName)
    .option("--no-features", "leave out the pages of features that a single autoencoder gets at the end")
    .option("--dry-run", "say what would be trained and the memory it takes, and train nothing")
    .option("--json", "one JSON object a line on standard output; text for people goes to standard error")
    .option("--quiet", "nothing but errors")
    .addHelpText("after", examples)
    .action(async (flags: SaeTrainFlags) => {
      const output = new Output(flags);
      if (flags.resume !== undefined) await resume(flags, output);
      else await start(await saeConfigFromFlags(flags), { flags, output });
    });
}

/** Adds the options by which a command is told what autoencoders are trained on what, all but `--runs`. */
export function addSaeConfigOptions(command: Command, { without = [] }: { readonly without?: readonly string[] } = {}): void {
  command
    .option("--run <run>", "whose model: a name, a number, a folder, or last (default: last)")
    .addOption(
      new Option("--which <checkpoint>", "its best or its last checkpoint (default: the best, where there is one)").choices([
        "best",
        "last",
      ]),
    )
    .option("--checkpoint <file>", "a checkpoint's file instead of a run")
    .option("--activations <folder>", "activations that `activations cache` wrote, instead of a model")
    .addOption(new Option("--preset <name>", 'where the configuration starts (default: "default")').choices([...presetNames]))
    .option("--config <file>", "a JSON file with values that differ from the preset's")
    .option("--set <key=value>", "change one value, such as sae.k=4; may be repeated", collect)
    .option("--grid <key=values>", "an autoencoder for each value, such as k=4,8,16; may be repeated for combinations", collect);
  for (const { flag, hint, path } of shorthands) {
    if (without.includes(flag)) continue;
    command.option(`${flag} ${hint}`, saeKeys.at(path)!.doc, (given) =>
      asArgument(() => fromText(path, { given, from: flag, keys: saeKeys })),
    );
  }
}

const examples = `
What is trained is a configuration: a preset, over it --config, over this --set, over this the other flags. Every loss is printed with
its units before the first step. Ctrl-C saves and stops, twice stops at once.

Presets: default, TopK on mixed ink; notebook, the notebook this project grew from, with its faults.

Examples:
  pnpm cli sae train                                     on the first MLP of the last run's model, with a page for each feature
  pnpm cli sae train --hook blocks.1.hook_resid_post     at another place
  pnpm cli sae train --hook blocks.0.hook_mlp_out,blocks.1.hook_mlp_out    at two, in one pass of the model
  pnpm cli sae train --grid k=4,8,16                     three autoencoders on one stream
  pnpm cli sae train --architecture standard --grid l1Coefficient=1,5,20 --grid seed=0,1
  pnpm cli sae train --preset notebook --steps 200       as the notebook does it
  pnpm cli sae train --activations cache --steps 2000    on cached activations, without the model
  pnpm cli sae train --resume                            go on with the last, bit for bit as if it had not stopped`;

/** The configuration that flags ask for, with the model's checkpoint in it. @throws UsageError for what cannot be meant. */
export async function saeConfigFromFlags(flags: SaeConfigFlags): Promise<ResolvedSaeConfig> {
  const file = flags.config === undefined ? undefined : await readSaeConfigFile(flags.config);
  const preset = flags.preset ?? file?.preset ?? "default";
  const overrides = [...(file?.overrides ?? []), ...(flags.set ?? []).map((setting) => parseSetting(setting, saeKeys))];
  for (const { flag } of shorthands) {
    const override = flags[camelCase(flag)] as Override | undefined;
    if (override) overrides.push(override);
  }
  if (flags.grid) overrides.push({ path: "grid", value: flags.grid, from: "--grid" });
  if (flags.rows !== undefined) overrides.push(stepsFor(flags.rows, { flags, config: resolveSaeConfig(preset, overrides).config }));
  const source = await sourceOverride(flags, overrides);
  const { config, changes } = resolveSaeConfig(preset, [...overrides.map(absolute), ...source]);
  gridMembers(config); // refuses what is wrong with the grid before anything is opened
  return { config, changes: changes.filter(({ path }) => path !== "source.checkpoint" && path !== "source.activations") };
}

/** The steps that a number of rows takes. */
function stepsFor(rows: number, { flags, config }: { flags: SaeConfigFlags; config: SaeRunConfig }): Override {
  if (flags.steps !== undefined) throw new UsageError("Expected either --steps or --rows but found both");
  const { batchRows } = config.data;
  if (batchRows === null) throw new UsageError("Expected --steps where a step takes whole sequences but found --rows");
  return { path: "steps", value: Math.ceil(rows / batchRows), from: "--rows" };
}

/** Where activations come from: flags say so, else the configuration file, else it is the last run. */
async function sourceOverride(flags: SaeConfigFlags, overrides: readonly Override[]): Promise<Override[]> {
  const { runs, run, which, checkpoint, activations } = flags;
  const asked = { run, which, checkpoint };
  const model = Object.entries(asked).find(([, value]) => value !== undefined)?.[0];
  if (activations !== undefined) {
    const stray = [model, "hook", "data"].find((name) => name !== undefined && flags[name] !== undefined);
    if (stray !== undefined)
      throw new UsageError(`Expected no --${stray} with --activations but found it: they are of one hook of one model`);
    return [
      { path: "source.activations", value: resolve(activations), from: "--activations" },
      { path: "source.checkpoint", value: null, from: "--activations" },
    ];
  }
  const isSaid = overrides.some(({ path, value }) => value !== null && (path === "source.checkpoint" || path === "source.activations"));
  if (isSaid && model === undefined) return [];
  const found = await findCheckpoint({ runs, ...asked });
  return [
    { path: "source.checkpoint", value: found.path, from: "--run" },
    { path: "source.activations", value: null, from: "--run" },
  ];
}

/** A run must find its files again, from wherever it is resumed. */
function absolute(override: Override): Override {
  const isFile = ["source.data", "source.checkpoint", "source.activations"].includes(override.path) && override.value !== null;
  return isFile ? { ...override, value: resolve(override.value as string) } : override;
}

/** Trains in a new folder, or only says what would be trained. */
async function start({ config, changes }: ResolvedSaeConfig, { flags, output }: { flags: SaeTrainFlags; output: Output }): Promise<void> {
  output.say(`config   preset ${config.preset}${changes.length > 0 ? ", changed:" : ""}`);
  for (const line of describeChanges(changes)) output.say(`           ${line}`);
  const trained = await withDevice(output, async (device, interruption) => {
    const source = await openSource(config, { output, signal: interruption.signal });
    if (flags.dryRun) {
      await dryRun(config, { source, device, output });
      return undefined;
    }
    const environment = await describeEnvironment(device, { seed: config.seed, dataHash: source.hash });
    const files = {
      "config.json": json(config),
      "env.json": json(environment),
      "status.json": statusNow({ state: "running", step: 0, steps: config.steps }),
    };
    let folder: RunFolder | undefined;
    const open = async (): Promise<RunFolder> => {
      folder = await RunFolder.create(join(resolve(flags.runs), "saes"), { name: flags.name ?? config.preset, files });
      output.event("start", { run: folder.name, path: folder.path, config, changes, environment });
      return folder;
    };
    return train(config, { source, device, output, interruption, open }).finally(() => folder?.release());
  });
  if (flags.features && trained?.isAlone) await addFeaturePages(trained.folder, output);
}

/** Goes on with a run. */
async function resume(flags: SaeTrainFlags, output: Output): Promise<void> {
  const own = ["run", "which", "checkpoint", "activations", "preset", "config", "set", "grid", "rows", "name", "dryRun"];
  const stray = [...own, ...shorthands.map(({ flag }) => camelCase(flag))].find((name) => flags[name] !== undefined);
  if (stray !== undefined) {
    const flag = stray.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    throw new UsageError(
      `Expected no --${flag} with --resume but found it: autoencoders go on with their own configuration; start new ones to change it`,
    );
  }
  const run = await findRun(join(resolve(flags.runs), "saes"), flags.resume === true ? "last" : flags.resume!);
  const folder = await RunFolder.open(run.path);
  let trained: Trained;
  try {
    const saved = await readSaeConfigFile(folder.file("config.json"));
    const { config } = resolveSaeConfig(saved.preset ?? "default", saved.overrides);
    const status = await readStatus(run.path);
    if (status?.state === "finished") {
      output.say(`${run.name} has finished: ${status.step} steps`);
      return;
    }
    trained = await withDevice(output, async (device, interruption) => {
      const source = await openSource(config, { output, signal: interruption.signal });
      const same = {
        dataHash: source.hash,
        data: "activations",
        hint: "the model's checkpoint, its words or the cache have changed since",
      };
      await noteResumption(folder, { device, step: status?.step ?? 0, ...same, warn: (text) => output.warn(text) });
      output.event("resume", { run: folder.name, path: folder.path, config });
      return train(config, { source, device, output, interruption, open: async () => folder });
    });
  } finally {
    await folder.release();
  }
  if (flags.features && trained.isAlone) await addFeaturePages(trained.folder, output);
}

async function withDevice<T>(output: Output, work: (device: Device, interruption: Interruption) => Promise<T>): Promise<T> {
  using device = await openTunedDevice();
  const interruption = listenForInterrupt((text) => output.warn(text));
  try {
    return await work(device, interruption);
  } finally {
    output.endProgress();
    interruption.stop();
  }
}

/** The activations that a configuration names. */
export async function openSource(config: SaeRunConfig, { output, signal }: { output: Output; signal: AbortSignal }): Promise<SaeSource> {
  const say = (text: string): void => output.progress(text);
  return config.source.activations === null ? liveSource(config, { say, signal }) : cachedSource(config);
}

interface TrainAbout {
  readonly source: SaeSource;
  readonly device: Device;
  readonly output: Output;
  readonly interruption: Interruption;
  /** The folder, once nothing can be refused any more. */
  readonly open: () => Promise<RunFolder>;
}

/** What was trained, and where. */
interface Trained {
  readonly folder: string;
  readonly isAlone: boolean;
}

async function train(config: SaeRunConfig, { source, device, output, interruption, open }: TrainAbout): Promise<Trained> {
  const began = performance.now();
  const stream = await source.open();
  const trainer = await buildSaeTrainer(config, { source, stream, output });
  output.endProgress();
  describe(trainer.describe({ batchRows: source.batchRows }), { source, device, output });
  const folder = await open();
  output.say(`run      ${folder.path}`);
  const results = await trainSaeRun({ config, source, trainer, folder, output, signal: interruption.signal });
  const seconds = (performance.now() - began) / 1000;
  output.event("end", { state: "finished", step: trainer.step, seconds });
  output.say(`done     ${trainer.step} steps in ${clock(seconds)}; means over the last ${lastSteps(config.steps)}:`);
  output.say(table(resultRows(results)));
  if (results.length > 1)
    output.say(
      `next     pnpm cli sae features ${relative("", folder.path)} --name ${results[0]!.name} makes pages of what each feature is about`,
    );
  return { folder: folder.path, isAlone: results.length === 1 };
}

function describe(lines: readonly string[], { source, device, output }: Pick<TrainAbout, "source" | "device" | "output">): void {
  output.say(`adapter  ${device.name}${device.isSoftware ? " (software)" : ""}`);
  for (const line of source.lines) output.say(line);
  for (const line of lines) output.say(`  ${line}`);
}

function resultRows(results: readonly TrainedSae[]): string[][] {
  return [
    ["", "FVE", "L0", "‖x̂ − x‖²", "dead", "latents", "file"],
    ...results.map(({ name, path, latents, l0, fve, mse, dead }) => [
      ...[name, fve.toFixed(4), l0.toFixed(2), mse.toPrecision(4), String(dead), String(latents), path],
    ]),
  ];
}

/** Says what would be trained. */
async function dryRun(config: SaeRunConfig, about: { source: SaeSource; device: Device; output: Output }): Promise<void> {
  const { source, device, output } = about;
  const nothing = { next: async (): Promise<IteratorResult<never>> => ({ done: true, value: undefined }) };
  const trainer = await buildSaeTrainer(config, { source, stream: nothing, output });
  const lines = trainer.describe({ batchRows: source.batchRows });
  const { dispatches, bytes } = await trainer.prepare({ batchRows: source.batchRows });
  output.endProgress();
  const parameters = trainer.members.reduce((sum, { sae }) => sum + sae.parameterCount(), 0);
  const width = source.sites.reduce((sum, site) => sum + site.width, 0);
  const buffer = (config.data.storage === "f16" ? 2 : 4) * width * (config.data.bufferRows ?? 0);
  const memory = { parameters: 16 * parameters, step: bytes, buffer, total: 16 * parameters + bytes + 2 * buffer };
  describe(lines, about);
  output.result(
    {
      event: "estimate",
      config,
      adapter: device.name,
      parameters,
      batchRows: source.batchRows,
      dispatches,
      bytes: memory,
      settings: lines,
    },
    `memory   ${megabytes(memory.total)}: parameters, gradients and moments ${megabytes(memory.parameters)}, a captured step ${megabytes(bytes)} ` +
      `(${dispatches} dispatches), the mixing buffer twice ${megabytes(buffer)}`,
  );
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function collect(given: string, before: readonly string[] = []): string[] {
  return [...before, given];
}

function camelCase(flag: string): string {
  return flag.slice(2).replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

function asArgument(read: () => Override): Override {
  try {
    return read();
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

function wholeNumber(given: string): number {
  if (!/^[1-9]\d{0,14}$/.test(given)) throw new InvalidArgumentError(`Expected a whole number from 1 but found "${given}".`);
  return Number(given);
}

function folderName(given: string): string {
  if (!/^[\w][\w.-]*$/.test(given))
    throw new InvalidArgumentError(`Expected a name of letters, digits, ".", "_" and "-" but found "${given}".`);
  return given;
}
