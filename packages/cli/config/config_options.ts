import { resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { fromText, type Override, parseSetting } from "./overrides.ts";
import { presets } from "./presets.ts";
import { type ResolvedConfig, readConfigFile, resolveConfig, valueAt } from "./resolve.ts";
import type { PresetName } from "./run_config.ts";
import { fieldAt } from "./run_schema.ts";

/** Options that configure a run, as commander gives them. */
export interface ConfigFlags {
  readonly preset?: PresetName;
  readonly config?: string;
  readonly set?: readonly string[];
  readonly [shorthand: string]: unknown;
}

/** Flags that stand for a `--set`. */
const shorthands = [
  { flag: "--data", hint: "<file>", path: "data.source", help: "train on a word bank (zip or JSON) instead of the built-in cursive" },
  {
    flag: "--bins",
    hint: "<bins>",
    path: "data.bins",
    help: "stroke bins: polar-151 and polar-220-word are the PyTorch original's two, polar-73 is coarser",
  },
  { flag: "--steps", hint: "<n>", path: "steps" },
  { flag: "--batch-size", hint: "<n>", path: "training.batchSize" },
  { flag: "--lr", hint: "<rate>", path: "training.lr" },
  { flag: "--seed", hint: "<n>", path: "seed" },
] as const;

/** Sizes that captured ink wants at least: it has longer words than the built-in hand writes for the small presets. */
const captured = { "data.maxLength": 256, "data.contextLength": 16 } as const;

/** A flag that stands for a `--set`. */
export type Shorthand = (typeof shorthands)[number]["flag"];

/**
 * Adds the options by which a command's configuration is chosen and changed.
 * @param only The shorthands that the command has a use for, with their help, or true for the usual one. Default: all.
 */
export function addConfigOptions(command: Command, only?: Readonly<Partial<Record<Shorthand, string | true>>>): Command {
  command
    .addOption(new Option("--preset <name>", 'where the configuration starts (default: "tiny")').choices(Object.keys(presets)))
    .option("--config <file>", "a JSON file with values that differ from the preset's")
    .option("--set <key=value>", "change one value, such as training.lr=0.01; may be repeated", (setting, before: string[] = []) => [
      ...before,
      setting,
    ]);
  for (const { flag, hint, path, ...about } of shorthands) {
    if (only && !(flag in only)) continue;
    const own = only?.[flag];
    const help = typeof own === "string" ? own : "help" in about ? about.help : fieldAt(path)!.doc;
    command.option(`${flag} ${hint}`, help, (given) => asArgument(() => fromText(path, { given, from: flag })));
  }
  return command;
}

/** The names under which commander gives the options of {@link addConfigOptions}. */
export const configFlagNames: readonly string[] = ["preset", "config", "set", ...shorthands.map(({ flag }) => camelCase(flag))];

/**
 * The configuration that options ask for: the preset's values, over them the file's, over these `--set`, over these the flags.
 * @throws UsageError for an unknown key or a value that does not fit.
 */
export async function configFromFlags(flags: ConfigFlags): Promise<ResolvedConfig> {
  const file = flags.config === undefined ? undefined : await readConfigFile(flags.config);
  const preset = flags.preset ?? file?.preset ?? "tiny";
  const overrides = [...(file?.overrides ?? []), ...(flags.set ?? []).map((setting) => parseSetting(setting))];
  for (const { flag } of shorthands) {
    const override = flags[camelCase(flag)] as Override | undefined;
    if (override) overrides.push(override, ...(flag === "--data" ? roomForCapturedInk(preset, overrides) : []));
  }
  return resolveConfig(preset, overrides.map(absoluteSource));
}

function roomForCapturedInk(preset: PresetName, overrides: readonly Override[]): Override[] {
  const isChosen = (path: string): boolean => overrides.some((override) => override.path === path);
  return Object.entries(captured)
    .filter(([path, least]) => !isChosen(path) && (valueAt(presets[preset].config, path) as number) < least)
    .map(([path, value]) => ({ path, value, from: "--data" }));
}

/** A run must find its word bank again, from wherever it is resumed. */
function absoluteSource(override: Override): Override {
  const { path, value } = override;
  return path === "data.source" && value !== "cursive" ? { ...override, value: resolve(value as string) } : override;
}

function asArgument(read: () => Override): Override {
  try {
    return read();
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

function camelCase(flag: string): string {
  return flag.slice(2).replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}
