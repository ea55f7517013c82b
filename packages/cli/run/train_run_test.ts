import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { type Device, OutOfMemoryError, openDevice } from "@cursive/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunConfig } from "../config/run_config.ts";
import { Interrupted, RunFailed } from "../errors.ts";
import { lastStateHash, makeRunFolder, miniConfig, temporaryFolder, trainMini } from "../testing/mini.ts";
import { isEvaluation, type MetricsRow, readMetrics } from "./metrics.ts";
import type { RunFolder } from "./run_folder.ts";
import { readStatus } from "./status.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

/** What training measured, without what the clock did. */
async function measured(folder: RunFolder): Promise<object[]> {
  const rows = await readMetrics(folder.file("metrics.jsonl"));
  return rows.map((row: MetricsRow) => (isEvaluation(row) ? row : { step: row.step, loss: row.loss, lr: row.lr }));
}

/** Trains a run to its end, without a break. */
async function straight(parent: string, config: RunConfig): Promise<RunFolder> {
  const folder = await makeRunFolder(parent, { config, device });
  await trainMini(config, { device, folder });
  return folder;
}

/** Aborts a run after a step, as Ctrl-C does. */
function stopAfter(step: number): { signal: AbortSignal; afterStep: (taken: number) => void } {
  const controller = new AbortController();
  const afterStep = (taken: number): void => {
    if (taken === step) controller.abort(new Interrupted("interrupted", { exitCode: 130 }));
  };
  return { signal: controller.signal, afterStep };
}

