import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openDevice } from "@cursive/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ChromeTrace } from "../profile/chrome_trace.ts";
import type { Profile } from "../profile/profile_steps.ts";
import { type TemporaryFolder, temporaryFolder } from "../testing/mini.ts";
import { runHere } from "../testing/run_here.ts";
import { requireClock } from "./profile.ts";

let folder: TemporaryFolder;
let hasClock: boolean;
beforeAll(async () => {
  folder = temporaryFolder();
  using device = await openDevice();
  hasClock = device.gpu.features.has("timestamp-query");
});
afterAll(() => folder[Symbol.dispose]());

type Printed = Profile & { readonly event: string; readonly what: string; readonly adapter: string };

function checkFigures(profile: Printed): void {
  const { kernels, roofline, busy } = profile;
  expect(kernels.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1);
  expect(kernels.reduce((sum, { milliseconds }) => sum + milliseconds, 0)).toBeCloseTo(profile.launchMillisecondsPerStep);
  expect(roofline.gigaflops).toBeGreaterThan(0);
  expect(roofline.gigabytesPerSecond).toBeGreaterThan(0);
  expect(busy).toBeGreaterThan(0);
  expect(busy).toBeLessThanOrEqual(1.001);
  for (const { kernel, gigabytesPerSecond } of kernels) expect([kernel, gigabytesPerSecond]).not.toEqual([kernel, null]);
  const counted = kernels.filter(({ gigaflops }) => gigaflops !== null).map(({ kernel }) => kernel.split(/[_.]/)[0]);
  expect(new Set(counted)).toEqual(
    new Set(kernels.map(({ kernel }) => kernel.split(/[_.]/)[0]).filter((x) => x === "gemm" || x === "attention")),
  );
}

describe("profile", () => {
  it("says of every kernel of a training step what it takes, and writes all of it as a trace", async ({ skip }) => {
    skip(!hasClock, "no timestamp queries");
    const trace = join(folder.path, "step.json");
    const args = ["--config", folder.config, "--timed-steps", "3", "--trace", trace, "--json"];
    const { code, stdout } = await runHere("profile", "train", ...args);
    expect(code).toBe(0);
    const profile = JSON.parse(stdout) as Printed;
    expect(profile).toMatchObject({ event: "profile", what: "train", steps: 3 });
    expect(profile).not.toHaveProperty("watched");
    checkFigures(profile);
    expect(profile.kernels.find(({ kernel }) => kernel.startsWith("optimizer.adam"))).toMatchObject({ launches: 1 });
    const { traceEvents } = JSON.parse(readFileSync(trace, "utf8")) as ChromeTrace;
    const spans = traceEvents.filter((event) => event.ph === "X");
    const launches = profile.kernels.reduce((sum, row) => sum + row.launches, 0);
    expect(spans.filter(({ cat }) => cat === "launch")).toHaveLength(3 * launches);
    const steps = spans.filter(({ cat }) => cat === "step");
    expect(steps).toHaveLength(6);
    for (const launch of spans.filter(({ cat }) => cat === "launch")) {
      const inside = steps.some(({ ts, dur }) => ts - 1e-3 <= launch.ts && launch.ts + launch.dur <= ts + dur + 1e-3);
      expect(inside).toBe(true);
    }
  });

  it("profiles autoencoders with the model's reading that feeds them, and prints a table", async ({ skip }) => {
    skip(!hasClock, "no timestamp queries");
    const runs = ["--runs", join(folder.path, "runs")];
    const quiet = ["--quiet", "--set", "logging.report=false", "--set", "logging.tensorboard=false"];
    expect((await runHere("train", "--config", folder.config, "--steps", "1", ...quiet, ...runs)).code).toBe(0);
    const sae = ["--batch-rows", "12", "--k", "2", "--set", "data.bufferRows=40", "--set", "data.chunk=1", "--timed-steps", "3", ...runs];
    const { code, stdout } = await runHere("profile", "sae", ...sae);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^step {6}[\d.]+ ms in the training loop.* % of the loop's time is spent in submitted work$/m);
    expect(stdout).toMatch(/^roofline {2}[\d.,]+ GFLOP\/s .*GB\/s \(a copy\)/m);
    expect(stdout).toMatch(/^keep_topk\.\S+ .* – /m);
    expect(stdout).toMatch(/^attention_\w+\.forward/m); // the model reads
  });

  it("refuses what cannot be, in a line, before anything is timed", async () => {
    const refused = async (...args: string[]) => {
      const { code, stderr } = await runHere("profile", ...args);
      return { code, stderr: stderr.replace(/^Warning: .*\n/gm, "") };
    };
    expect(await refused("train", "--trace", join(folder.path, "none/step.json"))).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^error: Expected a file in a folder that is there after --trace .*\n$/),
    });
    expect((await refused("train", "--timed-steps", "0")).code).toBe(2);
    expect((await refused("train", "--steps", "5")).code).toBe(2); // it trains nothing
    expect((await refused("train", "--set", "model.layers=2")).code).toBe(2);
    expect((await refused("sae", "--run", "none", "--runs", folder.path)).code).toBe(2);
    const clockless = await openDevice({ limits: "default", asDefault: false });
    expect(() => requireClock(clockless)).toThrow(/^Expected an adapter with timestamp queries/);
  });
});
