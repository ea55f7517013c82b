import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { zeros } from "../create.ts";
import type { Device } from "../device/device.ts";
import { openDevice } from "../device/open.ts";
import type { Tensor } from "../tensor.ts";
import { capture } from "./capture.ts";
import { canTime } from "./clocked_run.ts";
import { busyShare, StepWatch } from "./step_watch.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

const SIZE = 320;

const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe("StepWatch", () => {
  it("times every run of every captured step, and leaves what they compute as it is", async ({ skip }) => {
    skip(!canTime(device), "no timestamp queries");
    const x = zeros([SIZE, SIZE]).add(1);
    const product = capture((a: Tensor) => a.matmul(a).sum());
    const sum = capture((a: Tensor) => a.sum());
    const watch = new StepWatch(device, { each: "step" });
    const results = [await product(x), await sum(x), await product(x)];
    expect(await Promise.all(results.map((r) => r.item()))).toEqual([SIZE ** 3, SIZE ** 2, SIZE ** 3]);
    const steps = await watch.stop();
    expect(steps.map(({ program }) => program)).toEqual([0, 1, 0]);
    for (const [i, { start, end, launches }] of steps.entries()) {
      expect(end).toBeGreaterThanOrEqual(start); // browsers round to a tenth of a millisecond
      expect(start).toBeGreaterThanOrEqual(steps[i - 1]?.end ?? 0);
      expect(launches).toEqual([]);
    }
    await product(x); // nobody watches any more
    expect(device.stepWatch).toBeUndefined();
  });

  it("times each launch, in order, and says what it did", async ({ skip }) => {
    skip(!canTime(device), "no timestamp queries");
    const x = zeros([SIZE, SIZE]).add(1);
    const product = capture((a: Tensor) => a.matmul(a).sum());
    await product(x);
    const watch = new StepWatch(device, { each: "launch" });
    const value = await (await product(x)).item();
    const [step] = await watch.stop();
    expect(value).toBe(SIZE ** 3);
    expect(step!.launches).toHaveLength(product.plan()!.dispatches);
    expect(step!.launches[0]).toMatchObject({ entry: "main", flops: 2 * SIZE ** 3, start: 0 });
    for (const [i, { start }] of step!.launches.entries()) expect(start).toBeGreaterThanOrEqual(step!.launches[i - 1]?.start ?? 0);
  });

  it("shows by the share of busy time whether somebody keeps the GPU waiting", async ({ skip }) => {
    skip(!canTime(device), "no timestamp queries");
    const x = zeros([SIZE, SIZE]).add(1);
    const product = capture((a: Tensor) => a.matmul(a).sum());
    await (await product(x)).item();
    const shareWith = async ({ pauses }: { pauses: boolean }): Promise<number> => {
      const watch = new StepWatch(device, { each: "step" });
      for (let i = 0; i < 6; i++) {
        const began = performance.now();
        const result = await product(x);
        if (pauses) {
          await result.item();
          await sleep(Math.max(50, 5 * (performance.now() - began))); // in proportion to this very step, however busy the machine is
        }
      }
      return busyShare(await watch.stop());
    };
    const [together, apart] = [await shareWith({ pauses: false }), await shareWith({ pauses: true })];
    expect(together).toBeGreaterThan(1.5 * apart);
    expect(together).toBeLessThanOrEqual(1.001);
    expect(apart).toBeGreaterThan(0);
  });
});

describe("busyShare()", () => {
  it("is what steps leave no gap in", () => {
    const span = (start: number, end: number) => ({ start, end });
    expect(busyShare([span(0, 4), span(4, 10)])).toBe(1);
    expect(busyShare([span(0, 4), span(5, 10)])).toBe(0.9);
    expect(busyShare([])).toBe(0);
  });
});
