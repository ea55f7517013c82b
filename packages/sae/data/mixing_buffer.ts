import {
  cat,
  createRng,
  fromHost,
  type HostTensor,
  packFloat16,
  type Rng,
  type RngState,
  type Tensor,
  TensorError,
  tensor,
  unpackFloat16,
} from "@cursive/tensor";
import { isResumable, type Json, joinSnapshots, partOf, type Resumable, type Snapshot } from "../snapshot.ts";
import { type ActivationRows, iteratorOf, keptRows, type RowSource } from "./activation_rows.ts";

/** Sizes of a {@link MixingBuffer}. */
export interface MixingBufferOptions {
  /** B: rows of a batch. */
  readonly batchRows: number;
  /** Rows that are mixed; the buffer is filled to this before it serves. At least `batchRows`. */
  readonly bufferRows: number;
  /** Share of the buffer that is served before it is filled again. Default 0.5. */
  readonly servedShare?: number;
  /** Selects the order. Default 0. */
  readonly seed?: number;
  /** How rows wait: `"f16"` takes half the memory and rounds them to 11 bits; D must be even. Default `"f32"`. */
  readonly storage?: RowStorage;
}

/** How activations are kept. */
export type RowStorage = "f32" | "f16";

/**
 * Mixes rows so that a batch is not made of neighbours from a few sequences: filled to `bufferRows`, shuffled, then half of it is served in
 * batches and the rest stays to be mixed with what comes next (SAELens' `mixing_buffer`). Masked rows never enter. When the source ends,
 * all that is left is shuffled and served, up to fewer rows than a batch has.
 *
 * Rows live on the GPU, and batches are views of them. If the source can be resumed, so can the buffer, bit for bit: its state holds the
 * rows, the random stream and the source's state.
 *
 * @example
 * ```ts
 * const buffer = new MixingBuffer(source, { batchRows: 4096, bufferRows: 20 * 4096, seed: 1 });
 * const trainer = new SaeTrainer(sae, { stream: buffer, totalSteps: 5000 });
 * ```
 */
export class MixingBuffer implements AsyncIterableIterator<Tensor>, Resumable {
  readonly #source: AsyncIterator<ActivationRows>;
  readonly #options: Required<MixingBufferOptions>;
  readonly #rng: Rng;
  /** Not yet shuffled, or to be shuffled again; packed where rows wait as f16. */
  #stored: Tensor[] = [];
  /** Shuffled, and packed as the others are: what is left to serve. */
  #serving: Tensor | undefined;
  #ended = false;

  /** @throws TensorError if the buffer is smaller than a batch. */
  constructor(source: RowSource, options: MixingBufferOptions) {
    const { batchRows, bufferRows, servedShare = 0.5, seed = 0, storage = "f32" } = options;
    if (!Number.isInteger(batchRows) || batchRows < 1) throw new TensorError(`Expected batchRows of at least 1 but found ${batchRows}`);
    if (!(bufferRows >= batchRows))
      throw new TensorError(`Expected bufferRows of at least ${batchRows} (batchRows) but found ${bufferRows}: a batch must fit`);
    if (!(servedShare > 0 && servedShare <= 1)) throw new TensorError(`Expected servedShare in (0, 1] but found ${servedShare}`);
    this.#source = iteratorOf(source);
    this.#options = { batchRows, bufferRows, servedShare, seed, storage };
    this.#rng = createRng(seed, "mixing buffer");
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next batch `[B, D]`. */
  async next(): Promise<IteratorResult<Tensor>> {
    const { batchRows } = this.#options;
    if (!this.#serving) await this.#refill();
    if (!this.#serving) return { done: true, value: undefined };
    const served = this.#serving;
    const left = rowsOf(served) - batchRows;
    this.#serving = left > 0 ? served.narrow(0, { start: batchRows, length: left }) : undefined;
    const batch = served.narrow(0, { start: 0, length: batchRows });
    return { done: false, value: this.#options.storage === "f16" ? unpackFloat16(batch) : batch };
  }

  /** Reads the rows back. Between batches only. */
  async state(): Promise<Snapshot> {
    const tensors = new Map<string, HostTensor>();
    const parts = { serving: this.#serving, stored: this.#stored.length ? cat(this.#stored) : undefined };
    for (const [name, rows] of Object.entries(parts)) {
      if (rows) tensors.set(name, { shape: rows.shape, dtype: rows.dtype, data: await rows.data() });
    }
    const own: Snapshot = { values: { rng: this.#rng.state() as unknown as Json, ended: this.#ended }, tensors };
    return joinSnapshots({ buffer: own, ...(isResumable(this.#source) && { source: await this.#source.state() }) });
  }

  /** @throws TensorError if the state holds that of a source but this one's cannot be set, or rows of another storage. */
  async restore(state: Snapshot): Promise<void> {
    const { values, tensors } = partOf(state, "buffer");
    if ("source" in state.values) {
      if (!isResumable(this.#source)) throw new TensorError("Expected a source that can be resumed but found one without restore()");
      await this.#source.restore(partOf(state, "source"));
    }
    const { storage } = this.#options;
    const dtype = storage === "f16" ? "u32" : "f32";
    const rows = (name: string): Tensor | undefined => {
      const host = tensors.get(name);
      if (host && host.dtype !== dtype) throw new TensorError(`Expected rows kept as ${storage} (${dtype}) but found ${host.dtype}`);
      return host && fromHost(host);
    };
    const stored = rows("stored");
    this.#stored = stored ? [stored] : [];
    this.#serving = rows("serving");
    this.#ended = Boolean(values.ended);
    this.#rng.restore(values.rng as unknown as RngState);
  }

  async #refill(): Promise<void> {
    const { batchRows, bufferRows, servedShare, storage } = this.#options;
    let count = this.#stored.reduce((sum, part) => sum + rowsOf(part), 0);
    while (!this.#ended && count < bufferRows) {
      const { value, done } = await this.#source.next();
      if (done) this.#ended = true;
      const rows = done ? undefined : keptRows(value);
      if (!rows) continue;
      this.#stored.push(storage === "f16" ? packFloat16(rows) : rows);
      count += rowsOf(rows);
    }
    if (count < batchRows) return;
    const order = tensor(Int32Array.from(this.#rng.permutation(count)), { device: this.#stored[0]!.device });
    const shuffled = cat(this.#stored).indexSelect(order, { axis: 0 });
    const wanted = this.#ended ? count : count * servedShare;
    const served = Math.max(1, Math.floor(wanted / batchRows)) * batchRows;
    this.#serving = shuffled.narrow(0, { start: 0, length: served });
    this.#stored = served < count ? [shuffled.narrow(0, { start: served, length: count - served })] : [];
  }
}

const rowsOf = (x: Tensor): number => x.shape[0]!;
