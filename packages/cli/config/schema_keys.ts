import type { Field } from "./field.ts";

/** A field with its dotted path, such as `training.lr`. */
export interface NamedField {
  readonly path: string;
  readonly field: Field<unknown>;
}

/** The keys of a schema, by their dotted paths. */
export class SchemaKeys {
  readonly schema: object;
  /** All fields, in the order of the schema. */
  readonly fields: readonly NamedField[];

  /** @param schema A `Schema<T>`. */
  constructor(schema: object) {
    this.schema = schema;
    this.fields = flatten(schema, "");
  }

  /** The field at a path, if there is one. */
  at(path: string): Field<unknown> | undefined {
    return this.fields.find((named) => named.path === path)?.field;
  }
}

/** Tells a field from a section. */
export function isField(entry: unknown): entry is Field<unknown> {
  return typeof (entry as Field<unknown>).accepts === "function";
}

function flatten(section: object, prefix: string): NamedField[] {
  return Object.entries(section).flatMap(([name, entry]: [string, object]) => {
    const path = prefix + name;
    return isField(entry) ? [{ path, field: entry }] : flatten(entry, `${path}.`);
  });
}
