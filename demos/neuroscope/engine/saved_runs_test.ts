import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MemoryFiles, type RunFiles, SavedRuns } from "./saved_runs.ts";
import { modelPresets } from "./train_config.ts";

const { config } = modelPresets.quick;
const bytesOf = (step: number): Uint8Array<ArrayBuffer> => Uint8Array.of(step, 1, 2, 3);
const saving = (step: number) => ({ config, step, steps: 100, startedAt: 7 });
const read = async (bytes: Uint8Array): Promise<number> => {
  if (bytes[3] !== 3) throw new Error("damaged");
  return bytes[0]!;
};

/** Files that break off at a write or a removal, as a closed tab does. */
class BreakingFiles extends MemoryFiles {
  left = Number.POSITIVE_INFINITY;

  override async write(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    this.#use();
    await super.write(name, bytes);
  }

  override async remove(name: string): Promise<void> {
    this.#use();
    await super.remove(name);
  }

  #use(): void {
    if (this.left-- <= 0) throw new Error("the tab was closed");
  }
}

describe("SavedRuns", () => {
  it("lists a run whose last line is damaged by the one before, and all others", async () => {
    const files = new MemoryFiles();
    const runs = new SavedRuns(files);
    for (const step of [1, 2]) await runs.save("a", saving(step), bytesOf(step));
    await runs.save("b", saving(7), bytesOf(7));
    await files.write("a.1.json", new TextEncoder().encode('{"id":"a","st'));
    const steps = async () => Object.fromEntries((await runs.list()).map(({ id, step }) => [id, step]));
    expect(await steps()).toEqual({ a: 1, b: 7 });
    await files.write("a.0.json", new Uint8Array());
    expect(await steps()).toEqual({ b: 7 });
    await runs.save("a", saving(3), bytesOf(3));
    expect(await steps()).toEqual({ a: 3, b: 7 });
  });

  it("lists runs, those saved last first, opens them, and deletes them with all their files", async () => {
    let now = 1000;
    const files = new MemoryFiles();
    const runs = new SavedRuns(files, { now: () => now++ });
    await runs.save("a", saving(1), bytesOf(1));
    await runs.save("b", saving(2), bytesOf(2));
    expect(await runs.save("a", saving(3), bytesOf(3))).toEqual({ id: "a", ...saving(3), savedAt: 1002, bytes: 4 });
    expect((await runs.list()).map(({ id, step, savedAt }) => [id, step, savedAt])).toEqual([["a", 3, 1002], ["b", 2, 1001]]); // biome-ignore format: one line
    expect(await runs.open("a", read)).toBe(3);
    await runs.remove("a");
    expect(await files.list()).toEqual(["b.0.safetensors", "b.0.json"]);
    await expect(runs.open("a", read)).rejects.toThrow("it was deleted");
  });

  it("keeps the saving before, and opens it where the last one is damaged", async () => {
    const files = new MemoryFiles();
    const runs = new SavedRuns(files);
    for (const step of [1, 2, 3]) await runs.save("a", saving(step), bytesOf(step));
    expect((await files.list()).sort()).toEqual(["a.1.json", "a.1.safetensors", "a.2.json", "a.2.safetensors"]);
    await files.write("a.2.safetensors", Uint8Array.of(3, 1, 2, 9));
    expect(await runs.open("a", read)).toBe(2);
    await files.write("a.1.safetensors", Uint8Array.of(2, 1, 2, 9));
    await expect(runs.open("a", read)).rejects.toThrow("damaged");
  });

  it("can be opened at a saved step after a crash at any moment, and saves on", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 0, max: 8 }), async (whole, operations) => {
        const files = new BreakingFiles();
        const runs = new SavedRuns(files);
        for (let step = 1; step <= whole; step++) await runs.save("a", saving(step), bytesOf(step));
        files.left = operations;
        const isSaved = await runs.save("a", saving(whole + 1), bytesOf(whole + 1)).then(() => true, () => false); // biome-ignore format: one line
        files.left = Number.POSITIVE_INFINITY;
        const found = await new SavedRuns(files).open("a", read);
        expect(isSaved ? [whole + 1] : [whole, whole + 1]).toContain(found);
        expect((await runs.list()).map(({ step }) => step)).toEqual([found]);
        await runs.save("a", saving(90), bytesOf(90));
        expect(await runs.open("a", read)).toBe(90);
        expect(await files.list()).toHaveLength(4);
      }),
    );
  });

  it("leaves what was saved where there is no room, and no half of what was not", async () => {
    const full: RunFiles = new MemoryFiles();
    const runs = new SavedRuns(full);
    await runs.save("a", saving(1), bytesOf(1));
    const write = full.write.bind(full);
    full.write = (name, bytes) =>
      name.endsWith(".json") ? Promise.reject(new DOMException("full", "QuotaExceededError")) : write(name, bytes);
    await expect(runs.save("a", saving(2), bytesOf(2))).rejects.toThrow("full");
    expect(await full.list()).toEqual(["a.0.safetensors", "a.0.json"]);
    expect(await runs.open("a", read)).toBe(1);
  });
});
