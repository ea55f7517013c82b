import { type Device, OutOfMemoryError, openDevice } from "@cursive/tensor";
import { describe, expect, it, vi } from "vitest";
import { littleModel, littleSae } from "../testing/little_runs.ts";
import { MemoryFiles, SavedRuns } from "./saved_runs.ts";
import { type TrainEvent, TrainHost, type TrainStatus } from "./train_host.ts";
import { ModelSession } from "./train_model.ts";

/** A host whose events are kept, with the devices that it opened. */
function hostOf(options: { files?: MemoryFiles; saveEveryMs?: number; lock?: () => Promise<(() => void) | undefined> } = {}) {
  const { files = new MemoryFiles(), ...rest } = options;
  const events: TrainEvent[] = [];
  const devices: Device[] = [];
  const open = async (): Promise<Device> => {
    const device = await openDevice();
    devices.push(device);
    return device;
  };
  const runs = new SavedRuns(files);
  const host = new TrainHost({ runs, tell: (event) => events.push(event), open, ...rest });
  const status = (): TrainStatus => {
    const last = events.findLast((event) => event.type === "status");
    return last?.type === "status" ? last.status : { state: "idle" };
  };
  /** The curves as a page puts them together, without wall times. */
  const curves = (): number[][] => {
    let rows: (readonly number[])[] = [];
    for (const event of events) if (event.type === "points") rows = [...rows.slice(0, event.from), ...event.rows];
    return rows.map((row) => row.slice(0, -1));
  };
  const reached = (check: (status: TrainStatus) => boolean): Promise<void> =>
    vi.waitFor(() => expect(check(status())).toBe(true), { timeout: 60_000, interval: 5 });
  return { host, runs, events, devices, status, curves, reached };
}

