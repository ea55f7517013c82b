import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { cursiveCharacters, defaultAlphabet } from "@cursive/cursive-model";
import { UsageError } from "../errors.ts";
import { quoted } from "./field.ts";
import { checkValues, type Override } from "./overrides.ts";
import { presets } from "./presets.ts";
import type { PresetName, RunConfig } from "./run_config.ts";

/** The fewest words that are held out; see `splitWords`. */
const HELD_OUT = 10;

/** A value that is not the preset's any more, with everyone who had a say, the last of whom counts. */
export interface Change {
  readonly path: string;
  readonly preset: unknown;
  readonly by: readonly { readonly value: unknown; readonly from: string }[];
}

/** A whole configuration and how it came about. */
export interface ResolvedConfig {
  readonly config: RunConfig;
  readonly changes: readonly Change[];
}

/** What a configuration file says. */
export interface ConfigFile {
  readonly preset: PresetName | undefined;
  readonly overrides: readonly Override[];
}

/**
 * Applies overrides to a preset, later ones over earlier ones.
 * @throws UsageError if the values do not go together.
 */
export function resolveConfig(preset: PresetName, overrides: readonly Override[]): ResolvedConfig {
  const resolved = applyOverrides(presets[preset].config, overrides);
  const [problem] = inconsistencies(resolved.config);
  if (problem) throw new UsageError(problem);
  return resolved;
}

/** A preset's values with overrides over them, later ones over earlier ones, and what has changed. */
export function applyOverrides<C extends object>(
  preset: C,
  overrides: readonly Override[],
): { readonly config: C; readonly changes: readonly Change[] } {
  const config = structuredClone(preset);
  const changes = new Map<string, Change>();
  for (const { path, value, from } of overrides) {
    if (path === "preset") continue;
    const change = changes.get(path) ?? { path, preset: valueAt(config, path), by: [] };
    changes.set(path, { ...change, by: [...change.by, { value, from }] });
    setValue(config, path, value);
  }
  const isChanged = ({ preset: before, by }: Change): boolean => by.length > 1 || JSON.stringify(before) !== JSON.stringify(by[0]!.value);
  return { config, changes: [...changes.values()].filter(isChanged) };
}

/** Reads a configuration file. @throws UsageError that names the first thing wrong with it. */
export async function readConfigFile(path: string): Promise<ConfigFile> {
  const { problems, ...file } = await checkConfigFile(path);
  if (problems.length === 0) return file;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more: see \`config validate\`)` : "";
  throw new UsageError(`${path}: ${problems[0]}${more}`);
}

/** Reads a configuration file with everything that is wrong with it. @throws UsageError if there is no such file. */
export async function checkConfigFile(path: string): Promise<ConfigFile & { readonly problems: readonly string[] }> {
  let json: unknown;
  try {
    json = JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    if (!(error instanceof SyntaxError))
      throw new UsageError(`Expected a configuration file at ${path} but found: ${(error as Error).message}`);
    return { preset: undefined, overrides: [], problems: [`Expected JSON but found: ${error.message.replace(/\s+/g, " ")}`] };
  }
  const { overrides, problems } = checkValues(json, { from: basename(path) });
  const preset = overrides.find((override) => override.path === "preset")?.value as PresetName | undefined;
  if (problems.length > 0) return { preset, overrides, problems };
  const { config } = applyOverrides(presets[preset ?? "tiny"].config, overrides);
  return { preset, overrides, problems: inconsistencies(config) };
}

/** How a configuration came about, a line a changed value: `training.lr  0.005 → 0.02 (my.json) → 0.01 (--lr)`. */
export function describeChanges(changes: readonly Change[]): string[] {
  const width = Math.max(0, ...changes.map((change) => change.path.length));
  return changes.map(({ path, preset, by }) => {
    const steps = by.map(({ value, from }) => ` → ${quoted(value)} (${from})`);
    return `${path.padEnd(width)}  ${quoted(preset)}${steps.join("")}`;
  });
}

/** What is wrong between values that are each right by themselves. */
export function inconsistencies({ data, model, samples }: RunConfig): string[] {
  const problems: string[] = [];
  const stranger = (text: string, known: string): string | undefined => [...text].find((character) => !known.includes(character));
  if (model.nEmbd % model.nHead)
    problems.push(`Expected model.nEmbd to be a multiple of model.nHead, ${model.nHead}, but found ${model.nEmbd}`);
  if (data.letters[0] > data.letters[1]) problems.push(`Expected data.letters with the fewest first but found ${quoted(data.letters)}`);
  const unwritten = stranger(data.characters, cursiveCharacters);
  if (data.source === "cursive" && unwritten !== undefined)
    problems.push(`Expected data.characters of the built-in hand but found ${quoted(unwritten)}`);
  if (data.source === "cursive" && data.words < HELD_OUT + data.numWords)
    problems.push(`Expected data.words of at least ${HELD_OUT + data.numWords}, as ${HELD_OUT} are held out, but found ${data.words}`);
  for (const text of samples.texts) {
    const unknown = stranger(text, defaultAlphabet);
    if (unknown !== undefined)
      problems.push(`Expected samples.texts in the model's alphabet but found ${quoted(unknown)} in ${quoted(text)}`);
    if (text.length > data.contextLength)
      problems.push(`Expected samples.texts of at most ${data.contextLength} characters (data.contextLength) but found ${quoted(text)}`);
  }
  return problems;
}

/** The value at a dotted path. */
export function valueAt(config: object, path: string): unknown {
  return path.split(".").reduce((value: unknown, key) => (value as Record<string, unknown>)[key], config);
}

function setValue(config: object, path: string, value: unknown): void {
  const keys = path.split(".");
  const section = keys.slice(0, -1).reduce((inner, key) => inner[key] as Record<string, unknown>, config as Record<string, unknown>);
  section[keys.at(-1)!] = value;
}
