import { type HostTensor, readSafetensors, TensorError, writeSafetensors } from "@cursive/tensor";
import type { ShardFiles } from "../data/activation_shards.ts";
import type { Json } from "../snapshot.ts";

/** Access to the files of an index' folder. */
export interface IndexFiles extends ShardFiles {
  /** Deletes a file; only parts that were merged. */
  remove(name: string): Promise<void>;
}

/** `index.json` of a folder with an activation index. */
export interface ActivationIndexInfo {
  readonly format: "cursive-activation-index";
  readonly version: 1;
  /** F. */
  readonly dSae: number;
  /** Rows that were looked at, whether anything fired on them or not. */
  readonly rows: number;
  /** `[F]`: on how many rows each latent fired. */
  readonly firings: readonly number[];
  /** Files of firings: latents `start` to `end`, both included. */
  readonly files: readonly { readonly file: string; readonly start: number; readonly end: number }[];
  /** Files of places: the rows from `first` on. */
  readonly places: readonly { readonly file: string; readonly first: number; readonly rows: number }[];
  /** Whatever the writer wants known: site, checkpoint, data. */
  readonly about: { readonly [key: string]: Json };
}

/** Where rows are: one sequence and one position a row, in the order of the rows. */
export interface RowPlaces {
  readonly sequences: ArrayLike<number>;
  readonly positions: ArrayLike<number>;
}

/** All that one latent did, in the order of the rows. */
export interface LatentFirings {
  /** `[n]` */
  readonly sequences: Uint32Array;
  /** `[n]` */
  readonly positions: Uint32Array;
  /** `[n]`: all above 0. */
  readonly activations: Float32Array;
}

/** Options of {@link ActivationIndexWriter}. */
export interface ActivationIndexOptions {
  /** F. */
  readonly dSae: number;
  /** Latents of a file: what a reader of one latent loads. Default 64. */
  readonly latentsPerFile?: number;
  /** Firings held in memory before they are written out; 16 bytes each. Default 2²⁰. */
  readonly bufferFirings?: number;
  readonly about?: { readonly [key: string]: Json };
}

const INDEX = "index.json";

/**
 * Writes down where latents fire, and how strongly, in delphi's layout: files `{start}_{end}.safetensors` of some latents each, with
 * `locations [n, 3]` (sequence, position, latent − start) and `activations [n]`, by latent and then by row, and `tokens [S, T]` where they
 * are told. The rows that were looked at are in `places/….safetensors` (`locations [n, 2]`), as silence tells something too; delphi takes
 * every safetensors file beside its own for one of these.
 *
 * Memory holds `bufferFirings` and, at the end, the firings of one file's latents, besides the tokens, however long the corpus is.
 *
 * @example
 * ```ts
 * const writer = new ActivationIndexWriter(files, { dSae: 512 });
 * for await (const { features, places } of encoded) await writer.add(features, places); // [n, 512]
 * await writer.finish({ tokens });
 * const index = await ActivationIndex.open(files);
 * const { activations } = await index.firings(18);
 * ```
 */
export class ActivationIndexWriter {
  readonly #files: IndexFiles;
  readonly #options: Required<ActivationIndexOptions>;
  /** Firings of latents not yet written: three numbers of place a firing. */
  readonly #locations: Uint32Array;
  readonly #activations: Float32Array;
  readonly #places: Uint32Array;
  readonly #firings: number[];
  readonly #placeFiles: { file: string; first: number; rows: number }[] = [];
  #filled = 0;
  #placesFilled = 0;
  #rows = 0;
  #parts = 0;
  #lastSequence = 0;
  #lastPosition = -1;

  constructor(files: IndexFiles, options: ActivationIndexOptions) {
    this.#files = files;
    this.#options = { latentsPerFile: 64, bufferFirings: 2 ** 20, about: {}, ...options };
    const { dSae, latentsPerFile, bufferFirings } = this.#options;
    for (const [name, value] of Object.entries({ dSae, latentsPerFile, bufferFirings }))
      if (!Number.isInteger(value) || value < 1) throw new RangeError(`Expected ${name} of at least 1 but found ${value}`);
    this.#locations = new Uint32Array(3 * bufferFirings);
    this.#activations = new Float32Array(bufferFirings);
    this.#places = new Uint32Array(2 * bufferFirings);
    this.#firings = new Array<number>(dSae).fill(0);
  }

