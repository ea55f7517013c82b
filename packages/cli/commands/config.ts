import process from "node:process";
import type { Command } from "commander";
import { addConfigOptions, type ConfigFlags, configFromFlags } from "../config/config_options.ts";
import { presets } from "../config/presets.ts";
import { checkConfigFile, describeChanges } from "../config/resolve.ts";
import type { PresetName } from "../config/run_config.ts";
import { runFields } from "../config/run_schema.ts";
import { UsageError } from "../errors.ts";
import { Output } from "../terminal/output.ts";

/** `config`: lists presets and keys, shows what a run would do, checks files. */
export function addConfigCommand(program: Command): void {
  const config = program
    .command("config")
    .description("Look at presets, and at what a configuration comes to.")
    .addHelpText("after", examples);
  config
    .command("ls")
    .description("List the presets, and all keys with what they mean.")
    .option("--json", "as JSON")
    .action((flags: { json?: true }) => list(new Output(flags)));
  addConfigOptions(
    config
      .command("show")
      .description("Print a whole configuration as JSON; standard error says what differs from its preset.")
      .argument("[preset|file]", "a preset's name or a JSON file"),
  )
    .option("--quiet", "the JSON alone")
    .action(async (asked: string | undefined, flags: ConfigFlags & { quiet?: true }) => show(asked, flags));
  config
    .command("validate")
    .description("Check a configuration file; lists everything wrong with it and exits with 2, if anything is.")
    .argument("<file>", "a JSON file")
    .option("--json", "as JSON")
    .action(async (file: string, flags: { json?: true }) => validate(file, new Output(flags)));
}

const examples = `
Examples:
  pnpm cli config ls                                   presets, and every key
  pnpm cli config show small                           the whole of a preset
  pnpm cli config show small --set training.lr=1e-3 > mine.json
  pnpm cli config validate mine.json                   is it right?
  pnpm cli train --config mine.json`;

function list(output: Output): void {
  const keys = runFields.map(({ path, field }) => ({ path, doc: field.doc, expects: field.expects }));
  const names = Object.keys(presets) as PresetName[];
  const width = Math.max(...keys.map(({ path }) => path.length));
  const text = [
    "Presets",
    ...names.map((name) => `  ${name.padEnd(width)}  ${presets[name].about}`),
    "",
    "Keys",
    ...keys.map(({ path, doc, expects }) => `  ${path.padEnd(width)}  ${doc}: ${expects}`),
  ];
  output.result({ presets, keys }, text.join("\n"));
}

async function show(asked: string | undefined, flags: ConfigFlags & { quiet?: true }): Promise<void> {
  const { config, changes } = await configFromFlags({ ...flags, ...(asked === undefined ? {} : named(asked, flags)) });
  if (!flags.quiet) {
    for (const line of describeChanges(changes)) process.stderr.write(`${line}\n`);
  }
  process.stdout.write(`${JSON.stringify(config, null, 2)}\n`);
}

/** What the argument names: a preset where there is one of that name, else a file. */
function named(asked: string, flags: ConfigFlags): ConfigFlags {
  const isPreset = Object.hasOwn(presets, asked);
  if (isPreset && flags.preset !== undefined && flags.preset !== asked)
    throw new UsageError(`Expected one preset but found ${asked} and --preset ${flags.preset}`);
  if (!isPreset && flags.config !== undefined) throw new UsageError(`Expected one file but found ${asked} and --config ${flags.config}`);
  return isPreset ? { preset: asked as PresetName } : { config: asked };
}

async function validate(file: string, output: Output): Promise<void> {
  const { problems, preset, overrides } = await checkConfigFile(file);
  const fine = `${file}: fine; ${overrides.length} values over preset ${preset ?? "tiny"}`;
  output.result({ file, problems }, problems.length > 0 ? problems.map((problem) => `${file}: ${problem}`).join("\n") : fine);
  if (problems.length > 0)
    throw new UsageError(
      `Expected a valid configuration but found ${problems.length} ${problems.length > 1 ? "faults" : "fault"} in ${file}`,
    );
}
