import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tensor } from "../create.ts";
import type { Device } from "../device/device.ts";
import { openDevice } from "../device/open.ts";
import { Gelu, LayerNorm, Linear } from "../nn/layers.ts";
import { AdamW } from "../optim/adam.ts";
import { createRng } from "../random/philox.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

describe("eager training", () => {
  it("keeps GPU memory and the process flat over 2,000 steps without a dispose", async () => {
    const rng = createRng(1, "memory");
    const [fc, norm, gelu, out] = [new Linear(32, 128, { rng }), new LayerNorm(128), new Gelu(), new Linear(128, 8, { rng })];
    const optimizer = new AdamW(
      [fc, norm, out].flatMap((m) => [...m.parameters()]),
      { lr: 1e-3 },
    );
    const x = tensor(
      Float32Array.from({ length: 96 * 32 }, () => rng.normal()),
      { shape: [96, 32] },
    );
    const step = (): Promise<number> => {
      optimizer.zeroGrad();
      const loss = out
        .call(gelu.call(norm.call(fc.call(x))))
        .square()
        .mean();
      loss.backward();
      optimizer.step();
      return loss.item();
    };
    const megabytes = (bytes: number): number => bytes / 2 ** 20;
    const held = (): number => megabytes(device.stats().bytesInUse + device.stats().bytesPooled);
    // Pages are not told how much memory their process has; its GPU's they know.
    const resident = (): number => megabytes(globalThis.process?.memoryUsage?.().rss ?? 0);
    let last = Number.POSITIVE_INFINITY;
    /** Takes 500 steps. @returns The least that was held meanwhile: what a collector has not got to yet comes and goes. */
    const least = async (): Promise<{ gpu: number; process: number }> => {
      const found = { gpu: Number.POSITIVE_INFINITY, process: Number.POSITIVE_INFINITY };
      for (let i = 0; i < 500; i++) {
        last = await step();
        if (i % 25 === 0) Object.assign(found, { gpu: Math.min(found.gpu, held()), process: Math.min(found.process, resident()) });
      }
      return found;
    };
    await least(); // until everything is warm
    const before = await least();
    await least();
    const after = await least();
    expect(last).toBeLessThan(1e-3);
    // One step makes about 1 MB of temporaries: 1,000 more of them would be 1 GB.
    expect(after.gpu).toBeLessThan(before.gpu + 32);
    expect(after.process).toBeLessThan(before.process + 64);
    expect(held()).toBeLessThan(512);
  });
});
