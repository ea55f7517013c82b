import { type Device, openDevice } from "@cursive/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { architectures, createSae, type SaeConfig } from "./create_sae.ts";
import { meanMaxCosine } from "./testing/mean_max_cosine.ts";
import { sparseDictionary } from "./testing/sparse_dictionary.ts";
import { SaeTrainer } from "./train/trainer.ts";

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

// 24 directions in 16 dimensions, so that they overlap; on average 2 of them make a row.
const [count, width, dSae, steps] = [24, 16, 32, 500];
const grid: Readonly<Record<string, SaeConfig>> = {
  standard: { architecture: "standard", dIn: width, dSae, l1Coefficient: 1.5 },
  april: {
    architecture: "standard",
    dIn: width,
    dSae,
    l1Coefficient: 1.5,
    decoderConstraint: "none",
    applyBDecToInput: false,
    decoderInitNorm: 0.1,
  },
  topk: { architecture: "topk", dIn: width, dSae, k: 2 },
  batchtopk: { architecture: "batchtopk", dIn: width, dSae, k: 2 },
  jumprelu: { architecture: "jumprelu", dIn: width, dSae, l0Coefficient: 0.3 },
  "jumprelu, step": { architecture: "jumprelu", sparsity: "step", dIn: width, dSae },
  gated: { architecture: "gated", dIn: width, dSae, l1Coefficient: 2 },
  // Narrower nested autoencoders, such as the default's 4 and 8, are meant to mix directions: they have to explain all with fewer latents than there are.
  matryoshka: { architecture: "matryoshka", dIn: width, dSae, k: 2, widths: [16, dSae] },
};

describe("a known sparse dictionary", () => {
  it("is found by every architecture, all of them trained on one stream: MMCS of 0.9 and more", async () => {
    const truth = sparseDictionary({ count, width, active: 2, seed: 1 });
    const members = Object.entries(grid).map(([name, config]) => ({ name, sae: createSae(config) }));
    const before = meanMaxCosine(truth.directions, await members[0]!.sae.W_dec.data(), { width });
    expect(before).toBeLessThan(0.7);
    const trainer = new SaeTrainer(members, {
      stream: truth.batches(256),
      totalSteps: steps,
      lr: 1e-2,
      schedule: { decaySteps: steps / 5 },
      sparsityWarmupSteps: 100,
      activationScale: "sqrt-width",
      initRows: 1024,
      deadAfterRows: 10_000,
    });
    for await (const { step } of trainer.run({ until: steps })) expect(step).toBeGreaterThan(0);
    expect(new Set(members.map(({ sae }) => sae.architecture))).toEqual(new Set(architectures));
    for (const { name } of members) {
      const found = (await trainer.foldedState(name)).get("W_dec")!.data;
      expect(meanMaxCosine(truth.directions, found, { width }), name).toBeGreaterThan(0.9);
    }
  });
});
