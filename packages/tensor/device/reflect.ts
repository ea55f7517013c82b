import { TensorError } from "../errors.ts";

/** A storage binding of an entry point, as the WGSL declares it. */
export interface StorageBinding {
  readonly name: string;
  /** The `@binding` number. */
  readonly index: number;
  readonly access: "read" | "write";
  /** Whether elements are vectors: then a kernel may write up to the next multiple of 16 bytes. */
  readonly isVector: boolean;
}

/** A 4-byte field of the parameters' struct. `word` is its place in 4-byte words; `count` > 1 for `array<vec4…, n>`. */
export interface ParamField {
  readonly name: string;
  readonly type: "u32" | "i32" | "f32";
  readonly word: number;
  readonly count: number;
}

/** What an entry point of a shader uses. */
export interface Reflection {
  readonly bindings: readonly StorageBinding[];
  readonly params: readonly ParamField[];
  /** Size of the parameters' struct in bytes; 0 where the entry point uses none. */
  readonly paramBytes: number;
  /** The `@binding` number of the parameters. */
  readonly paramBinding: number;
  readonly needsSubgroups: boolean;
}

/**
 * Reads from WGSL which bindings and parameters an entry point uses, so that a kernel's interface is written once, in the shader.
 * Understands what our own shaders use: storage arrays in group 0 and one `var<uniform>` struct of scalars and `array<vec4…, n>`.
 */
export function reflect(source: string, entry: string): Reflection {
  const code = source.replace(/\/\/.*$/gm, "");
  const functions = new Map<string, string>();
  for (const match of code.matchAll(/\bfn\s+(\w+)\s*\(/g)) functions.set(match[1]!, bodyFrom(code, match.index));
  const used = reachable(functions, entry);

  const bindings: StorageBinding[] = [];
  for (const match of code.matchAll(/@group\(0\)\s*@binding\((\d+)\)\s*var<storage,\s*(read|read_write)>\s*(\w+)\s*:\s*([^;]*)/g)) {
    const [, index, access, name, type] = match as unknown as [string, string, string, string, string];
    if (word(name).test(used))
      bindings.push({ name, index: Number(index), access: access === "read" ? "read" : "write", isVector: /\bvec[234]/.test(type) });
  }
  bindings.sort((a, b) => a.index - b.index);

  const uniform = /@group\(0\)\s*@binding\((\d+)\)\s*var<uniform>\s*(\w+)\s*:\s*(\w+)/.exec(code);
  const params = uniform && word(uniform[2]!).test(used) ? structFields(code, uniform[3]!) : [];
  const last = params.at(-1);
  return {
    bindings,
    params: params.filter((p) => new RegExp(`\\b${uniform![2]}\\s*\\.\\s*${p.name}\\b`).test(used)),
    paramBytes: last ? Math.ceil((last.word + last.count) / 4) * 16 : 0,
    paramBinding: uniform ? Number(uniform[1]) : 0,
    needsSubgroups: /^\s*enable\s+[^;]*\bsubgroups\b/m.test(code),
  };
}

/** The name as a variable, not as a swizzle (`id.y`). */
const word = (name: string): RegExp => new RegExp(`(?<![\\w.])${name}\\b`);

/** A function's text, signature included, up to its closing brace. */
function bodyFrom(code: string, start: number): string {
  let depth = 0;
  for (let i = code.indexOf("{", start); i < code.length; i++) {
    if (code[i] === "{") depth++;
    else if (code[i] === "}" && --depth === 0) return code.slice(start, i + 1);
  }
  return code.slice(start);
}

/** The text of the entry point and of every function that it calls, directly or not. */
function reachable(functions: ReadonlyMap<string, string>, entry: string): string {
  const first = functions.get(entry);
  if (first === undefined)
    throw new TensorError(`Expected an entry point '${entry}' in the shader but found ${[...functions.keys()].join(", ")}`);
  const seen = new Set([entry]);
  let text = first;
  for (let grown = true; grown; ) {
    grown = false;
    for (const [name, body] of functions) {
      if (seen.has(name) || !new RegExp(`\\b${name}\\s*\\(`).test(text)) continue;
      seen.add(name);
      text += body;
      grown = true;
    }
  }
  return text;
}

function structFields(code: string, name: string): ParamField[] {
  const body = new RegExp(`\\bstruct\\s+${name}\\s*\\{([^}]*)\\}`).exec(code)?.[1];
  if (body === undefined) throw new TensorError(`Expected a struct '${name}' for the shader's parameters`);
  const fields: ParamField[] = [];
  let next = 0;
  for (const part of body.split(/,(?![^<]*>)/)) {
    if (part.trim() === "") continue;
    const field = /^\s*(\w+)\s*:\s*(?:(u32|i32|f32)|array<\s*vec4<?(u32|i32|f32|u|i|f)>?\s*,\s*(\d+)u?\s*>)\s*$/.exec(part);
    if (!field)
      throw new TensorError(`Expected 'name: u32|i32|f32' or 'name: array<vec4u, n>' in struct ${name} but found '${part.trim()}'`);
    const [, fieldName, scalar, vector, length] = field as unknown as [string, string, string | undefined, string, string];
    const type = (scalar ?? { u: "u32", i: "i32", f: "f32" }[vector] ?? vector) as ParamField["type"];
    if (scalar === undefined) next = Math.ceil(next / 4) * 4;
    const count = scalar === undefined ? 4 * Number(length) : 1;
    fields.push({ name: fieldName, type, word: next, count });
    next += count;
  }
  return fields;
}
