import { type ActivationChunk, activations, type StreamPlace, type Transformer, type WordDataset } from "@cursive/cursive-model";
import type { Resumable, Snapshot } from "../snapshot.ts";
import type { ActivationRows } from "./activation_rows.ts";
import { NoRowsError } from "./no_rows_error.ts";

/** What {@link LiveRows} reads. */
export interface LiveRowsOptions {
  readonly dataset: WordDataset;
  /** TransformerLens' name. */
  readonly site: string;
  readonly split: "train" | "test";
  /** 1 for each token id whose rows are wanted. */
  readonly keep: ArrayLike<number>;
  /** Sequences that go through the model at once. */
  readonly chunk: number;
  readonly onCompile?: (done: number, total: number) => void;
}

/** Chunks in a row without a row that is wanted, after which there will be none. */
const PATIENCE = 100;

/**
 * Rows out of a model as it reads, without end. Going on from a state gives the rows that would have come.
 *
 * @example
 * ```ts
 * const rows = new LiveRows(model, { dataset, site: "blocks.0.hook_mlp_out", split: "train", keep: tokenFilter(tokenizer), chunk: 16 });
 * const buffer = new MixingBuffer(rows, { batchRows: 2048, bufferRows: 40 * 2048 });
 * ```
 */
export class LiveRows implements AsyncIterableIterator<ActivationRows>, Resumable {
  readonly #model: Transformer;
  readonly #options: LiveRowsOptions;
  #stream: AsyncGenerator<ActivationChunk, void, undefined> | undefined;
  #place: StreamPlace = { batch: 0, sequence: 0 };

  constructor(model: Transformer, options: LiveRowsOptions) {
    this.#model = model;
    this.#options = options;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The rows of the next chunk that has any. @throws NoRowsError where none are to be expected. */
  async next(): Promise<IteratorResult<ActivationRows>> {
    const { dataset, site, split, keep, chunk, onCompile } = this.#options;
    this.#stream ??= activations(this.#model, dataset, { sites: site, split, keep, chunk, from: this.#place, onCompile });
    for (let tries = 0; tries < PATIENCE; tries++) {
      const { value } = await this.#stream.next();
      if (!value) return { done: true, value: undefined };
      this.#place = value.next;
      if (value.kept.length > 0) return { done: false, value: { rows: value.rows(site) } };
    }
    throw new NoRowsError(`Expected tokens that are kept but found none in ${PATIENCE * chunk} sequences`);
  }

  state(): Snapshot {
    return { values: { ...this.#place }, tensors: new Map() };
  }

  restore({ values }: Snapshot): void {
    this.#place = { batch: Number(values.batch), sequence: Number(values.sequence) };
    this.#stream = undefined;
  }
}
