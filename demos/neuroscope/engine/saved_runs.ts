import type { TrainConfig } from "./train_config.ts";

/** A folder of files. A write is whole or not at all; names are never reused. */
export interface RunFiles {
  list(): Promise<string[]>;
  read(name: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** @throws DOMException named `QuotaExceededError` where there is no room; then nothing is written. */
  write(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Takes a file away, if it is there. */
  remove(name: string): Promise<void>;
}

/** A saved run in the list. */
export interface RunEntry {
  readonly id: string;
  readonly config: TrainConfig;
  readonly step: number;
  readonly steps: number;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  readonly savedAt: number;
  readonly bytes: number;
}

/** What is saved of a run besides its file. */
export type RunSaving = Omit<RunEntry, "id" | "savedAt" | "bytes">;

/**
 * Runs kept in the browser. Each saving is two new files, `ID.N.safetensors` with everything the run needs, then `ID.N.json` with its line
 * in the list; only once the second is there does the saving count, and only then older ones go, but for the one before. So a run can be
 * opened again after a crash at any moment.
 *
 * @example
 * ```ts
 * const runs = new SavedRuns(await openRunFiles());
 * await runs.save("a1", { config, step: 100, steps: 1000, startedAt: Date.now() }, await session.save());
 * for (const { id, step } of await runs.list()) console.log(id, step);
 * ```
 */
export class SavedRuns {
  readonly #files: RunFiles;
  readonly #now: () => number;

  constructor(files: RunFiles, options: { readonly now?: () => number } = {}) {
    this.#files = files;
    this.#now = options.now ?? Date.now;
  }

  /** All runs, those saved last first. Where a run's last line is damaged it is the one before; without any that can be read it is left out. */
  async list(): Promise<RunEntry[]> {
    const entries: RunEntry[] = [];
    for (const [id, savings] of runsIn(await this.#files.list())) {
      for (const number of savings) {
        const entry = await this.#entry(id, number);
        if (!entry) continue;
        entries.push(entry);
        break;
      }
    }
    return entries.sort((a, b) => b.savedAt - a.savedAt);
  }

  /** Saves a run. @throws DOMException named `QuotaExceededError` where there is no room; what was saved before then stays. */
  async save(id: string, run: RunSaving, bytes: Uint8Array<ArrayBuffer>): Promise<RunEntry> {
    const names = await this.#files.list();
    const before = runsIn(names).get(id) ?? [];
    const number = (allNumbers(id, names).at(-1) ?? -1) + 1; // after half a saving too
    const entry: RunEntry = { id, ...run, savedAt: this.#now(), bytes: bytes.length };
    try {
      await this.#files.write(stateName(id, number), bytes);
      await this.#files.write(entryName(id, number), new TextEncoder().encode(JSON.stringify(entry)));
    } catch (error) {
      await this.#files.remove(stateName(id, number));
      throw error;
    }
    await this.#forget(id, names, [number, ...before.slice(0, 1)]);
    return entry;
  }

  /**
   * A run's file as it was saved last; where `check` refuses that, the one before.
   * @throws What `check` says of the last, where none is whole. @throws RangeError if there is no such run.
   */
  async open<T>(id: string, check: (bytes: Uint8Array<ArrayBuffer>) => Promise<T>): Promise<T> {
    let fault: unknown = new RangeError("Expected a saved run but found none of that name: it was deleted");
    for (const [i, number] of (runsIn(await this.#files.list()).get(id) ?? []).entries()) {
      try {
        const bytes = await this.#files.read(stateName(id, number));
        if (bytes) return await check(bytes);
      } catch (error) {
        if (i === 0) fault = error;
      }
    }
    throw fault;
  }

  /** Deletes a run and all that was saved of it. */
  async remove(id: string): Promise<void> {
    const names = await this.#files.list();
    await this.#forget(id, names, []);
  }

  async #entry(id: string, number: number): Promise<RunEntry | undefined> {
    const bytes = await this.#files.read(entryName(id, number));
    try {
      return bytes && (JSON.parse(new TextDecoder().decode(bytes)) as RunEntry);
    } catch {
      return undefined;
    }
  }

  /** Lines of the list go before what they stand for. */
  async #forget(id: string, names: readonly string[], kept: readonly number[]): Promise<void> {
    const old = allNumbers(id, names).filter((number) => !kept.includes(number));
    for (const number of old) await this.#files.remove(entryName(id, number));
    for (const number of old) await this.#files.remove(stateName(id, number));
  }
}

/** Files in main memory: for tests, and for browsers that keep nothing. */
export class MemoryFiles implements RunFiles {
  readonly #files = new Map<string, Uint8Array<ArrayBuffer>>();

  async list(): Promise<string[]> {
    return [...this.#files.keys()];
  }

  async read(name: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return this.#files.get(name)?.slice();
  }

  async write(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    this.#files.set(name, bytes.slice());
  }

  async remove(name: string): Promise<void> {
    this.#files.delete(name);
  }
}

const stateName = (id: string, number: number): string => `${id}.${number}.safetensors`;
const entryName = (id: string, number: number): string => `${id}.${number}.json`;
const NAME = /^([\w-]+)\.(\d+)\.(safetensors|json)$/;

/** Whole savings of each run, the last first. */
function runsIn(names: readonly string[]): Map<string, number[]> {
  const runs = new Map<string, number[]>();
  for (const name of names) {
    const [, id, number, kind] = NAME.exec(name) ?? [];
    if (kind === "json") runs.set(id!, [...(runs.get(id!) ?? []), Number(number)]);
  }
  for (const numbers of runs.values()) numbers.sort((a, b) => b - a);
  return runs;
}

/** Numbers of a run's savings, half ones too, ascending. */
function allNumbers(id: string, names: readonly string[]): number[] {
  const numbers = names.map((name) => NAME.exec(name)).filter((found) => found?.[1] === id);
  return [...new Set(numbers.map((found) => Number(found![2])))].sort((a, b) => a - b);
}