  /**
   * Adds features `[n, F]`, flat, of rows at these places.
   *
   * @throws TensorError unless there is a place for each row, and places come in ascending order, each once.
   */
  async add(features: ArrayLike<number>, { sequences, positions }: RowPlaces): Promise<void> {
    const { dSae, bufferFirings } = this.#options;
    const count = sequences.length;
    if (features.length !== count * dSae || positions.length !== count)
      throw new TensorError(
        `Expected ${dSae} features and a position for each of ${count} rows but found ${features.length} and ${positions.length}`,
      );
    for (let row = 0; row < count; row++) {
      const [sequence, position] = [sequences[row]!, positions[row]!];
      this.#checkOrder(sequence, position);
      this.#places.set([sequence, position], 2 * this.#placesFilled++);
      for (let f = 0; f < dSae; f++) {
        const value = features[row * dSae + f]!;
        if (!(value > 0)) continue;
        this.#locations.set([sequence, position, f], 3 * this.#filled);
        this.#activations[this.#filled++] = value;
        this.#firings[f]!++;
        if (this.#filled === bufferFirings) await this.#spill();
      }
      this.#rows++;
      if (this.#placesFilled === bufferFirings) await this.#writePlaces();
    }
  }

  /**
   * Merges what was written, and writes `index.json`. Until then there is no index: one that was cut off is never taken for whole.
   *
   * @param options.tokens - `[S, T]`: the sequences, filled up to one length. delphi's loader wants them in every file of firings, and
   * their length in `config.json`; without them it looks for a data set of a hub.
   */
  async finish({ tokens }: { readonly tokens?: HostTensor } = {}): Promise<ActivationIndexInfo> {
    const { dSae, about } = this.#options;
    if (this.#placesFilled > 0) await this.#writePlaces();
    if (this.#filled > 0) await this.#spill();
    const files = [];
    for (const { start, end } of this.#ranges()) {
      const file = `${start}_${end}.safetensors`;
      const tensors = await this.#merged({ start, end });
      if (tokens) tensors.set("tokens", tokens);
      await this.#files.write(file, writeSafetensors(tensors));
      files.push({ file, start, end });
      for (let part = 0; part < this.#parts; part++) await this.#files.remove(partName(part, start));
    }
    const info: ActivationIndexInfo = {
      format: "cursive-activation-index",
      version: 1,
      dSae,
      rows: this.#rows,
      firings: this.#firings,
      files,
      places: this.#placeFiles,
      about,
    };
    const json = (value: object): Uint8Array => new TextEncoder().encode(`${JSON.stringify(value)}\n`);
    if (tokens) await this.#files.write("config.json", json({ ctx_len: tokens.shape[1]!, n_tokens: tokens.data.length }));
    await this.#files.write(INDEX, json(info));
    return info;
  }

  #checkOrder(sequence: number, position: number): void {
    const later = sequence > this.#lastSequence || (sequence === this.#lastSequence && position > this.#lastPosition);
    if (!Number.isInteger(sequence) || !Number.isInteger(position) || position < 0 || !later)
      throw new TensorError(
        `Expected a place after sequence ${this.#lastSequence}, position ${this.#lastPosition} but found ${sequence}, ${position}`,
      );
    [this.#lastSequence, this.#lastPosition] = [sequence, position];
  }

  #ranges(): { start: number; end: number }[] {
    const { dSae, latentsPerFile } = this.#options;
    return Array.from({ length: Math.ceil(dSae / latentsPerFile) }, (_, i) => ({
      start: i * latentsPerFile,
      end: Math.min(dSae, (i + 1) * latentsPerFile) - 1,
    }));
  }

  /** Writes the buffer out as one part, a file for each range of latents. */
  async #spill(): Promise<void> {
    const [locations, activations] = [this.#locations, this.#activations];
    // by latent; within one they stay in the order of the rows
    const order = Uint32Array.from({ length: this.#filled }, (_, i) => i).sort(
      (a, b) => locations[3 * a + 2]! - locations[3 * b + 2]! || a - b,
    );
    let at = 0;
    for (const { start, end } of this.#ranges()) {
      const from = at;
      while (at < order.length && locations[3 * order[at]! + 2]! <= end) at++;
      const chosen = order.subarray(from, at);
      const out = new Uint32Array(3 * chosen.length);
      for (const [i, j] of chosen.entries()) out.set([locations[3 * j]!, locations[3 * j + 1]!, locations[3 * j + 2]! - start], 3 * i);
      const tensors = firingTensors(
        out,
        Float32Array.from(chosen, (j) => activations[j]!),
      );
      await this.#files.write(partName(this.#parts, start), writeSafetensors(tensors));
    }
    this.#parts++;
    this.#filled = 0;
  }

  /** A range's firings of all parts, by latent: parts follow each other in the order of the rows. */
  async #merged({ start, end }: { start: number; end: number }): Promise<Map<string, HostTensor>> {
    const total = this.#firings.slice(start, end + 1).reduce((a, b) => a + b, 0);
    const [locations, activations] = [new Uint32Array(3 * total), new Float32Array(total)];
    const next = Array.from({ length: end - start + 1 }, () => 0); // where each latent's next firing goes
    for (let f = 1; f < next.length; f++) next[f] = next[f - 1]! + this.#firings[start + f - 1]!;
    for (let part = 0; part < this.#parts; part++) {
      const file = partName(part, start);
      const found = firingsOf(readSafetensors(await this.#files.read(file)).tensors, file);
      for (let i = 0; i < found.activations.length; i++) {
        const to = next[found.locations[3 * i + 2]!]!++;
        locations.set(found.locations.subarray(3 * i, 3 * i + 3), 3 * to);
        activations[to] = found.activations[i]!;
      }
    }
    return firingTensors(locations, activations);
  }

  async #writePlaces(): Promise<void> {
    const rows = this.#placesFilled;
    const file = `places/${String(this.#placeFiles.length).padStart(5, "0")}.safetensors`;
    const locations: HostTensor = { shape: [rows, 2], dtype: "u32", data: this.#places.slice(0, 2 * rows) };
    await this.#files.write(file, writeSafetensors(new Map([["locations", locations]])));
    this.#placeFiles.push({ file, first: this.#placeFiles.reduce((sum, other) => sum + other.rows, 0), rows });
    this.#placesFilled = 0;
  }
}

/** Reads what {@link ActivationIndexWriter} wrote; one file of firings and one of places are in memory. */
export class ActivationIndex {
  readonly info: ActivationIndexInfo;
  readonly #files: Pick<IndexFiles, "read">;
  readonly #open = new Map<"firings" | "places", { readonly file: string; readonly tensors: ReadonlyMap<string, HostTensor> }>();

  constructor(files: Pick<IndexFiles, "read">, info: ActivationIndexInfo) {
    this.#files = files;
    this.info = info;
  }

  /** @throws TensorError if the folder holds no index. */
  static async open(files: Pick<IndexFiles, "read">): Promise<ActivationIndex> {
    const info = JSON.parse(new TextDecoder().decode(await files.read(INDEX))) as Partial<ActivationIndexInfo> | null;
    if (info?.format !== "cursive-activation-index" || info.version !== 1)
      throw new TensorError(
        `Expected an index of format cursive-activation-index, version 1, but found ${info?.format ?? "none"}, ${info?.version ?? "none"}`,
      );
    return new ActivationIndex(files, info as ActivationIndexInfo);
  }

  /** Where a latent fires. @throws RangeError if there is no such latent; TensorError if a file is not what the index says. */
  async firings(latent: number): Promise<LatentFirings> {
    const range = this.info.files.find(({ start, end }) => latent >= start && latent <= end);
    if (!range || !Number.isInteger(latent)) throw new RangeError(`Expected a latent below ${this.info.dSae} but found ${latent}`);
    const { locations, activations } = firingsOf(await this.#read("firings", range.file), range.file);
    const from = this.info.firings.slice(range.start, latent).reduce((a, b) => a + b, 0);
    const count = this.info.firings[latent]!;
    const column = (c: number): Uint32Array => Uint32Array.from({ length: count }, (_, i) => locations[3 * (from + i) + c]!);
    if (!column(2).every((found) => found === latent - range.start))
      throw new TensorError(`Expected ${count} firings of latent ${latent} in ${range.file} but found others`);
    return { sequences: column(0), positions: column(1), activations: activations.slice(from, from + count) };
  }

  /** The place of a row, counted over all that were looked at. @throws RangeError if there is no such row. */
  async place(row: number): Promise<{ readonly sequence: number; readonly position: number }> {
    const part = this.info.places.find(({ first, rows }) => row >= first && row < first + rows);
    if (!part || !Number.isInteger(row)) throw new RangeError(`Expected a row below ${this.info.rows} but found ${row}`);
    const { data: locations } = tensorOf(await this.#read("places", part.file), { name: "locations", file: part.file, width: 2 });
    const at = 2 * (row - part.first);
    return { sequence: locations[at]!, position: locations[at + 1]! };
  }

  /** Places of all rows, 8 bytes each: what columns of factors are made along. */
  async places(): Promise<{ readonly sequences: Uint32Array; readonly positions: Uint32Array }> {
    const [sequences, positions] = [new Uint32Array(this.info.rows), new Uint32Array(this.info.rows)];
    for (const { file, first, rows } of this.info.places) {
      const { data } = tensorOf(await this.#read("places", file), { name: "locations", file, width: 2 });
      for (let i = 0; i < rows; i++) [sequences[first + i], positions[first + i]] = [data[2 * i]!, data[2 * i + 1]!];
    }
    return { sequences, positions };
  }

  async #read(kind: "firings" | "places", file: string): Promise<ReadonlyMap<string, HostTensor>> {
    const open = this.#open.get(kind);
    if (open?.file === file) return open.tensors;
    const { tensors } = readSafetensors(await this.#files.read(file));
    this.#open.set(kind, { file, tensors });
    return tensors;
  }
}

/**
 * The numbers of the rows at some places, both in ascending order.
 *
 * @throws TensorError for a place that no row has.
 * @example
 * ```ts
 * const firings = await index.firings(18);
 * const rows = rowNumbers(firings, await index.places()); // firings.activations[i] is on row rows[i]
 * ```
 */
export function rowNumbers(wanted: RowPlaces, all: RowPlaces): Uint32Array {
  const numbers = new Uint32Array(wanted.sequences.length);
  let row = 0;
  for (let i = 0; i < numbers.length; i++) {
    const [sequence, position] = [wanted.sequences[i]!, wanted.positions[i]!];
    while (row < all.sequences.length && (all.sequences[row] !== sequence || all.positions[row] !== position)) row++;
    if (row === all.sequences.length) throw new TensorError(`Expected a row at sequence ${sequence}, position ${position} but found none`);
    numbers[i] = row;
  }
  return numbers;
}

function partName(part: number, start: number): string {
  return `part-${String(part).padStart(5, "0")}-${start}.safetensors`;
}

function firingTensors(locations: Uint32Array<ArrayBuffer>, activations: Float32Array<ArrayBuffer>): Map<string, HostTensor> {
  return new Map<string, HostTensor>([
    ["locations", { shape: [activations.length, 3], dtype: "u32", data: locations }],
    ["activations", { shape: [activations.length], dtype: "f32", data: activations }],
  ]);
}

/** A file's firings: places `[n, 3]` flat, and activations `[n]`. */
function firingsOf(
  tensors: ReadonlyMap<string, HostTensor>,
  file: string,
): { readonly locations: Uint32Array; readonly activations: Float32Array } {
  const locations = tensorOf(tensors, { name: "locations", file, width: 3 }).data as Uint32Array;
  const activations = tensorOf(tensors, { name: "activations", file }).data as Float32Array;
  if (locations.length !== 3 * activations.length)
    throw new TensorError(
      `Expected as many locations as activations in ${file} but found ${locations.length / 3} and ${activations.length}`,
    );
  return { locations, activations };
}

function tensorOf(
  tensors: ReadonlyMap<string, HostTensor>,
  { name, file, width }: { readonly name: string; readonly file: string; readonly width?: number },
): HostTensor {
  const tensor = tensors.get(name);
  const expected = width === undefined ? "[n]" : `[n, ${width}]`;
  if (tensor?.shape.length !== (width === undefined ? 1 : 2) || (width !== undefined && tensor.shape[1] !== width))
    throw new TensorError(`Expected '${name}' ${expected} in ${file} but found ${tensor ? `[${tensor.shape.join(", ")}]` : "none"}`);
  return tensor;
}
