import { type Nd, nd } from "@cursive/tensor/testing";
import { describe, expect, it } from "vitest";
import { decide, type FullConfig, isCertain, lossesOf, type Params } from "./oracle.ts";

/** Two rows of one element; five latents whose pre-activations are those of a row by 1, 2, −1, −2 and 3. */
const x = nd([2, 1], [1, 0.5]);
const dead = nd([5], [0, 0, 1, 1, 1]);
const W_enc = nd([1, 5], [1, 2, -1, -2, 3]);
const weights = { W_enc, W_dec: nd([5, 1], [1, -1, 0.5, 2, 1]), b_dec: nd([1]) };
const common = { dIn: 1, dSae: 5, applyBDecToInput: false, decoderConstraint: "none" };

/** Five numbers: zeros but for the last. */
const last = (value: number): Nd => nd([5], [0, 0, 0, 0, value]);

describe("isCertain", () => {
  const certain = (config: object, params: Params): boolean =>
    isCertain({ ...common, ...config } as never, { ...weights, ...params }, { x, dead });
  // The last latent's pre-activations are 3 + b and 1.5 + b, and f32 errs by less than 2 · 5 · 2⁻²⁴ · (3 + |b|) < 10⁻⁵.
  const [near, far] = [1e-6, 1e-4];

  it("asks that no pre-activation be as near to 0 as f32 rounds", () => {
    expect(certain({ architecture: "standard" }, { b_enc: last(-3 + far) })).toBe(true);
    expect(certain({ architecture: "standard" }, { b_enc: last(-3 - near) })).toBe(false);
  });

  it("asks the same of a threshold, and of the edge of its window", () => {
    const config = { architecture: "jumprelu", sparsity: "step", bandwidth: 0.5 };
    const threshold = (value: number): Params => ({ b_enc: last(0), threshold: nd([5], [0.3, 0.3, 0.3, 0.3, value]) });
    expect(certain(config, threshold(3 - far))).toBe(true);
    expect(certain(config, threshold(3 - near))).toBe(false);
    expect(certain(config, threshold(3.25 - far))).toBe(true);
    expect(certain(config, threshold(3.25 - near))).toBe(false);
  });

  it("asks that the last that has a place be clear of the first that has none", () => {
    const config = { architecture: "topk", k: 1, kAux: 5 };
    expect(certain(config, { b_enc: last(0) })).toBe(true);
    expect(certain(config, { b_enc: last(-1 + near) })).toBe(false); // 2 competes with 2 + near
    expect(certain({ architecture: "batchtopk", k: 1, kAux: 5 }, { b_enc: last(0.5 + near) })).toBe(false); // 2 with 2 + near, of all rows
  });

  it("asks the same of dead latents that help out", () => {
    const config = { architecture: "topk", k: 5, kAux: 1 };
    expect(certain(config, { b_enc: nd([5], [9, 9, 9, 11, 2 - far]) })).toBe(true);
    expect(certain(config, { b_enc: nd([5], [9, 9, 9, 11, 6 - near]) })).toBe(false); // 11 − 2 and 3 + 6, which both have a place above 0
  });

  it("asks the same of a gated autoencoder's magnitudes", () => {
    const params = { b_gate: last(0), r_mag: last(Math.log(2)) };
    expect(certain({ architecture: "gated" }, { ...params, b_mag: last(-6 + far) })).toBe(true);
    expect(certain({ architecture: "gated" }, { ...params, b_mag: last(-6 + near) })).toBe(false);
  });
});

describe("decisions", () => {
  it.each<{ config: object; params: Params }>([
    { config: { architecture: "standard", l1Coefficient: 1, l1Weight: "none" }, params: { b_enc: last(-3) } },
    { config: { architecture: "gated", l1Coefficient: 1 }, params: { b_gate: last(-3), r_mag: last(0), b_mag: last(0) } },
    { config: { architecture: "gated", l1Coefficient: 1 }, params: { b_gate: last(0), r_mag: last(0), b_mag: last(-3 + 1e-9) } },
    {
      config: { architecture: "jumprelu", sparsity: "step", l0Coefficient: 1, preActCoefficient: 1 },
      params: { b_enc: last(0), threshold: nd([5], [0.3, 0.3, 0.3, 0.3, 3]) },
    },
  ])("leave losses whose differences see no kink, even on one: $config.architecture", ({ config, params }) => {
    const full = { ...common, ...config } as unknown as FullConfig;
    const all: Params = { ...weights, ...params };
    const decisions = decide(full, all, { x, dead });
    const loss = (step: number): number => {
      const moved = { ...all, W_enc: nd([1, 5], [1, 2, -1, -2, 3 + step]) };
      return Object.values(lossesOf(full, moved, { x, decisions }).losses).reduce((a, b) => a + b, 0);
    };
    const [ahead, behind] = [(loss(1e-4) - loss(0)) / 1e-4, (loss(0) - loss(-1e-4)) / 1e-4];
    expect(ahead).toBeCloseTo(behind, 2);
  });
});
