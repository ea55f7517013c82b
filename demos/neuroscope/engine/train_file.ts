import { type HostTensor, readSafetensors, writeSafetensors } from "@cursive/tensor";
import { digestOf } from "./digest.ts";
import { ForeignFileError } from "./model_file.ts";
import type { TrainConfig } from "./train_config.ts";
import { TrainHistory } from "./train_history.ts";

/** What a person has set since the run began. */
export interface Tuning {
  /** Multiplies the schedule's learning rate. */
  readonly rateFactor: number;
  /** Multiplies the sparsity coefficient, where there is one. */
  readonly sparsityFactor: number;
}

/** What the model wrote at a step. */
export interface Sample {
  readonly step: number;
  /** The texts' strokes as tokens, in their order. */
  readonly tokens: readonly (readonly number[])[];
}

/** What every saved run has, whatever is trained. */
export interface RunRecord {
  readonly config: TrainConfig;
  readonly step: number;
  readonly tuning: Tuning;
  readonly samples: readonly Sample[];
  readonly history: TrainHistory;
  /** The word bank that it trains on, as it was opened. */
  readonly bank?: Uint8Array<ArrayBuffer>;
}

/** A saved run's file taken apart: the record, and what the kind of run keeps besides. */
export interface RunFile {
  readonly record: RunRecord;
  readonly tensors: ReadonlyMap<string, HostTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The formats: the first is the command line's, whose `--checkpoint` takes such a file. */
const FORMATS = { model: "cursive-run", sae: "cursive-sae-run" } as const;
const OWN = ["curves", "bank"];

/**
 * A run in training as one safetensors file with its own checksum: all that it needs to go on bit for bit, on this machine or another. That of a
 * model is a checkpoint of the command line's too.
 */
export function writeRunFile({ record, tensors, metadata }: RunFile): Promise<Uint8Array<ArrayBuffer>> {
  const { config, step, tuning, samples, history, bank } = record;
  const all = new Map([...tensors, ["curves", history.toTensor()]]);
  if (bank) all.set("bank", packed(bank));
  const about = { config, tuning, samples, bankBytes: bank?.length ?? null };
  const texts = {
    ...metadata,
    format: FORMATS[config.kind],
    step: String(step),
    run: JSON.stringify(about),
    columns: history.columns.join(),
  };
  return sealed(all, texts);
}

/** Reads {@link writeRunFile}'s bytes back. @throws ForeignFileError for a file that holds no run of this app, or is damaged. */
export async function readRunFile(bytes: Uint8Array): Promise<RunFile> {
  const { tensors, metadata } = opened(bytes);
  const { run, columns, format, step } = metadata;
  const isKnown = format === FORMATS.model || format === FORMATS.sae;
  if (!isKnown || run === undefined) throw new ForeignFileError(`Expected a run that this page saved but found ${described(format)}`);
  await checkSeal(tensors, metadata);
  const about = JSON.parse(run) as Pick<RunRecord, "config" | "tuning" | "samples"> & { readonly bankBytes: number | null };
  const bank = tensors.get("bank");
  const record: RunRecord = {
    ...{ config: about.config, tuning: about.tuning, samples: about.samples, step: Number(step) },
    history: TrainHistory.from((columns ?? "").split(","), tensors.get("curves")!),
    ...(bank && { bank: unpacked(bank, about.bankBytes ?? 0) }),
  };
  return { record, metadata, tensors: new Map([...tensors].filter(([name]) => !OWN.includes(name))) };
}

/** A safetensors file that carries the checksum of its own content, as the command line's checkpoints do. */
export async function sealed(
  tensors: ReadonlyMap<string, HostTensor>,
  metadata: Readonly<Record<string, string>>,
): Promise<Uint8Array<ArrayBuffer>> {
  const { sha256: _, ...texts } = metadata;
  return writeSafetensors(tensors, { metadata: { ...texts, sha256: await digestOf(writeSafetensors(tensors, { metadata: texts })) } });
}

async function checkSeal(tensors: ReadonlyMap<string, HostTensor>, { sha256, ...metadata }: Record<string, string>): Promise<void> {
  // Equal tensors and metadata give equal bytes, so the file can be made again without the checksum.
  if (sha256 !== (await digestOf(writeSafetensors(tensors, { metadata }))))
    throw new ForeignFileError("Expected the content that the file's checksum promises but found other bytes: it is damaged");
}

function opened(bytes: Uint8Array): { tensors: ReadonlyMap<string, HostTensor>; metadata: Record<string, string> } {
  try {
    return readSafetensors(bytes);
  } catch (error) {
    throw new ForeignFileError(`Expected a safetensors file but found: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function described(format: string | undefined): string {
  if (format === FORMATS.model) return "a checkpoint of the command line: it is opened from the menu at the top, and gone on with there";
  if (format === "cursive-model") return "a trained model: it is opened from the menu at the top";
  if (format === "cursive-sae") return "a trained autoencoder: it is opened from the menu at the top";
  return format ?? "a safetensors file of another program";
}

/** Bytes as a tensor, four in an element. */
function packed(bytes: Uint8Array<ArrayBuffer>): HostTensor {
  const padded = new Uint8Array(4 * Math.ceil(bytes.length / 4));
  padded.set(bytes);
  return { shape: [padded.length / 4], dtype: "u32", data: new Uint32Array(padded.buffer) };
}

function unpacked({ data }: HostTensor, length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength).slice(0, length);
}
