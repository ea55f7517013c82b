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
    const warm: { gpu: number; rss: number } = { gpu: 0, rss: 0 };
    let last = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 2000; i++) {
      last = await step();
      if (i === 499) Object.assign(warm, { gpu: held(), rss: resident() });
    }
    expect(last).toBeLessThan(1e-3);
    // One step makes about 1 MB of temporaries: 1,500 more of them would be 1.5 GB.
    expect(held()).toBeLessThan(warm.gpu + 32);
    expect(resident()).toBeLessThan(warm.rss + 64);
    expect(held()).toBeLessThan(512);
  });
});
