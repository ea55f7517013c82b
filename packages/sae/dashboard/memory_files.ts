import type { IndexFiles } from "../analysis/activation_index.ts";

/** An index' files in main memory: for browsers, and where the index is only a step on the way. */
export class MemoryFiles implements IndexFiles {
  readonly #files = new Map<string, Uint8Array>();

  /** @throws RangeError if there is no such file. */
  async read(name: string): Promise<Uint8Array<ArrayBuffer>> {
    const found = this.#files.get(name);
    if (!found) throw new RangeError(`Expected a file '${name}' but found ${[...this.#files.keys()].join(", ") || "none"}`);
    return found as Uint8Array<ArrayBuffer>;
  }

  async write(name: string, bytes: Uint8Array): Promise<void> {
    this.#files.set(name, bytes);
  }

  async remove(name: string): Promise<void> {
    this.#files.delete(name);
  }
}
