import { TensorError } from "@cursive/tensor";
import { isResumable, type Resumable, type Snapshot } from "../snapshot.ts";
import { type ActivationRows, iteratorOf } from "./activation_rows.ts";

/** Rows of activations at the same places of several sites. */
export interface SiteRows extends Pick<ActivationRows, "mask"> {
  /** By site, each `[N, D]` with a D of its own: row i of all is of one place. */
  readonly rows: Readonly<Record<string, ActivationRows["rows"]>>;
}

/**
 * One pass over several sites as a source for each. What one site has taken and another has not yet waits, so read them in turn, as much of each, as
 * `SiteStreams` does with a mixing buffer a site: then no more ever waits than one buffer takes in to be filled, and nothing between batches.
 * Where the pass can be resumed, so can each of them.
 *
 * @example
 * ```ts
 * const tee = new SiteTee(new LiveSites(model, { dataset, sites, split: "train", keep, chunk: 16 }));
 * const first = new MixingBuffer(tee.of(sites[0]), { batchRows: 2048, bufferRows: 40 * 2048 });
 * ```
 */
export class SiteTee {
  readonly #source: AsyncIterator<SiteRows>;
  readonly #waiting = new Map<string, ActivationRows[]>();

  constructor(source: AsyncIterable<SiteRows> | AsyncIterator<SiteRows>) {
    this.#source = iteratorOf(source);
  }

  /** The rows of one site; ask once for each, before the first is read. */
  of(site: string): AsyncIterator<ActivationRows> | (AsyncIterator<ActivationRows> & Resumable) {
    const source = this.#source;
    const queue: ActivationRows[] = [];
    this.#waiting.set(site, queue);
    const next = async (): Promise<IteratorResult<ActivationRows>> => {
      if (queue.length === 0) await this.#pull();
      const value = queue.shift();
      return value ? { done: false, value } : { done: true, value: undefined };
    };
    if (!isResumable(source)) return { next };
    return {
      next,
      state: () => {
        this.#expectNoneWaits();
        return source.state();
      },
      restore: async (state: Snapshot) => {
        queue.length = 0;
        await source.restore(state);
      },
    };
  }

  async #pull(): Promise<void> {
    const { value, done } = await this.#source.next();
    if (done) return;
    const { rows, ...mask } = value as SiteRows;
    for (const [site, queue] of this.#waiting) {
      if (!rows[site])
        throw new TensorError(`Expected rows of ${Object.keys(rows).join(", ") || "any site"} to be asked for but found '${site}'`);
      queue.push({ rows: rows[site], ...mask });
    }
  }

  #expectNoneWaits(): void {
    for (const [site, { length }] of this.#waiting)
      if (length > 0) throw new TensorError(`Expected all sites to be read equally far but found ${length} pieces that wait for '${site}'`);
  }
}
