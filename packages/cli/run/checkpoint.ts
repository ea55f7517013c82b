import { createHash } from "node:crypto";
import type { StrokeTokenizer, TrainerState, Transformer } from "@cursive/cursive-model";
import { type HostTensor, readSafetensors, type SafetensorsFile, writeSafetensors } from "@cursive/tensor";

/** A checkpoint that cannot be used. The message is one line. */
export class CheckpointError extends Error {
  override name = "CheckpointError";
}

/** How a run's state becomes bytes that carry their own checksum, and is read again. */
export interface CheckpointCodec<S> {
  encode(state: S): Uint8Array;
  /** @throws CheckpointError for bytes that are damaged, of another kind, or of another run. */
  decode(bytes: Uint8Array): S;
}

/** The codec of a model's run. `metadata` tell its checkpoints from another run's: model, tokenizer, data, seed. */
export function runCodec(metadata: Readonly<Record<string, string>>): CheckpointCodec<TrainerState> {
  return { encode: (state) => encodeCheckpoint(state, metadata), decode: (bytes) => decodeCheckpoint(bytes, metadata) };
}

/** What is needed to use a model again, as strings beside its parameters. */
export function modelMetadata(model: Transformer, tokenizer: StrokeTokenizer): Record<string, string> {
  return { format: "cursive-model", config: JSON.stringify(model.config), tokenizer: JSON.stringify(tokenizer) };
}

/** A model alone, under the parameter names of the PyTorch original. */
export function encodeModel(state: TrainerState, metadata: Readonly<Record<string, string>>): Uint8Array {
  return seal(state.model, { ...metadata, step: String(state.step) });
}

/**
 * Everything a run needs to go on: parameters under `model.`, moments under `optimizer.`, counts in the metadata. Batches and rates follow from
 * the step, samples and evaluations draw from streams of their own, so no other state exists.
 */
export function encodeCheckpoint(state: TrainerState, metadata: Readonly<Record<string, string>>): Uint8Array {
  const tensors = new Map<string, HostTensor>();
  for (const [name, tensor] of state.model) tensors.set(`model.${name}`, tensor);
  for (const [name, tensor] of state.optimizer.moments) tensors.set(`optimizer.${name}`, tensor);
  const counts = { step: String(state.step), stepCount: String(state.optimizer.stepCount), lr: String(state.optimizer.lr) };
  return seal(tensors, { ...metadata, ...counts, format: "cursive-run" });
}

/**
 * Reads what {@link encodeCheckpoint} wrote, for the run whose metadata are given.
 * @throws CheckpointError for a file that is damaged, of another kind, or of another run.
 */
export function decodeCheckpoint(bytes: Uint8Array, expected: Readonly<Record<string, string>>): TrainerState {
  const { tensors, metadata } = unseal(bytes);
  if (metadata.format !== "cursive-run")
    throw new CheckpointError(`Expected a run's checkpoint but found ${metadata.format ?? "another file"}`);
  for (const [key, value] of Object.entries(expected)) {
    if (key !== "format" && metadata[key] !== value)
      throw new CheckpointError(`Expected a checkpoint of this run but found one of another ${key}`);
  }
  const count = (key: "step" | "stepCount" | "lr"): number => {
    const value = Number(metadata[key] ?? Number.NaN);
    if (!(value >= 0)) throw new CheckpointError(`Expected a number for ${key} but found ${metadata[key]}`);
    return value;
  };
  const under = (prefix: string): Map<string, HostTensor> =>
    new Map([...tensors].filter(([name]) => name.startsWith(prefix)).map(([name, tensor]) => [name.slice(prefix.length), tensor]));
  return {
    step: count("step"),
    model: under("model."),
    optimizer: { stepCount: count("stepCount"), lr: count("lr"), moments: under("optimizer.") },
  };
}

/** A checksum of everything that training depends on: equal for bit-equal parameters, moments and counts only. */
export function hashState(state: TrainerState): string {
  return sha256(encodeCheckpoint(state, {}));
}

/** A safetensors file with the checksum of its own content: of the bytes that it would have without it. */
export function seal(tensors: ReadonlyMap<string, HostTensor>, metadata: Readonly<Record<string, string>>): Uint8Array {
  return writeSafetensors(tensors, { metadata: { ...metadata, sha256: sha256(writeSafetensors(tensors, { metadata })) } });
}

/** Reads what {@link seal} wrote. @throws CheckpointError if a bit of it has changed. */
export function unseal(bytes: Uint8Array): SafetensorsFile {
  let file: SafetensorsFile;
  try {
    file = readSafetensors(bytes);
  } catch (error) {
    throw new CheckpointError((error as Error).message);
  }
  const { sha256: promised, ...metadata } = file.metadata;
  if (promised === undefined) throw new CheckpointError("Expected a file with its checksum but found none");
  // Equal tensors and metadata give equal bytes, so the file can be made again without the checksum.
  if (sha256(writeSafetensors(file.tensors, { metadata })) !== promised) {
    throw new CheckpointError("Expected the content that the checksum promises but found other bytes");
  }
  return { tensors: file.tensors, metadata };
}

/** The name of the first tensor with an element that is not finite, if there is one. */
export function firstNotFinite(tensors: Iterable<readonly [string, HostTensor]>): string | undefined {
  for (const [name, { data }] of tensors) if (!(data as Float32Array).every(Number.isFinite)) return name;
  return undefined;
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
