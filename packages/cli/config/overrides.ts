import { nearest } from "@cursive/tensor";
import { UsageError } from "../errors.ts";
import { quoted, readText } from "./field.ts";
import { runKeys } from "./run_schema.ts";
import { isField, type SchemaKeys } from "./schema_keys.ts";

/** One value that takes the place of a preset's. */
export interface Override {
  /** Dotted: `training.lr`. */
  readonly path: string;
  readonly value: unknown;
  /** Who says so: a file's name, `--set`, or a flag such as `--lr`. */
  readonly from: string;
}

/** What a configuration's JSON sets, and everything that is wrong with it, a line each. */
export interface CheckedValues {
  readonly overrides: readonly Override[];
  readonly problems: readonly string[];
}

/** Takes a configuration's JSON apart, which may leave out whatever its preset has. `keys` are those of a model's run unless given. */
export function checkValues(json: unknown, about: { readonly from: string; readonly keys?: SchemaKeys }): CheckedValues {
  const { from, keys = runKeys } = about;
  const overrides: Override[] = [];
  const problems: string[] = [];
  const walk = (value: unknown, schema: object, prefix: string): void => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      problems.push(`Expected ${prefix === "" ? "a configuration" : prefix.slice(0, -1)} to be a JSON object but found ${quoted(value)}`);
      return;
    }
    for (const [key, inner] of Object.entries(value)) {
      const path = prefix + key;
      const entry = Object.hasOwn(schema, key) ? (schema as Record<string, object>)[key]! : undefined;
      if (!entry) problems.push(unknownKey(path, keys));
      else if (!isField(entry)) walk(inner, entry, `${path}.`);
      else if (!entry.accepts(inner)) problems.push(`Expected ${path} to be ${entry.expects} but found ${quoted(inner)}`);
      else overrides.push({ path, value: inner, from });
    }
  };
  walk(json, keys.schema, "");
  return { overrides, problems };
}

/** Reads `key=value` as `--set` takes it. @throws UsageError for an unknown key or a value that its field refuses. */
export function parseSetting(setting: string, keys: SchemaKeys = runKeys): Override {
  const at = setting.indexOf("=");
  if (at < 1) throw new UsageError(`Expected --set key=value, such as --set training.lr=0.01, but found ${quoted(setting)}`);
  return fromText(setting.slice(0, at).trim(), { given: setting.slice(at + 1), from: "--set", keys });
}

/** A value from the command line. @throws UsageError as {@link parseSetting}. */
export function fromText(path: string, about: { readonly given: string; readonly from: string; readonly keys?: SchemaKeys }): Override {
  const { given, from, keys = runKeys } = about;
  const field = keys.at(path);
  if (!field) throw new UsageError(unknownKey(path, keys));
  const value = readText(field, given);
  if (!field.accepts(value))
    throw new UsageError(`Expected ${from === "--set" ? path : from} to be ${field.expects} but found ${quoted(given)}`);
  return { path, value, from };
}

function unknownKey(path: string, keys: SchemaKeys): string {
  const section = keys.fields.filter((named) => named.path.startsWith(`${path}.`)).map((named) => named.path);
  if (section.length > 0) return `Expected a single value's key but found the section ${quoted(path)}: it has ${section.join(", ")}`;
  return `Expected a key of the configuration but found ${quoted(path)}: the nearest is ${nearestKey(path, keys)}`;
}

/**
 * The key that was probably meant: the same name in another section, a key whose description has the words (`learningRate`, `dropout_rate`), or
 * the name most like it.
 */
export function nearestKey(path: string, { fields, schema }: SchemaKeys = runKeys): string {
  const plain = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, "");
  const last = (dotted: string): string => dotted.split(".").at(-1)!;
  const asked = plain(last(path));
  const bySameName = fields.find((named) => plain(last(named.path)) === asked);
  const byDescription = asked.length > 3 ? fields.find((named) => plain(named.field.doc).includes(asked)) : undefined;
  const found = (bySameName ?? byDescription)?.path;
  if (found !== undefined) return found;
  const section = path.slice(0, path.lastIndexOf(".") + 1);
  const inSection = fields.filter((named) => section !== "" && named.path.startsWith(section));
  if (inSection.length > 0)
    return nearest(
      path,
      inSection.map((named) => named.path),
      1,
    )[0]!;
  const places = new Map([
    ...fields.map((named) => [last(named.path), named.path] as const),
    ...Object.keys(schema).map((key) => [key, key] as const),
  ]);
  return places.get(nearest(last(path), [...places.keys()], 1)[0]!)!;
}
