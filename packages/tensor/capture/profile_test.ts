import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tensor, zeros } from "../create.ts";
import type { Device } from "../device/device.ts";
import { openDevice } from "../device/open.ts";
import { CaptureError } from "../errors.ts";
import { Linear } from "../nn/layers.ts";
import { AdamW } from "../optim/adam.ts";
import type { Tensor } from "../tensor.ts";
import { seededValues } from "../testing/mod.ts";
import { capture } from "./capture.ts";
import { canTime } from "./clocked_run.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

const x = { shape: [64, 256], dtype: "f32" as const, data: Float32Array.from(seededValues(1, [64, 256]).data) };

/** A training step on its own layer, captured. */
function setUp() {
  const layer = new Linear(256, 256);
  const optimizer = new AdamW(layer.parameters(), { lr: 1e-2 });
  const step = capture((x: Tensor) => {
    optimizer.zeroGrad();
    const loss = layer.call(x).square().mean();
    loss.backward();
    optimizer.step();
    return loss;
  });
  return { layer, optimizer, step };
}

describe("profile()", () => {
  it("times each launch of a step, names it, and counts what it binds", async ({ skip }) => {
    skip(!canTime(device), "no timestamp queries");
    const { step } = setUp();
    const { dispatches } = await step.prepare(x);
    const launches = await step.profile(x);
    expect(launches).toHaveLength(dispatches);
    const total = launches.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
    expect(total).toBeGreaterThan(0);
    expect(total).toBeLessThan(120_000);
    const adam = launches.find(({ entry }) => entry === "adam")!;
    expect(adam.kernel).toMatch(/^optimizer\.adam/);
    expect(adam.bytes).toBeGreaterThanOrEqual(4 * 4 * (256 * 256 + 256)); // values, gradients, two moments
  });

  it("changes what a run changes, and nothing else", async ({ skip }) => {
    skip(!canTime(device), "no timestamp queries");
    const [profiled, plain] = [setUp(), setUp()];
    plain.layer.loadStateDict(await profiled.layer.stateDict());
    for (let i = 0; i < 3; i++) {
      await profiled.step.profile(x);
      await plain.step(x);
    }
    expect(profiled.optimizer.stepCount).toBe(3);
    expect(await profiled.layer.weight.data()).toEqual(await plain.layer.weight.data());
    expect(await (await profiled.step(x)).item()).toBe(await (await plain.step(x)).item());
  });

  it("times more launches than a set of queries is large", async ({ skip }) => {
    skip(!canTime(device), "no timestamp queries");
    const count = 2050;
    const step = capture((x: Tensor) => {
      let sum = x;
      for (let i = 0; i < count; i++) sum = sum.add(1);
      return sum;
    });
    const one = tensor([1]);
    const launches = await step.profile(one);
    expect(launches).toHaveLength(count);
    for (const [i, { start, milliseconds }] of launches.entries()) {
      expect(milliseconds).toBeGreaterThanOrEqual(0);
      expect(start).toBeGreaterThanOrEqual(launches[i - 1]?.start ?? 0);
    }
    expect(await (await step(one)).item()).toBe(1 + count);
  });

  it("says so where the adapter has no clock", async () => {
    using bare = await openDevice({ limits: "default", asDefault: false });
    const step = capture((x: Tensor) => x.add(1), { device: bare });
    await expect(step.profile(zeros([4], { device: bare }))).rejects.toThrow(CaptureError);
    expect(await (await step(tensor([1, 2], { device: bare }))).array()).toEqual([2, 3]);
  });
});
