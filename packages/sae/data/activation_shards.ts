import { createRng, type HostTensor, readSafetensors, TensorError, writeSafetensors } from "@cursive/tensor";
import type { Json, Resumable, Snapshot } from "../snapshot.ts";
import type { ActivationRows } from "./activation_rows.ts";
import type { RowStorage } from "./mixing_buffer.ts";
import { NoRowsError } from "./no_rows_error.ts";

/** Access to the files of one folder; who calls brings it, for this package touches no files. */
export interface ShardFiles {
  read(name: string): Promise<Uint8Array>;
  /** Replaces a file as a whole. */
  write(name: string, bytes: Uint8Array): Promise<void>;
}

/** One file of cached activations. */
export interface Shard {
  readonly file: string;
  readonly rows: number;
  /** Of the file, in hexadecimal digits: so that the index stands for the very numbers, however they were made. */
  readonly sha256: string;
}

/** `index.json` of a folder of cached activations. Equal indices mean equal rows. */
export interface ShardIndex {
  readonly format: "cursive-activations";
  readonly version: 2;
  /** D. */
  readonly dIn: number;
  /** In all shards. */
  readonly rows: number;
  readonly shards: readonly Shard[];
  /** Names of the integers that each row carries besides, such as `token`, `position`, `sequence`. */
  readonly columns: readonly string[];
  /** Whatever the writer wants known: site, checkpoint, data. */
  readonly about: { readonly [key: string]: Json };
}

/** The index' file name. */
export const SHARD_INDEX = "index.json";

/** Integers that rows carry besides, by name: one for each row. */
export type RowColumns = Readonly<Record<string, ArrayLike<number>>>;

/** Options of {@link ActivationShardWriter}. */
export interface ShardWriterOptions {
  /** D. */
  readonly dIn: number;
  /** Rows of a shard; the last may have fewer. Default 65,536. */
  readonly rowsPerShard?: number;
  readonly columns?: readonly string[];
  /** How activations are written: `"f16"` takes half the space and rounds them to 11 bits. Default `"f32"`. */
  readonly storage?: RowStorage;
  readonly about?: { readonly [key: string]: Json };
}

/**
 * Writes activations to shards: safetensors files with `activations [n, D]` and each column `[n]`, in the order they come, and at the end an
 * index. Without the index there is no cache, so one whose writing was cut off is never taken for a whole one.
 *
 * @example
 * ```ts
 * const writer = new ActivationShardWriter(files, { dIn: 64, columns: ["token"], about: { site: "transformer.h.0.mlp" } });
 * for (const { rows, tokens } of batches) await writer.add(rows, { token: tokens });
 * await writer.finish();
 * ```
 */
export class ActivationShardWriter {
  readonly #files: ShardFiles;
  readonly #options: Required<ShardWriterOptions>;
  readonly #shards: Shard[] = [];
  #data: Float32Array;
  #columns: Map<string, Int32Array>;
  #filled = 0;

  constructor(files: ShardFiles, options: ShardWriterOptions) {
    this.#files = files;
    this.#options = { rowsPerShard: 65_536, columns: [], storage: "f32", about: {}, ...options };
    const { dIn, rowsPerShard, columns } = this.#options;
    if (columns.includes(ACTIVATIONS)) throw new TensorError(`Expected a column's name but found '${ACTIVATIONS}', which is taken`);
    this.#data = new Float32Array(rowsPerShard * dIn);
    this.#columns = new Map(columns.map((name) => [name, new Int32Array(rowsPerShard)]));
  }