describe("TrainHost", () => {
  it("starts, takes a step, plays, pauses, goes on to the end, and tells every step once", async () => {
    const { host, status, curves, reached, runs, events } = hostOf();
    await host.start(littleModel);
    expect([status().state, status().run?.step, status().run?.steps]).toEqual(["paused", 0, 12]);
    await host.step();
    expect([status().state, status().run?.step]).toEqual(["paused", 1]);
    host.play();
    await reached(({ run }) => (run?.step ?? 0) >= 3);
    await host.pause();
    const paused = status().run!.step;
    expect(status().state).toBe("paused");
    expect(status().run?.savedStep).toBe(paused);
    host.play();
    await reached(({ state }) => state === "finished");
    expect(curves().map(([step]) => step)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    expect((await runs.list()).map(({ step, steps }) => [step, steps])).toEqual([[12, 12]]);
    const looks = events.filter((event) => event.type === "look");
    const last = looks.at(-1)!;
    expect(last.look.kind === "model" && last.look.samples.map(({ step }) => step)).toEqual([1, 8, 10, 12]);
    await host.stop();
    expect(status()).toEqual({ state: "idle" });
  });

  it("opens a saved run in another host, as after a reload, and ends where one that never stopped ends", async () => {
    const files = new MemoryFiles();
    const first = hostOf({ files });
    await first.host.start(littleModel);
    for (let i = 0; i < 3; i++) await first.host.step();
    first.host.tune({ rateFactor: 0.5, sparsityFactor: 1 });
    const second = hostOf({ files });
    await second.host.list();
    const [entry] = await second.runs.list();
    expect(entry!.step).toBe(3);
    await first.host.save();
    await second.host.open(entry!.id);
    expect(second.status().run?.tuning.rateFactor).toBe(0.5);
    for (const { host, reached } of [first, second]) {
      host.play();
      await reached(({ state }) => state === "finished");
    }
    const withoutTests = (rows: number[][]): number[][] => rows.map(([step, loss, _, __, lr]) => [step!, loss!, lr!]);
    expect(withoutTests(second.curves())).toEqual(withoutTests(first.curves()));
    expect(await second.host.exportWeights()).toEqual(await first.host.exportWeights());
    await second.host.remove(entry!.id);
    expect([second.status(), await second.runs.list()]).toEqual([{ state: "idle" }, []]);
    for (const { host } of [first, second]) await host.stop();
  });

  it("goes on from the saved step where the device is lost, running or not, and says so", async () => {
    const { host, devices, status, reached, curves } = hostOf();
    await host.start({ ...littleModel, steps: 60, lookEvery: 1000 });
    for (let i = 0; i < 2; i++) await host.step();
    devices[0]!.destroy();
    await reached(({ state, failure }) => state === "paused" && failure?.kind === "lost");
    expect(status().run?.step).toBe(2);
    host.play();
    await reached(({ run }) => (run?.step ?? 0) >= 5);
    devices[1]!.destroy();
    await vi.waitFor(() => expect(devices).toHaveLength(3), { timeout: 60_000 });
    await reached(({ state }) => state === "finished");
    expect(status().failure?.text).toMatch(/The GPU was lost at step \d+\. The run goes on from step 2, which was saved\./);
    expect(curves().map(([step]) => step)).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
    await host.stop();
  });

  it("saves as it goes, and goes on where there is no room to save, but says so", async () => {
    const files = new MemoryFiles();
    const { host, status, reached, runs } = hostOf({ files, saveEveryMs: 0 });
    await host.start({ ...littleModel, steps: 5 });
    const write = files.write.bind(files);
    let isFull = true;
    files.write = (name, bytes) => (isFull ? Promise.reject(new DOMException("full", "QuotaExceededError")) : write(name, bytes));
    host.play();
    await reached(({ state }) => state === "finished");
    expect(status().failure).toEqual({
      kind: "storage",
      text: "The browser has no more room to save this run. Delete saved runs, or save it to a file. Training goes on.",
    });
    expect((await runs.list()).map(({ step }) => step)).toEqual([0]);
    isFull = false;
    await host.save();
    expect(status().failure).toBeUndefined();
    expect((await runs.list()).map(({ step }) => step)).toEqual([5]);
    await host.stop();
  });

  it("trains an autoencoder from a file too, and shows the feature that is asked for", async () => {
    const { host, status, events, reached } = hostOf();
    await host.start(littleModel);
    const model = await host.exportWeights();
    await host.start(littleSae("default"), { model });
    await host.step();
    await host.watch(7);
    const looked = (): number => {
      const last = events.findLast((event) => event.type === "look");
      return last?.type === "look" && last.look.kind === "sae" ? last.look.feature.index : -1;
    };
    expect(looked()).toBe(7);
    const file = await host.saveFile();
    await host.openFile(file);
    expect([status().state, status().run?.step]).toEqual(["paused", 1]);
    host.play();
    await reached(({ run }) => (run?.step ?? 0) >= 6);
    await Promise.all([host.watch(8), host.watch(9)]); // while it runs
    expect(looked()).toBe(9);
    await reached(({ state }) => state === "finished");
    await host.stop();
  });

  it("opens runs one after another, however fast they are asked for, and closes none half-way", async () => {
    const { host, status, runs, devices } = hostOf();
    await Promise.all([host.start(littleModel), host.start({ ...littleModel, steps: 7 })]);
    expect([status().state, status().failure, status().run?.steps]).toEqual(["paused", undefined, 7]);
    expect((await runs.list()).map(({ steps }) => steps).sort()).toEqual([12, 7]);
    await host.step();
    expect([devices.length, status().run?.step]).toEqual([2, 1]);
    await Promise.all([host.start(littleModel), host.stop()]);
    expect(status()).toEqual({ state: "idle" });
  });

  it("says where memory does not suffice for what is asked for between steps, and what to reduce", async () => {
    const { host, status } = hostOf();
    await host.start(littleModel);
    const full = vi.spyOn(ModelSession.prototype, "look").mockRejectedValue(new OutOfMemoryError("no room"));
    await expect(host.step()).rejects.toThrow("no room");
    expect(status()).toMatchObject({ state: "paused", failure: { kind: "memory" } });
    expect(status().failure?.text).toContain("reduce the batch, the layers or the width");
    full.mockRestore();
    await host.step();
    expect(status().failure).toBeUndefined();
    await host.stop();
  });

  it("tells the rate of the next step, by the schedule and the tuning", async () => {
    const { host, status } = hostOf();
    const schedule = { stepSize: 2, gamma: 0.5 };
    await host.start({ ...littleModel, training: { ...littleModel.training, lr: 0.01, schedule } });
    host.tune({ rateFactor: 0.1, sparsityFactor: 1 });
    const told: number[] = [];
    for (let i = 0; i < 4; i++) {
      told.push(status().run!.rate);
      await host.step();
    }
    expect(told.map((rate) => rate.toPrecision(3))).toEqual(["0.00100", "0.00100", "0.000500", "0.000500"]);
    await host.stop();
  });

  it("says what is wrong where a run cannot begin, be opened, or go on", async () => {
    const { host, status, runs } = hostOf();
    await host.openFile(new Uint8Array(9));
    expect([status().state, status().failure?.text]).toEqual(["failed", expect.stringContaining("Expected a safetensors file")]);
    await host.open("gone");
    expect(status().failure?.text).toContain("it was deleted");
    await host.start({ ...littleModel, training: { ...littleModel.training, lr: 1e30, maxGradNorm: 1e30 } });
    for (let i = 0; i < 4 && status().state === "paused"; i++) await host.step().catch(() => {});
    expect(status().failure?.kind).toBe("numbers");
    expect(status().failure?.text).toContain("A lower learning rate may help");
    expect(status().failure?.id).toBe((await runs.list())[0]!.id);
    const other = hostOf({ lock: async () => undefined });
    await other.host.start(littleModel);
    expect(other.status().failure?.text).toContain("open in another tab");
    await expect(host.saveFile()).rejects.toThrow("start one first");
  });
});
