import type { Transformer } from "@cursive/cursive-model";
import type { Tensor } from "@cursive/tensor";
import type { Resumable, Snapshot } from "../snapshot.ts";
import { LiveSites, type LiveSitesOptions } from "./live_sites.ts";

/** What {@link LiveRows} reads. */
export interface LiveRowsOptions extends Omit<LiveSitesOptions, "sites"> {
  /** TransformerLens' name. */
  readonly site: string;
}

/**
 * Rows of one site out of a model as it reads, without end: {@link LiveSites} for one.
 *
 * @example
 * ```ts
 * const rows = new LiveRows(model, { dataset, site: "blocks.0.hook_mlp_out", split: "train", keep: tokenFilter(tokenizer), chunk: 16 });
 * const buffer = new MixingBuffer(rows, { batchRows: 2048, bufferRows: 40 * 2048 });
 * ```
 */
export class LiveRows implements AsyncIterableIterator<{ readonly rows: Tensor }>, Resumable {
  readonly #sites: LiveSites;
  readonly #site: string;

  constructor(model: Transformer, { site, ...options }: LiveRowsOptions) {
    this.#sites = new LiveSites(model, { ...options, sites: [site] });
    this.#site = site;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The rows of the next chunk that has any. @throws NoRowsError where none are to be expected. */
  async next(): Promise<IteratorResult<{ readonly rows: Tensor }>> {
    const { value, done } = await this.#sites.next();
    return done ? { done, value: undefined } : { done: false, value: { rows: value.rows[this.#site]! } };
  }

  state(): Snapshot {
    return this.#sites.state();
  }

  restore(state: Snapshot): void {
    this.#sites.restore(state);
  }
}
