import { createRng, type HostTensor, TensorError } from "@cursive/tensor";
import type { Resumable, Snapshot } from "../snapshot.ts";

/** How an {@link ArrayStream} cuts its rows into batches. */
export interface ArrayStreamOptions {
  /** Rows that stay together, such as those of a sequence. Default 1. */
  readonly groupRows?: number;
  /** Groups of a batch. */
  readonly groupsPerBatch: number;
  /** Selects which groups make each batch: different ones, drawn anew for every batch. Default 0. */
  readonly seed?: number;
  /** The groups of each batch instead, by index, for a replay; the stream ends with them. */
  readonly order?: readonly ArrayLike<number>[];
}

/**
 * Batches out of one array in main memory: the notebook's data flow, where each step takes 256 whole sequences out of a fixed 1,000,
 * drawn without repetition for each step, in their own order and with their padding. Resumable.
 *
 * @example
 * ```ts
 * const stream = new ArrayStream(activations, { groupRows: 1000, groupsPerBatch: 256, seed: 49 }); // [1000 · 1000, 64]
 * ```
 */
export class ArrayStream implements AsyncIterableIterator<HostTensor>, Resumable {
  readonly #data: HostTensor;
  readonly #options: Required<Omit<ArrayStreamOptions, "order">> & Pick<ArrayStreamOptions, "order">;
  readonly #groups: number;
  #batch = 0;

  /** @throws TensorError unless the rows divide into groups, and there are as many as a batch has. */
  constructor(data: HostTensor, options: ArrayStreamOptions) {
    const { groupRows = 1, groupsPerBatch, seed = 0, order } = options;
    const rows = data.shape[0]!;
    if (data.shape.length !== 2 || data.dtype !== "f32")
      throw new TensorError(`Expected f32 rows [N, D] but found ${data.dtype} [${data.shape.join(", ")}]`);
    if (rows % groupRows) throw new TensorError(`Expected a multiple of ${groupRows} rows (groupRows) but found ${rows}`);
    this.#groups = rows / groupRows;
    if (!order && !(groupsPerBatch >= 1 && groupsPerBatch <= this.#groups))
      throw new TensorError(`Expected groupsPerBatch in 1…${this.#groups} but found ${groupsPerBatch}`);
    this.#data = data;
    this.#options = { groupRows, groupsPerBatch, seed, order };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next batch. */
  async next(): Promise<IteratorResult<HostTensor>> {
    const { order, groupRows } = this.#options;
    if (order && this.#batch >= order.length) return { done: true, value: undefined };
    const groups = order ? Array.from(order[this.#batch]!) : this.#drawGroups(this.#batch);
    this.#batch++;
    const width = this.#data.shape[1]!;
    const size = groupRows * width;
    const data = new Float32Array(groups.length * size);
    for (const [i, group] of groups.entries()) {
      if (!(group >= 0 && group < this.#groups)) throw new TensorError(`Expected groups 0…${this.#groups - 1} but found ${group}`);
      data.set((this.#data.data as Float32Array).subarray(group * size, (group + 1) * size), i * size);
    }
    return { done: false, value: { shape: [groups.length * groupRows, width], dtype: "f32", data } };
  }

  state(): Snapshot {
    return { values: { batch: this.#batch }, tensors: new Map() };
  }

  restore({ values }: Snapshot): void {
    this.#batch = Number(values.batch);
  }

  #drawGroups(batch: number): number[] {
    const { seed, groupsPerBatch } = this.#options;
    return Array.from(createRng(seed, "groups", batch).permutation(this.#groups).subarray(0, groupsPerBatch));
  }
}
