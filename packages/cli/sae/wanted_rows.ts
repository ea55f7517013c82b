import { setImmediate } from "node:timers/promises";
import { NoRowsError, type Resumable, type Snapshot } from "@cursive/sae";
import { UsageError } from "../errors.ts";

/**
 * A source as a command takes it: where it has no rows of the kinds that are wanted, the refusal names the key of the configuration that chose
 * them. The event loop turns before every piece, so that Ctrl-C is heard even where all pieces wait in main memory.
 */
export class WantedRows<R> implements AsyncIterableIterator<R>, Resumable {
  readonly #source: AsyncIterator<R> & Resumable;
  readonly #place: string;

  /** @param source what gives the rows, and where it finds them, for the message. */
  constructor(source: AsyncIterator<R> & Resumable, { place }: { readonly place: string }) {
    this.#source = source;
    this.#place = place;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** @throws UsageError where no row is of a kind that is wanted. */
  async next(): Promise<IteratorResult<R>> {
    await setImmediate();
    try {
      return await this.#source.next();
    } catch (error) {
      if (!(error instanceof NoRowsError)) throw error;
      throw new UsageError(`Expected tokens of the kinds in data.tokens but found none in ${this.#place}`);
    }
  }

  state(): Snapshot | Promise<Snapshot> {
    return this.#source.state();
  }

  restore(state: Snapshot): void | Promise<void> {
    return this.#source.restore(state);
  }
}