  /** Adds rows `[n, D]`, flat, and their columns. @throws TensorError if the columns are not those of the index, or not as long. */
  async add(rows: Float32Array, columns: RowColumns = {}): Promise<void> {
    const { dIn, rowsPerShard } = this.#options;
    const count = rows.length / dIn;
    if (!Number.isInteger(count)) throw new TensorError(`Expected rows of ${dIn} numbers but found ${rows.length} in all`);
    for (const name of new Set([...this.#columns.keys(), ...Object.keys(columns)])) {
      const found = columns[name]?.length;
      if (!this.#columns.has(name) || found !== count)
        throw new TensorError(
          `Expected columns ${[...this.#columns.keys()].join(", ") || "(none)"} of ${count} rows but found '${name}' of ${found ?? 0}`,
        );
    }
    for (let from = 0; from < count; ) {
      const taken = Math.min(count - from, rowsPerShard - this.#filled);
      this.#data.set(rows.subarray(from * dIn, (from + taken) * dIn), this.#filled * dIn);
      for (const [name, place] of this.#columns) for (let i = 0; i < taken; i++) place[this.#filled + i] = columns[name]![from + i]!;
      this.#filled += taken;
      from += taken;
      if (this.#filled === rowsPerShard) await this.#flush();
    }
  }

  /** Writes what is left, and the index. */
  async finish(): Promise<ShardIndex> {
    if (this.#filled > 0) await this.#flush();
    const { dIn, columns, about } = this.#options;
    const rows = this.#shards.reduce((sum, shard) => sum + shard.rows, 0);
    const index: ShardIndex = { format: "cursive-activations", version: 2, dIn, rows, shards: this.#shards, columns, about };
    await this.#files.write(SHARD_INDEX, new TextEncoder().encode(`${JSON.stringify(index, null, 2)}\n`));
    return index;
  }

  async #flush(): Promise<void> {
    const { dIn, storage } = this.#options;
    const rows = this.#filled;
    const tensors = new Map<string, HostTensor>([
      [ACTIVATIONS, { shape: [rows, dIn], dtype: "f32", data: this.#data.subarray(0, rows * dIn) }],
    ]);
    for (const [name, data] of this.#columns) tensors.set(name, { shape: [rows], dtype: "i32", data: data.subarray(0, rows) });
    const file = `activations-${String(this.#shards.length).padStart(5, "0")}.safetensors`;
    const bytes = writeSafetensors(tensors, { float16: new Set(storage === "f16" ? [ACTIVATIONS] : []) });
    await this.#files.write(file, bytes);
    this.#shards.push({ file, rows, sha256: await sha256(bytes) });
    this.#filled = 0;
  }
}

const ACTIVATIONS = "activations";

async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Reads and checks a folder's index. @throws TensorError if it is none. */
export async function readShardIndex(files: Pick<ShardFiles, "read">): Promise<ShardIndex> {
  const index = JSON.parse(new TextDecoder().decode(await files.read(SHARD_INDEX))) as Partial<ShardIndex> | null;
  if (index?.format !== "cursive-activations" || index.version !== 2 || !Array.isArray(index.shards))
    throw new TensorError(
      `Expected an index of format cursive-activations, version 2, but found ${index?.format ?? "none"}, ${index?.version ?? "none"}`,
    );
  return index as ShardIndex;
}

/** Options of {@link ShardSource}. */
export interface ShardSourceOptions {
  /** Rows given at a time. Default 8,192. */
  readonly rowsPerRead?: number;
  /** How often to go through all shards; Infinity for as long as asked. Default 1. */
  readonly epochs?: number;
  /** Selects the order of the shards in each epoch. Default: as they were written. */
  readonly shuffleSeed?: number;
  /** Says which rows are wanted from what they carry: one flag a row. */
  readonly mask?: (columns: Readonly<Record<string, Int32Array>>) => ArrayLike<number | boolean>;
}

/**
 * Rows out of a folder of cached activations, a stretch of a shard at a time; one shard is in memory. Resumable. Mix them with a
 * `MixingBuffer`: shards hold neighbours side by side.
 *
 * @example
 * ```ts
 * const source = new ShardSource(files, await readShardIndex(files), { epochs: Infinity, shuffleSeed: 1, mask: ({ token }) => token.map((t) => Number(t < 453)) });
 * ```
 */
export class ShardSource implements AsyncIterableIterator<ActivationRows>, Resumable {
  readonly #files: Pick<ShardFiles, "read">;
  readonly #index: ShardIndex;
  readonly #options: ShardSourceOptions & { readonly rowsPerRead: number; readonly epochs: number };
  #epoch = 0;
  /** Place of the shard in the epoch's order, and of the row in it. */
  #place = 0;
  #row = 0;
  #open: { readonly file: string; readonly tensors: ReadonlyMap<string, HostTensor> } | undefined;

  constructor(files: Pick<ShardFiles, "read">, index: ShardIndex, options: ShardSourceOptions = {}) {
    this.#files = files;
    this.#index = index;
    this.#options = { ...options, rowsPerRead: options.rowsPerRead ?? 8192, epochs: options.epochs ?? 1 };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /**
   * The next stretch with a row that is wanted.
   * @throws NoRowsError if a whole epoch has none; TensorError if a shard is not what the index says, to the last bit.
   */
  async next(): Promise<IteratorResult<ActivationRows>> {
    const whole = this.#place === 0 && this.#row === 0 ? this.#epoch : this.#epoch + 1; // the first epoch that is gone through from its start
    while (this.#epoch < this.#options.epochs && this.#index.rows > 0) {
      if (this.#epoch > whole) throw new NoRowsError(`Expected rows that are wanted but found none among all ${this.#index.rows}`);
      const value = await this.#stretch();
      if (!value.mask || Array.from(value.mask).some(Boolean)) return { done: false, value };
    }
    return { done: true, value: undefined };
  }

  state(): Snapshot {
    return { values: { epoch: this.#epoch, place: this.#place, row: this.#row }, tensors: new Map() };
  }

  restore({ values }: Snapshot): void {
    this.#epoch = Number(values.epoch);
    this.#place = Number(values.place);
    this.#row = Number(values.row);
  }

  async #stretch(): Promise<ActivationRows> {
    const { shards, dIn, columns } = this.#index;
    const shard = shards[this.#order()[this.#place]!]!;
    const { rows } = shard;
    const tensors = await this.#read(shard);
    const end = Math.min(rows, this.#row + this.#options.rowsPerRead);
    const data = (tensors.get(ACTIVATIONS)!.data as Float32Array).subarray(this.#row * dIn, end * dIn);
    const carried = Object.fromEntries(columns.map((name) => [name, (tensors.get(name)!.data as Int32Array).subarray(this.#row, end)]));
    const value: ActivationRows = {
      rows: { shape: [end - this.#row, dIn], dtype: "f32", data },
      ...(this.#options.mask && { mask: this.#options.mask(carried) }),
    };
    this.#advance(end, rows);
    return value;
  }

  #advance(row: number, rows: number): void {
    this.#row = row;
    if (row < rows) return;
    this.#row = 0;
    if (++this.#place < this.#index.shards.length) return;
    this.#place = 0;
    this.#epoch++;
  }

  #order(): ArrayLike<number> {
    const { shuffleSeed } = this.#options;
    const count = this.#index.shards.length;
    return shuffleSeed === undefined
      ? Array.from({ length: count }, (_, i) => i)
      : createRng(shuffleSeed, "shards", this.#epoch).permutation(count);
  }

  async #read({ file, rows, sha256: checksum }: Shard): Promise<ReadonlyMap<string, HostTensor>> {
    if (this.#open?.file !== file) {
      const bytes = await this.#files.read(file);
      const found = await sha256(bytes);
      if (found !== checksum)
        throw new TensorError(`Expected the rows that the index was written with, SHA-256 ${checksum}, in ${file} but found ${found}`);
      this.#open = { file, tensors: readSafetensors(bytes).tensors };
    }
    const { tensors } = this.#open;
    const { dIn, columns } = this.#index;
    const expected = [[ACTIVATIONS, [rows, dIn]], ...columns.map((name) => [name, [rows]])] as [string, number[]][];
    for (const [name, shape] of expected) {
      const found = tensors.get(name)?.shape;
      if (found?.join() !== shape.join())
        throw new TensorError(`Expected '${name}' [${shape.join(", ")}] in ${file} but found ${found ? `[${found.join(", ")}]` : "none"}`);
    }
    return tensors;
  }
}