describe("trainRun()", () => {
  it("leaves metrics of each step and evaluation, checkpoints, pictures, and a status", async () => {
    using parent = temporaryFolder();
    const config = miniConfig({ "samples.early": true });
    const folder = await straight(parent.path, config);
    const rows = await measured(folder);
    expect(rows.map((row) => (row as MetricsRow).step)).toEqual([1, 2, 3, 4, 5, 6, 6, 7, 8, 9, 10, 11, 12, 12]);
    expect(readdirSync(folder.file("checkpoints")).sort()).toEqual(["best.safetensors", "last.safetensors", "previous.safetensors"]);
    const pictures = ["step-000001", "step-000006", "step-000010", "step-000012"].flatMap((name) => [`${name}.png`, `${name}.svg`]);
    expect(readdirSync(folder.file("samples")).sort()).toEqual(pictures);
    expect(await readStatus(folder.path)).toMatchObject({ state: "finished", step: 12, steps: 12 });
  });

  it("draws both pictures of a step again where it was killed before or between them", async () => {
    using parent = temporaryFolder();
    const folder = await straight(parent.path, miniConfig());
    const pictures = ["samples/step-000012.svg", "samples/step-000012.png"].map((name) => folder.file(name));
    const wanted = pictures.map((path) => readFileSync(path));
    for (const lost of [pictures.slice(1), pictures]) {
      for (const path of lost) rmSync(path);
      await trainMini(miniConfig(), { device, folder });
      expect(pictures.map((path) => readFileSync(path))).toEqual(wanted);
    }
  });

  it("goes on bit for bit wherever it was interrupted, with the metrics of a run that was not", async () => {
    using parent = temporaryFolder();
    const config = miniConfig();
    const wanted = await straight(parent.path, config);
    for (const stops of [[1], [6], [5, 8], [12]]) {
      const folder = await makeRunFolder(parent.path, { config, device });
      for (const step of stops) {
        const error = await trainMini(config, { device, folder, ...stopAfter(step) }).catch((e) => e);
        expect(error).toBeInstanceOf(Interrupted);
        expect((await readStatus(folder.path))?.state).toBe("interrupted");
      }
      await trainMini(config, { device, folder });
      expect(lastStateHash(folder.path)).toBe(lastStateHash(wanted.path));
      expect(await measured(folder)).toEqual(await measured(wanted));
    }
  });

  it("trains the same whether it evaluates and draws often, or not at all", async () => {
    using parent = temporaryFolder();
    const quiet = await straight(parent.path, miniConfig({ "training.evaluateEvery": 100 }));
    const busy = await straight(
      parent.path,
      miniConfig({ "training.evaluateEvery": 1, "samples.early": true, "checkpoints.everySteps": 1 }),
    );
    expect(lastStateHash(busy.path)).toBe(lastStateHash(quiet.path));
  });

  it("saves by the clock too", async () => {
    using parent = temporaryFolder();
    const config = miniConfig({ "checkpoints.everySteps": null, "checkpoints.everySeconds": 1e-6, "training.evaluateEvery": 100 });
    const folder = await makeRunFolder(parent.path, { config, device });
    const error = (await trainMini(config, { device, folder, afterStep: (step) => step === 6 && fail("the machine stops") }).catch(
      (e) => e,
    )) as Error;
    expect(error.message).toContain("the machine stops; step ");
    expect((await readStatus(folder.path))!.step).toBeGreaterThanOrEqual(4);
  });

  it("stops at a loss that is NaN, keeps the state before, and names step and tensor", async () => {
    using parent = temporaryFolder();
    const config = miniConfig({ "training.maxGradNorm": null, "training.weightDecay": 1e6, "checkpoints.everySteps": 50 });
    const folder = await makeRunFolder(parent.path, { config, device });
    const error = await trainMini(config, { device, folder }).catch((e) => e);
    expect(error).toBeInstanceOf(RunFailed);
    expect(error.message).toMatch(
      /found a loss of (NaN|Infinity) at step \d+: the first such tensor is (the gradient of )?[a-z_]+\.[\w.]+ (at|after) step \d+/,
    );
    expect(error.message).toContain("step 0 is saved");
    expect(error.message).not.toContain("\n");
    expect((await readStatus(folder.path))?.state).toBe("failed");
    expect((await readMetrics(folder.file("metrics.jsonl"))).every((row) => isEvaluation(row) || Number.isFinite(row.loss))).toBe(true);
  });

  it("says in one line that the device was lost or ran out of memory, and goes on from what was saved", async () => {
    using parent = temporaryFolder();
    const config = miniConfig();
    const wanted = await straight(parent.path, config);
    const lost = await openDevice({ asDefault: true });
    const failures = [
      { device: lost, afterStep: (step: number) => step === 6 && lost.gpu.destroy(), says: /device was lost/ },
      {
        device,
        afterStep: (step: number) => step === 6 && fail(new OutOfMemoryError("The GPU ran out of memory: 5 GB")),
        says: /out of memory/,
      },
    ];
    for (const { says, ...failing } of failures) {
      const folder = await makeRunFolder(parent.path, { config, device: failing.device });
      const error = await trainMini(config, { folder, device: failing.device, afterStep: (step) => void failing.afterStep(step) }).catch(
        (e) => e,
      );
      device = failing.device === lost ? await openDevice() : device; // the next one is the default again
      expect(error).toBeInstanceOf(RunFailed);
      expect(error.message).toMatch(says);
      expect(error.message).toMatch(/; step [46] is saved in .*goes on from it$/);
      expect(error.message).not.toContain("\n");
      await trainMini(config, { device, folder });
      expect(lastStateHash(folder.path)).toBe(lastStateHash(wanted.path));
      expect(await measured(folder)).toEqual(await measured(wanted));
    }
  });

  it.skipIf(process.platform !== "linux")("says in one line that the disk is full, and keeps what was saved", async () => {
    using parent = temporaryFolder();
    const config = miniConfig();
    const folder = await makeRunFolder(parent.path, { config, device });
    mkdirSync(folder.file("checkpoints"));
    const fill = (step: number): void => {
      if (step === 5) symlinkSync("/dev/full", folder.file("checkpoints/last.safetensors.partial"));
    };
    const error = await trainMini(config, { device, folder, afterStep: fill }).catch((e) => e);
    expect(error.message).toMatch(/^Expected room on the disk but found it full .*step 4 is saved/);
    await trainMini(config, { device, folder });
    expect(existsSync(folder.file("checkpoints/best.safetensors"))).toBe(true);
    expect((await readStatus(folder.path))?.state).toBe("finished");
  });

  it("refuses metrics without a checkpoint rather than to begin again over them", async () => {
    using parent = temporaryFolder();
    const config = miniConfig();
    const folder = await straight(parent.path, config);
    const metrics = readFileSync(folder.file("metrics.jsonl"), "utf8");
    const { rmSync } = await import("node:fs");
    rmSync(join(folder.path, "checkpoints"), { recursive: true });
    await expect(trainMini(config, { device, folder })).rejects.toThrow("Expected a checkpoint beside the metrics");
    expect(readFileSync(folder.file("metrics.jsonl"), "utf8")).toBe(metrics);
  });
});

function fail(why: string | Error): never {
  throw typeof why === "string" ? new Error(why) : why;
}
