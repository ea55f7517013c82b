import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Device, openDevice } from "@cursive/tensor";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { Interrupted } from "../errors.ts";
import { type ReadEvent, readEventFolder, scalarsOf } from "../tensorboard/testing/read_events.ts";
import { lastStateHash, makeRunFolder, miniConfig, temporaryFolder, trainMini } from "../testing/mini.ts";
import { isEvaluation, readMetrics } from "./metrics.ts";
import type { RunFolder } from "./run_folder.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

const eventsOf = (folder: RunFolder): ReadEvent[] => readEventFolder(folder.file("tensorboard"));

/** What the event files should have: the metrics as TensorBoard's 32-bit numbers. */
async function expectInStep(folder: RunFolder): Promise<void> {
  const rows = await readMetrics(folder.file("metrics.jsonl"));
  const events = eventsOf(folder);
  const steps = rows.flatMap((row) => (isEvaluation(row) ? [] : [[row.step, Math.fround(row.loss)]]));
  const evaluations = rows.flatMap((row) => (isEvaluation(row) ? [[row.step, Math.fround(row.testLossReal)]] : []));
  expect(scalarsOf(events, "loss/train")).toEqual(steps);
  expect(scalarsOf(events, "loss/test_real")).toEqual(evaluations);
  const sheets = readdirSync(folder.file("samples")).filter((name) => name.endsWith(".png"));
  const images = events.flatMap(({ step, summary }) => (summary?.value ?? []).filter(({ image }) => image).map(() => step));
  expect(images).toEqual(sheets.map((name) => Number(/\d+/.exec(name)![0])));
}

describe("a run that is published", () => {
  it("leaves a report and event files with curves, sheets, histograms and its configuration", async () => {
    using parent = temporaryFolder();
    const config = miniConfig({ "samples.early": true });
    const folder = await makeRunFolder(parent.path, { config, device });
    await trainMini(config, { device, folder });
    await expectInStep(folder);
    const values = eventsOf(folder).flatMap(({ step, summary }) => (summary?.value ?? []).map((value) => ({ step, ...value })));
    const weights = values.filter(({ tag }) => tag === "parameters/lm_head.weight");
    expect(weights.map(({ step }) => step)).toEqual([6, 12]);
    for (const { histo } of weights) expect(histo!.bucket.reduce((a, b) => a + b)).toBe(histo!.num);
    expect(values.filter(({ tag }) => tag === "first_moments/lm_head.weight")).toHaveLength(2);
    const text = values.find(({ tag }) => tag === "configuration")!.tensor!.stringVal[0]!;
    expect(Buffer.from(text).toString()).toContain('"nEmbd": 8');
    expect(readFileSync(folder.file("report.html"), "utf8")).toContain('<span class="state finished">finished</span>');
  });

  it("has one clean curve after it was interrupted and resumed, and after its event files were lost", async () => {
    using parent = temporaryFolder();
    const config = miniConfig({ "samples.early": true });
    const folder = await makeRunFolder(parent.path, { config, device });
    for (const stop of [5, 9]) {
      const controller = new AbortController();
      const afterStep = (taken: number): void => {
        if (taken === stop) controller.abort(new Interrupted("interrupted", { exitCode: 130 }));
      };
      await trainMini(config, { device, folder, afterStep, signal: controller.signal }).catch((error) => error);
      expect(readFileSync(folder.file("report.html"), "utf8")).toMatch(/The run was interrupted at step \d+\./);
      if (stop === 9) rmSync(folder.file("tensorboard"), { recursive: true });
    }
    await trainMini(config, { device, folder });
    await expectInStep(folder);
  });

  it("takes steps again that were not saved, and shows them once", async () => {
    using parent = temporaryFolder();
    const config = miniConfig({ "samples.early": true, "checkpoints.everySteps": 50 });
    const folder = await makeRunFolder(parent.path, { config, device });
    const failing = { device, folder, afterStep: (step: number) => step === 11 && fail() };
    await trainMini(config, failing).catch((error) => error); // saved at step 6, before the evaluation
    expect(scalarsOf(eventsOf(folder), "loss/train").at(-1)![0]).toBeGreaterThan(6);
    await trainMini(config, { device, folder });
    await expectInStep(folder);
  });

  it("trains the same without, where they are turned off or cannot be written", async () => {
    using parent = temporaryFolder();
    const quiet = miniConfig({ "logging.report": false, "logging.tensorboard": false });
    const off = await makeRunFolder(parent.path, { config: quiet, device });
    await trainMini(quiet, { device, folder: off });
    expect(existsSync(off.file("report.html")) || existsSync(off.file("tensorboard"))).toBe(false);

    const config = miniConfig();
    const blocked = await makeRunFolder(parent.path, { config, device });
    writeFileSync(blocked.file("tensorboard"), "a file where a folder should be");
    mkdirSync(join(blocked.file("report.html"), "a folder where a file should be"), { recursive: true });
    const error = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    try {
      await trainMini(config, { device, folder: blocked });
      const said = error.mock.calls.map(([text]) => String(text)).filter((text) => text.startsWith("note: training goes on without"));
      expect(said).toHaveLength(2); // each once, however often it was tried
    } finally {
      error.mockRestore();
    }
    expect(lastStateHash(blocked.path)).toBe(lastStateHash(off.path));
    expect(statSync(blocked.file("report.html")).isDirectory()).toBe(true);
  });
});

function fail(): never {
  throw new Error("the machine stops");
}
