import { existsSync, statSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { canTime, type Device } from "@cursive/tensor";
import { type Command, InvalidArgumentError } from "commander";
import { addConfigOptions, type ConfigFlags, configFromFlags } from "../config/config_options.ts";
import { describeChanges } from "../config/resolve.ts";
import { UsageError } from "../errors.ts";
import { chromeTrace } from "../profile/chrome_trace.ts";
import { describeProfile } from "../profile/describe_profile.ts";
import { type Profiled, profileSteps } from "../profile/profile_steps.ts";
import { buildTrainer } from "../run/build_trainer.ts";
import { openData } from "../run/data.ts";
import { buildSaeTrainer } from "../sae/train_sae_run.ts";
import { Output } from "../terminal/output.ts";
import { openTunedDevice } from "../tuning/tuning_file.ts";
import { tuningName } from "../tuning/tuning_name.ts";
import { addSaeConfigOptions, openSource, type SaeConfigFlags, saeConfigFromFlags } from "./sae/train.ts";

interface ProfileFlags {
  readonly timedSteps: number;
  readonly trace?: string;
  readonly json?: true;
}

/** `profile`: where the time of a training step goes, kernel by kernel. */
export function addProfileCommand(program: Command): void {
  const profile = program
    .command("profile")
    .description("Time training steps kernel by kernel, beside what this adapter can do. Trains a little, and keeps nothing.");
  const train = profile.command("train").description("Profile the training of a handwriting transformer.");
  addConfigOptions(train, { "--data": true, "--bins": true, "--batch-size": true, "--lr": true, "--seed": true });
  addProfileOptions(train, trainExamples).action(async (flags: ProfileFlags & ConfigFlags) => {
    const { config, changes } = await configFromFlags(flags);
    await report(flags, { what: "train", config, changes }, async ({ output }) => {
      const { dataset } = await openData(config);
      return buildTrainer(config, { dataset, onCompile: (done, total, what) => output.progress(`compiling ${what} ${done}/${total}`) });
    });
  });
  const sae = profile.command("sae").description("Profile the training of sparse autoencoders, and the model's reading that feeds it.");
  addSaeConfigOptions(sae, { without: ["--steps"] });
  sae.option("--runs <folder>", "where run folders are", "runs");
  addProfileOptions(sae, saeExamples).action(async (flags: ProfileFlags & SaeConfigFlags) => {
    const { config, changes } = await saeConfigFromFlags(flags);
    await report(flags, { what: "sae", config, changes }, async ({ output }) => {
      const source = await openSource(config, { output, signal: new AbortController().signal });
      return buildSaeTrainer(config, { source, stream: await source.open(), output });
    });
  });
}

function addProfileOptions(command: Command, examples: string): Command {
  return command
    .option("--timed-steps <n>", "steps to time as they are, and as many again launch by launch", stepCount, 5)
    .option("--trace <file>", "write everything that was timed as a Chrome trace (Perfetto, chrome://tracing)")
    .option("--json", "the profile as one JSON object on standard output; text for people goes to standard error")
    .addHelpText("after", examples);
}

const about = `
Times are the GPU's own, by timestamp queries; an adapter without them is refused (exit code 2). The roofline, a product of matrices and a
copy, is measured in the same run. docs/performance.md says what is counted, and how.
`;

const trainExamples = `${about}
Examples:
  pnpm cli profile train                                          the preset tiny
  pnpm cli profile train --preset reference --batch-size 4        the original's model, four sequences at a time
  pnpm cli profile train --trace step.json                        for ui.perfetto.dev
  pnpm --silent cli profile train --json | jq '.kernels[0]'       for programs`;

const saeExamples = `${about}
Examples:
  pnpm cli profile sae                                            on the last run's model
  pnpm cli profile sae --grid k=4,8,16 --batch-rows 4096
  pnpm cli profile sae --activations acts                         without the model`;

interface Subject {
  readonly what: "train" | "sae";
  readonly config: { readonly preset: string };
  readonly changes: Parameters<typeof describeChanges>[0];
}

async function report(
  flags: ProfileFlags,
  { what, config, changes }: Subject,
  build: (about: { readonly output: Output }) => Promise<Profiled>,
): Promise<void> {
  const output = new Output({ json: flags.json });
  const trace = flags.trace === undefined ? undefined : traceFile(flags.trace);
  using device = await openDeviceWithClock();
  output.say(`config    preset ${config.preset}${changes.length > 0 ? ", changed:" : ""}`);
  for (const line of describeChanges(changes)) output.say(`            ${line}`);
  output.say(
    `adapter   ${device.name}${device.isSoftware ? " (software)" : ""}, ${device.family} kernels${device.tuning ? `, tuned ${tuningName(device.tuning)}` : ""}`,
  );
  const trainer = await build({ output });
  const profile = await profileSteps(trainer, { device, steps: flags.timedSteps, say: (text) => output.progress(text) });
  output.endProgress();
  const { watched, ...figures } = profile;
  if (trace !== undefined) {
    await writeFile(trace, JSON.stringify(chromeTrace(watched, { adapter: device.name, profile: what, preset: config.preset })));
  }
  output.result(
    { event: "profile", what, config, changes, adapter: device.name, tuning: tuningName(device.tuning), ...figures },
    describeProfile(profile),
  );
  if (trace !== undefined) output.say(`trace     ${trace}`);
}

/** Dawn rounds timestamps to a tenth of a millisecond unless told not to: a kernel takes less. */
async function openDeviceWithClock(): Promise<Device> {
  return requireClock(await openTunedDevice({ dawn: ["disable-dawn-features=timestamp_quantization"] }));
}

/** The device, if it has a clock. @throws UsageError if not; then it is destroyed. */
export function requireClock(device: Device): Device {
  if (canTime(device)) return device;
  device.destroy();
  throw new UsageError(`Expected an adapter with timestamp queries to time kernels by but found none on ${device.name}`);
}

/** Where a trace goes. @throws UsageError for a folder that is not there: better at once than when everything has been timed. */
function traceFile(given: string): string {
  const path = resolve(given);
  if (!existsSync(dirname(path)) || (existsSync(path) && statSync(path).isDirectory()))
    throw new UsageError(`Expected a file in a folder that is there after --trace but found ${given}`);
  return path;
}

function stepCount(given: string): number {
  if (!/^[1-9]\d{0,3}$/.test(given)) throw new InvalidArgumentError(`Expected a whole number from 1 to 9999 but found "${given}".`);
  return Number(given);
}
