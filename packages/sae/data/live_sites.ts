import { type ActivationChunk, activations, type StreamPlace, type Transformer, type WordDataset } from "@cursive/cursive-model";
import type { CompileProgress, Tensor } from "@cursive/tensor";
import type { Resumable, Snapshot } from "../snapshot.ts";
import { NoRowsError } from "./no_rows_error.ts";
import type { SiteRows } from "./site_tee.ts";

/** What {@link LiveSites} reads. */
export interface LiveSitesOptions {
  readonly dataset: WordDataset;
  /** TransformerLens' names. */
  readonly sites: readonly string[];
  readonly split: "train" | "test";
  /** 1 for each token id whose rows are wanted. */
  readonly keep: ArrayLike<number>;
  /** Sequences that go through the model at once. */
  readonly chunk: number;
  readonly onCompile?: CompileProgress;
}

/** Chunks in a row without a row that is wanted, after which there will be none. */
const PATIENCE = 100;

/**
 * Rows of several sites out of a model as it reads, without end, one pass for all of them. Going on from a state gives the rows that would have
 * come. Which places count does not depend on the sites.
 *
 * @example
 * ```ts
 * const sites = ["blocks.0.hook_mlp_out", "blocks.1.hook_mlp_out"];
 * const tee = new SiteTee(new LiveSites(model, { dataset, sites, split: "train", keep: tokenFilter(tokenizer), chunk: 16 }));
 * ```
 */
export class LiveSites implements AsyncIterableIterator<SiteRows>, Resumable {
  readonly #model: Transformer;
  readonly #options: LiveSitesOptions;
  #stream: AsyncGenerator<ActivationChunk, void, undefined> | undefined;
  #place: StreamPlace = { batch: 0, sequence: 0 };

  constructor(model: Transformer, options: LiveSitesOptions) {
    this.#model = model;
    this.#options = options;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The rows of the next chunk that has any. @throws NoRowsError where none are to be expected. */
  async next(): Promise<IteratorResult<{ readonly rows: Readonly<Record<string, Tensor>> }>> {
    const { dataset, sites, split, keep, chunk, onCompile } = this.#options;
    this.#stream ??= activations(this.#model, dataset, { sites, split, keep, chunk, from: this.#place, onCompile });
    for (let tries = 0; tries < PATIENCE; tries++) {
      const { value } = await this.#stream.next();
      if (!value) return { done: true, value: undefined };
      this.#place = value.next;
      if (value.kept.length > 0) return { done: false, value: { rows: Object.fromEntries(sites.map((site) => [site, value.rows(site)])) } };
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
