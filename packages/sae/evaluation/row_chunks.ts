import { Tensor, TensorError } from "@cursive/tensor";
import { type ActivationRows, iteratorOf } from "../data/activation_rows.ts";

/** Rows of activations with what an evaluation wants to know of each; rows whose `mask` is 0 are not measured. */
export interface LabelledRows extends ActivationRows {
  /** The number of the sequence that each row is of; rows of one come one after another. Without it there are no standard errors. */
  readonly sequences?: ArrayLike<number>;
}

/** Where an evaluation's rows come from. */
export type LabelledSource = AsyncIterable<LabelledRows> | AsyncIterator<LabelledRows>;

/** So many rows, in main memory. */
export interface RowChunk {
  /** `[R, D]`, always of R rows: zeros where there are fewer. */
  readonly data: Float32Array;
  readonly width: number;
  /** Rows that are there. */
  readonly count: number;
  /** `[count]`: 1 for rows to measure. */
  readonly wanted: Uint8Array;
  /** `[count]` */
  readonly sequences: Float64Array;
}

/**
 * Cuts a source's rows anew, into chunks of R rows, so that what is computed from them is the same to the last bit however they came. Chunks
 * are reused: one is good until the next is asked for.
 *
 * @throws TensorError unless rows are `[N, D]` of one width with a flag and a label each.
 */
export async function* rowChunks(source: LabelledSource, options: { readonly chunkRows: number }): AsyncGenerator<RowChunk> {
  const { chunkRows } = options;
  if (!Number.isInteger(chunkRows) || chunkRows < 1) throw new RangeError(`Expected chunkRows of at least 1 but found ${chunkRows}`);
  let filled: Filling | undefined;
  const rows = iteratorOf(source);
  for (let next = await rows.next(); !next.done; next = await rows.next()) {
    const item = await inMemory(next.value);
    filled ??= new Filling(chunkRows, item.width);
    for (let from = 0; from < item.count; ) {
      from += filled.take(item, from);
      if (filled.count < chunkRows) continue;
      yield filled.chunk();
      filled.clear();
    }
  }
  if (filled && filled.count > 0) yield filled.chunk();
}

/** A chunk while it fills. */
class Filling {
  count = 0;
  readonly #width: number;
  readonly #data: Float32Array;
  readonly #wanted: Uint8Array;
  readonly #sequences: Float64Array;

  constructor(rows: number, width: number) {
    this.#width = width;
    this.#data = new Float32Array(rows * width);
    this.#wanted = new Uint8Array(rows);
    this.#sequences = new Float64Array(rows);
  }

  /** Copies as many rows as there is room for, and says how many. */
  take(item: RowChunk, from: number): number {
    const width = this.#width;
    if (item.width !== width) throw new TensorError(`Expected rows of ${width} numbers but found ${item.width}`);
    const taken = Math.min(item.count - from, this.#wanted.length - this.count);
    this.#data.set(item.data.subarray(from * width, (from + taken) * width), this.count * width);
    this.#wanted.set(item.wanted.subarray(from, from + taken), this.count);
    this.#sequences.set(item.sequences.subarray(from, from + taken), this.count);
    this.count += taken;
    return taken;
  }

  chunk(): RowChunk {
    this.#data.fill(0, this.count * this.#width);
    const { count } = this;
    return {
      data: this.#data,
      width: this.#width,
      count,
      wanted: this.#wanted.subarray(0, count),
      sequences: this.#sequences.subarray(0, count),
    };
  }

  clear(): void {
    this.count = 0;
  }
}

async function inMemory({ rows, mask, sequences }: LabelledRows): Promise<RowChunk> {
  const [count, width] = rows.shape as [number, number];
  if (rows.shape.length !== 2) throw new TensorError(`Expected rows [N, D] but found [${rows.shape.join(", ")}]`);
  for (const [what, list] of Object.entries({ flags: mask, labels: sequences })) {
    if (list && list.length !== count) throw new TensorError(`Expected ${count} ${what}, one a row, but found ${list.length}`);
  }
  const data = rows instanceof Tensor ? await rows.data() : rows.data;
  return {
    data: data instanceof Float32Array ? data : Float32Array.from(data as ArrayLike<number>),
    width,
    count,
    wanted: Uint8Array.from({ length: count }, (_, i) => Number(!mask || Boolean(mask[i]))),
    sequences: sequences ? Float64Array.from(sequences) : new Float64Array(count),
  };
}
