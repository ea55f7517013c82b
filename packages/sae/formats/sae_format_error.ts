import { SafetensorsError, TensorError, TorchFileError } from "@cursive/tensor";
import type { Json } from "../snapshot.ts";

/** A file that holds no autoencoder, a damaged one, or one that computes something that ours do not. The message is one line. */
export class SaeFormatError extends TensorError {
  override name = "SaeFormatError";
}

/** Reads with a reader of files whose own errors become {@link SaeFormatError}s. */
export function readingFile<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof SafetensorsError || error instanceof TorchFileError) throw new SaeFormatError(`${what}: ${error.message}`);
    throw error;
  }
}

/** A JSON object in a file, with checked access to its fields. */
export class JsonFields {
  readonly what: string;
  readonly fields: Readonly<Record<string, Json>>;

  /** @param what The file, or the part of it, for messages. */
  constructor(fields: Readonly<Record<string, Json>>, what: string) {
    this.fields = fields;
    this.what = what;
  }

  /** @throws {SaeFormatError} unless the bytes are a JSON object in UTF-8. */
  static parse(bytes: Uint8Array | string, what: string): JsonFields {
    try {
      const text = typeof bytes === "string" ? bytes : new TextDecoder("utf-8", { fatal: true }).decode(bytes);
      const value: unknown = JSON.parse(text);
      if (isObject(value)) return new JsonFields(value as Record<string, Json>, what);
    } catch {
      // said below
    }
    throw new SaeFormatError(`Expected a JSON object in ${what} but found something else`);
  }

  has(name: string): boolean {
    return Object.hasOwn(this.fields, name) && this.fields[name] !== null;
  }

  text(name: string): string | undefined {
    return this.#typed(name, "text", (value): value is string => typeof value === "string");
  }

  number(name: string): number | undefined {
    return this.#typed(name, "a number", (value): value is number => typeof value === "number");
  }

  boolean(name: string): boolean | undefined {
    return this.#typed(name, "true or false", (value): value is boolean => typeof value === "boolean");
  }

  /** A positive whole number. */
  size(name: string): number | undefined {
    return this.#typed(name, "a positive whole number", (value): value is number => Number.isSafeInteger(value) && (value as number) > 0);
  }

  object(name: string): JsonFields | undefined {
    const value = this.#typed(name, "a JSON object", isObject);
    return value && new JsonFields(value as Record<string, Json>, `${name} of ${this.what}`);
  }

  /** @throws {SaeFormatError} if the field is there and of another type. */
  #typed<T>(name: string, type: string, is: (value: unknown) => value is T): T | undefined {
    if (!this.has(name)) return undefined;
    const value: unknown = this.fields[name];
    if (!is(value)) throw new SaeFormatError(`Expected ${name} in ${this.what} to be ${type} but found ${shortJson(value)}`);
    return value;
  }
}

/** A field that must be there. @throws {SaeFormatError} if it is not. */
export function required<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new SaeFormatError(`Expected ${what} but found none`);
  return value;
}

/** Any JSON value on one line of bounded length. */
export function shortJson(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
