import { joinSnapshots, partOf, type Resumable, type Snapshot } from "../snapshot.ts";
import type { ActivationBatch } from "./stream_batch.ts";

/** A stream of one site's batches that can be gone on with: a `MixingBuffer`, an `ArrayStream`. */
export type ResumableStream<B extends ActivationBatch = ActivationBatch> = AsyncIterator<B> & Resumable;

/**
 * Batches of several sites out of a stream for each, side by side: what a `SaeTrainer` with members at several sites takes. Streams that draw
 * alike (as many rows, the same seed) give the same places at every site, and each site the batches that it would get alone. Resumable.
 *
 * @example
 * ```ts
 * const sites = ["blocks.0.hook_mlp_out", "blocks.1.hook_resid_post"];
 * const tee = new SiteTee(new LiveSites(model, { dataset, sites, split: "train", keep, chunk: 16 }));
 * const mixed = (site: string) => [site, new MixingBuffer(tee.of(site), { batchRows: 2048, bufferRows: 40 * 2048 })];
 * const stream = new SiteStreams(Object.fromEntries(sites.map(mixed)));
 * const trainer = new SaeTrainer(sites.map((site) => ({ name: site, site, sae: saeFor(site) })), { stream, totalSteps: 2000 });
 * ```
 */
export class SiteStreams<B extends ActivationBatch = ActivationBatch>
  implements AsyncIterableIterator<Readonly<Record<string, B>>>, Resumable
{
  readonly #streams: readonly (readonly [site: string, stream: ResumableStream<B>])[];

  constructor(streams: Readonly<Record<string, ResumableStream<B>>>) {
    this.#streams = Object.entries(streams);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next batch of each; the end where any has ended. */
  async next(): Promise<IteratorResult<Readonly<Record<string, B>>>> {
    const batch: Record<string, B> = {};
    let ended = false;
    for (const [site, stream] of this.#streams) {
      const { value, done } = await stream.next(); // of all, though one has ended: they stay at the same place
      if (done) ended = true;
      else batch[site] = value;
    }
    return ended ? { done: true, value: undefined } : { done: false, value: batch };
  }

  async state(): Promise<Snapshot> {
    const parts: Record<string, Snapshot> = {};
    for (const [site, stream] of this.#streams) parts[site] = await stream.state();
    return joinSnapshots(parts);
  }

  /** @throws TensorError for the state of other sites. */
  async restore(state: Snapshot): Promise<void> {
    for (const [site, stream] of this.#streams) await stream.restore(partOf(state, site));
  }
}
