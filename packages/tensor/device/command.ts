import { DeviceError } from "../errors.ts";
import type { Kernel } from "./kernel.ts";
import type { Storage } from "./memory.ts";

/** A stretch of a storage, in bytes. */
export interface Range {
  readonly storage: Storage;
  readonly offset: number;
  readonly bytes: number;
}

/** A kernel's parameter: a number, a list for an `array<vec4…>` field, or a function that gives the number anew at every run and replay. */
export type Param = number | readonly number[] | (() => number);

/** One dispatch as data: what the eager path encodes at once and a captured step keeps. */
export interface Command {
  readonly kernel: Kernel;
  /** In the order of `kernel.interface.bindings`. A captured step may move a command's results before it gets memory. */
  ranges: readonly Range[];
  /** The parameters' struct; live words are filled in before each use. */
  readonly params: ArrayBuffer;
  readonly live: readonly LiveWord[];
  readonly workgroups: readonly [number, number, number];
}

/** A parameter that changes from run to run: learning rate, step number, random counter. Never baked into code or plan. */
export interface LiveWord {
  readonly word: number;
  readonly type: "u32" | "i32" | "f32";
  readonly read: () => number;
}

/** Lays parameters out as the shader's struct wants them. */
export function packParams(kernel: Kernel, given: Readonly<Record<string, Param>>): { params: ArrayBuffer; live: LiveWord[] } {
  const params = new ArrayBuffer(kernel.interface.paramBytes);
  const live: LiveWord[] = [];
  for (const field of kernel.interface.params) {
    const value = given[field.name];
    if (value === undefined)
      throw new DeviceError(`Expected parameter '${field.name}' for kernel ${kernel.name} but found ${Object.keys(given).join(", ")}`);
    if (typeof value === "function") live.push({ word: field.word, type: field.type, read: value });
    else if (typeof value === "number") writeWord(params, field, value);
    else for (let i = 0; i < value.length; i++) writeWord(params, { word: field.word + i, type: field.type }, value[i]!);
  }
  return { params, live };
}

/** Writes one 4-byte parameter. */
export function writeWord(params: ArrayBuffer, field: Pick<LiveWord, "word" | "type">, value: number, base = 0): void {
  const view = new DataView(params, base);
  if (field.type === "f32") view.setFloat32(4 * field.word, value, true);
  else if (field.type === "i32") view.setInt32(4 * field.word, value, true);
  else view.setUint32(4 * field.word, value, true);
}
