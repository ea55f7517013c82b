import { type HostTensor, readSafetensors, TensorError, writeSafetensors } from "@cursive/tensor";

/** Anything that JSON holds. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** The state of something that can be resumed: numbers and names, and tensors in main memory. */
export interface Snapshot {
  readonly values: { readonly [key: string]: Json };
  readonly tensors: ReadonlyMap<string, HostTensor>;
}

/** What can be stopped and gone on with. */
export interface Resumable {
  state(): Snapshot | Promise<Snapshot>;
  /** @throws If the state belongs to something else. */
  restore(state: Snapshot): void | Promise<void>;
}

/** Whether something says how to resume it. */
export function isResumable(x: object): x is Resumable {
  return "state" in x && "restore" in x && typeof x.state === "function" && typeof x.restore === "function";
}

/** Parts under names of their own, in one. */
export function joinSnapshots(parts: Readonly<Record<string, Snapshot>>): Snapshot {
  const entries = Object.entries(parts);
  return {
    values: Object.fromEntries(entries.map(([name, part]) => [name, part.values])),
    tensors: new Map(entries.flatMap(([name, part]) => [...part.tensors].map(([key, t]) => [`${name}/${key}`, t] as const))),
  };
}

/** A part of what {@link joinSnapshots} joined. @throws TensorError if it is not there. */
export function partOf(whole: Snapshot, name: string): Snapshot {
  const values = whole.values[name];
  if (typeof values !== "object" || values === null || Array.isArray(values))
    throw new TensorError(`Expected a state with '${name}' but found ${Object.keys(whole.values).join(", ") || "nothing"}`);
  const prefix = `${name}/`;
  const tensors = [...whole.tensors].filter(([key]) => key.startsWith(prefix)).map(([key, t]) => [key.slice(prefix.length), t] as const);
  return { values: values as Snapshot["values"], tensors: new Map(tensors) };
}

/** A snapshot as the bytes of one safetensors file; the same snapshot gives the same bytes. */
export function writeSnapshot({ values, tensors }: Snapshot): Uint8Array<ArrayBuffer> {
  return writeSafetensors(tensors, { metadata: { snapshot: JSON.stringify(values) } });
}

/** Reads {@link writeSnapshot}'s bytes back. @throws TensorError if they hold something else. */
export function readSnapshot(bytes: Uint8Array): Snapshot {
  const { tensors, metadata } = readSafetensors(bytes);
  if (metadata.snapshot === undefined) throw new TensorError("Expected a snapshot but found a safetensors file without one");
  return { values: JSON.parse(metadata.snapshot) as Snapshot["values"], tensors };
}
