import { capture, type Device, noGrad, openDevice, type Tensor, tensor } from "@cursive/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSae } from "../create_sae.ts";
import { Steering, steeringHook } from "./steering.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

const dSae = 8;
const x = Float32Array.from({ length: 2 * 3 * 4 }, (_, i) => Math.sin(1 + i * 1.7));

describe("steeringHook", () => {
  it("adds (v − f)·W_dec of each held latent, whatever heads the activation is cut into", async () => {
    const sae = createSae({ architecture: "topk", dIn: 4, dSae, k: 3, seed: 5 });
    const held = [
      { latent: 2, value: 3 },
      { latent: 5, value: 0 },
    ];
    const hook = steeringHook(sae, { dSae, held });
    for (const shape of [
      [2, 3, 4],
      [2, 3, 2, 2],
    ]) {
      const found = await noGrad(() => hook(tensor(x, { shape }))).data();
      const f = await noGrad(() => sae.encode(tensor(x, { shape: [6, 4] }))).data();
      const decoder = (await sae.stateDict()).get("W_dec")!.data;
      const expected = Array.from(x, (value, i) =>
        held.reduce(
          (sum, { latent, value: v }) => sum + (v - f[Math.floor(i / 4) * dSae + latent]!) * decoder[latent * 4 + (i % 4)]!,
          value,
        ),
      );
      for (const [i, value] of expected.entries()) expect(found[i]).toBeCloseTo(value, 5);
    }
  });

  it("changes no bit where no latent is held", async () => {
    const sae = createSae({ architecture: "standard", dIn: 4, dSae, seed: 2 });
    const shape = [2, 3, 4];
    expect(await noGrad(() => steeringHook(sae, { dSae, held: [] })(tensor(x, { shape }))).data()).toEqual(x);
  });

  it("holds latents where they fire, and nowhere else, if asked to", async () => {
    const sae = createSae({ architecture: "topk", dIn: 4, dSae, k: 3, seed: 5 });
    const f = await noGrad(() => sae.encode(tensor(x, { shape: [6, 4] }))).data();
    const decoder = (await sae.stateDict()).get("W_dec")!.data;
    const latent = [...Array(dSae).keys()].find((one) => new Set([0, 1, 2, 3, 4, 5].map((row) => f[row * dSae + one]! > 0)).size === 2)!;
    const hook = steeringHook(sae, { dSae, held: [{ latent, value: 3 }], onlyWhereFiring: true });
    const found = await noGrad(() => hook(tensor(x, { shape: [2, 3, 4] }))).data();
    for (const [i, value] of x.entries()) {
      const own = f[Math.floor(i / 4) * dSae + latent]!;
      if (own > 0) expect(found[i]).toBeCloseTo(value + (3 - own) * decoder[latent * 4 + (i % 4)]!, 5);
      else expect(found[i]).toBe(value);
    }
  });

  it("refuses latents that there are not, and values that are no numbers", () => {
    const sae = createSae({ architecture: "standard", dIn: 4, dSae, seed: 2 });
    expect(() => steeringHook(sae, { dSae, held: [{ latent: 8, value: 1 }] })).toThrow("Expected a latent from 0 to 7 but found 8");
    expect(() => steeringHook(sae, { dSae, held: [{ latent: 1, value: Number.NaN }] })).toThrow("Expected a finite value");
  });
});

describe("Steering", () => {
  it("lets a captured step follow what is held, and leaves rows outside of `at` alone", async () => {
    const sae = createSae({ architecture: "topk", dIn: 4, dSae, k: 3, seed: 5 });
    const at = tensor(Int32Array.of(0, 1), { shape: [2, 1, 1] }).gt(0);
    const steering = new Steering(sae, { dSae, at });
    using step = captured((activation) => noGrad(() => steering.hook(activation)));
    const input = { shape: [2, 3, 4], dtype: "f32", data: x } as const;
    for (const held of [[], [{ latent: 2, value: 3 }], [{ latent: 5, value: -1 }], []]) {
      steering.hold(held);
      const found = await (await step.run(input)).data();
      const alone = await noGrad(() => steeringHook(sae, { dSae, held })(tensor(x, { shape: [2, 3, 4] }))).data();
      expect(Array.from(found.subarray(0, 12))).toEqual(Array.from(x.subarray(0, 12)));
      expect(Array.from(found.subarray(12))).toEqual(Array.from(alone.subarray(12)));
    }
  });
});

function captured(body: (activation: Tensor) => Tensor) {
  const run = capture(body);
  return { run, [Symbol.dispose]: () => run.destroy() };
}
