import { copyFileSync, existsSync, linkSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import type { TrainerState } from "@cursive/cursive-model";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { RunFailed } from "../errors.ts";
import { temporaryFolder } from "../testing/mini.ts";
import { encodeCheckpoint, runCodec } from "./checkpoint.ts";
import { CheckpointStore } from "./checkpoint_store.ts";
import { RunFolder } from "./run_folder.ts";

const metadata = { format: "cursive-model", data: "ab", seed: "1" };

function stateOf(step: number): TrainerState {
  const data = Float32Array.from({ length: 100 }, (_, i) => i * step);
  return {
    step,
    model: new Map([["w", { shape: [100], dtype: "f32", data }]]),
    optimizer: { stepCount: step, lr: 0.1, moments: new Map() },
  };
}

let run: RunFolder;
let store: CheckpointStore<TrainerState>;
const file = (name: string): string => run.file("checkpoints", `${name}.safetensors`);

beforeEach(async () => {
  const folder = temporaryFolder();
  onTestFinished(() => folder[Symbol.dispose]());
  run = await RunFolder.create(folder.path, { name: "run", files: { "config.json": "{}" } });
  store = new CheckpointStore(run, runCodec(metadata));
});

async function loaded(): Promise<{ step: number | undefined; warnings: string[] }> {
  const warnings: string[] = [];
  const state = await store.load((text) => warnings.push(text));
  return { step: state?.step, warnings };
}

describe("CheckpointStore", () => {
  it("goes on from the last state, keeps the one before, and has none at first", async () => {
    expect(await loaded()).toEqual({ step: undefined, warnings: [] });
    for (const step of [1, 2, 3]) await store.save(stateOf(step));
    expect(await loaded()).toEqual({ step: 3, warnings: [] });
    expect(readFileSync(file("previous"))).toEqual(Buffer.from(encodeCheckpoint(stateOf(2), metadata)));
  });

  it("falls back to the previous state where the last is damaged, says so, and does not lose it at the next save", async () => {
    for (const step of [1, 2]) await store.save(stateOf(step));
    const bytes = readFileSync(file("last"));
    bytes[bytes.length - 5]! ^= 4;
    writeFileSync(file("last"), bytes);
    const { step, warnings } = await loaded();
    expect(step).toBe(1);
    expect(warnings).toEqual([
      `${file("last")}: Expected the content that the checksum promises but found other bytes: going on from checkpoints/previous.safetensors, step 1`,
    ]);
    await store.save(stateOf(5));
    expect((await loaded()).step).toBe(5);
    rmSync(file("last"));
    expect((await loaded()).step).toBe(1);
    expect(existsSync(`${file("last")}.damaged`)).toBe(true);
  });

  it("refuses to go on where both are unusable, naming both, and changes nothing", async () => {
    for (const step of [1, 2]) await store.save(stateOf(step));
    truncateSync(file("last"), 100);
    writeFileSync(file("previous"), encodeCheckpoint(stateOf(9), { ...metadata, seed: "2" }));
    const error = (await store.load().catch((e) => e)) as Error;
    expect(error).toBeInstanceOf(RunFailed);
    expect(error.message).toContain("last.safetensors: Expected a header of");
    expect(error.message).toContain("previous.safetensors: Expected a checkpoint of this run but found one of another seed");
    expect(existsSync(file("last"))).toBe(true);
  });

  it("has a whole state after a crash between any two operations of a save", async () => {
    await store.save(stateOf(1));
    await store.save(stateOf(2));
    const next = encodeCheckpoint(stateOf(3), metadata);
    const operations: [left: string, () => void][] = [
      ["half a new file", () => writeFileSync(`${file("last")}.partial`, next.subarray(0, 300))],
      ["a new file", () => writeFileSync(`${file("last")}.partial`, next)],
      ["a second name of the last one", () => linkSync(file("last"), `${file("previous")}.partial`)],
      ["the last one as the previous one too", () => renameSync(`${file("previous")}.partial`, file("previous"))],
      ["the new one as the last one", () => renameSync(`${file("last")}.partial`, file("last"))],
    ];
    for (const [i, [left, operation]] of operations.entries()) {
      operation();
      expect({ left, ...(await loaded()) }).toEqual({ left, step: i < 4 ? 2 : 3, warnings: [] });
      const other = temporaryFolder(); // the same, going on from there with a save
      const copy = await RunFolder.create(other.path, { name: "run", files: { "config.json": "{}" } });
      await copy.ensure("checkpoints");
      for (const name of ["last", "previous", "last.partial", "previous.partial"]) {
        const path = file(name).replace(".partial.safetensors", ".safetensors.partial");
        if (existsSync(path)) copyFileSync(path, path.replace(run.path, copy.path));
      }
      const resumed = new CheckpointStore(copy, runCodec(metadata));
      await resumed.save(stateOf(4));
      expect((await resumed.load())?.step).toBe(4);
      rmSync(copy.file("checkpoints/last.safetensors"));
      expect((await resumed.load())?.step).toBe(i < 4 ? 2 : 3);
      other[Symbol.dispose]();
    }
  });

  it("keeps the last state where a new one cannot be written", async () => {
    if (process.platform !== "linux") return;
    await store.save(stateOf(1));
    const { symlinkSync } = await import("node:fs");
    symlinkSync("/dev/full", `${file("last")}.partial`); // every write to it finds the disk full
    await expect(store.save(stateOf(2))).rejects.toThrow("ENOSPC");
    expect(await loaded()).toEqual({ step: 1, warnings: [] });
    await store.save(stateOf(3));
    expect((await loaded()).step).toBe(3);
  });
});
