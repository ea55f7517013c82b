import { copyFile, link, rename, rm } from "node:fs/promises";
import { RunFailed, systemCode } from "../errors.ts";
import { type CheckpointCodec, CheckpointError } from "./checkpoint.ts";
import { readIfThere, syncFolder, writeSynced } from "./files.ts";
import type { RunFolder } from "./run_folder.ts";

const LAST = "checkpoints/last.safetensors";
const PREVIOUS = "checkpoints/previous.safetensors";

/** A run's checkpoints on disk: the last one, and the one before it. */
export class CheckpointStore<S extends { readonly step: number }> {
  readonly #folder: RunFolder;
  readonly #codec: CheckpointCodec<S>;

  /** @param codec How states become bytes; it refuses those of other runs. */
  constructor(folder: RunFolder, codec: CheckpointCodec<S>) {
    this.#folder = folder;
    this.#codec = codec;
  }

  /**
   * Saves a state; the one saved before stays as the previous. At every moment the last checkpoint is a whole one: the new file is complete
   * and on the disk before it takes the old one's name.
   */
  async save(state: S): Promise<string> {
    const last = this.#folder.file(LAST);
    const previous = this.#folder.file(PREVIOUS);
    const partial = `${last}.partial`;
    await this.#folder.ensure("checkpoints");
    try {
      await writeSynced(partial, this.#codec.encode(state));
      await keepAs(last, previous);
      await rename(partial, last);
    } catch (error) {
      await rm(partial, { force: true }).catch(() => {});
      throw error;
    }
    await syncFolder(this.#folder.file("checkpoints"));
    return last;
  }

  /**
   * The state to go on from: the last one, or the previous where that is damaged, which `warn` is told. The damaged file is kept under another
   * name. Undefined where nothing has been saved yet.
   * @throws RunFailed where there are checkpoints but none that can be used.
   */
  async load(warn: (message: string) => void = () => {}): Promise<S | undefined> {
    const faults: string[] = [];
    for (const name of [LAST, PREVIOUS]) {
      const path = this.#folder.file(name);
      const bytes = await readIfThere(path);
      if (!bytes) continue;
      try {
        const state = this.#codec.decode(bytes);
        if (faults.length > 0) {
          warn(`${faults.join("; ")}: going on from ${name}, step ${state.step}`);
          await rename(this.#folder.file(LAST), this.#folder.file(`${LAST}.damaged`)); // or saving would make it the previous one
        }
        return state;
      } catch (error) {
        if (!(error instanceof CheckpointError)) throw error;
        faults.push(`${path}: ${error.message}`);
      }
    }
    if (faults.length > 0) throw new RunFailed(`Expected a checkpoint to go on from but found none that can be used: ${faults.join("; ")}`);
    return undefined;
  }
}

/** Gives a file a second name, in place of what had that name, without a moment in which neither is there. */
async function keepAs(path: string, name: string): Promise<void> {
  const partial = `${name}.partial`;
  await rm(partial, { force: true });
  try {
    await link(path, partial).catch((error) => (systemCode(error) === "ENOENT" ? Promise.reject(error) : copyFile(path, partial)));
  } catch (error) {
    if (systemCode(error) === "ENOENT") return; // the first checkpoint has none before it
    throw error;
  }
  await rename(partial, name);
}
