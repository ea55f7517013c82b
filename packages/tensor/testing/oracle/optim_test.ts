import { describe, expect, it } from "vitest";
import { seededValues } from "../arbitrary.ts";
import { expectClose } from "../expect_close.ts";
import { map, nd } from "../nd.ts";
import { adamStart, adamStep, clipGradNorm, type SgdState, sgdStep } from "./optim.ts";

const row = (...values: number[]) => nd([values.length], values);

describe("sgdStep()", () => {
  it("walks down the gradient, with weight decay as part of it", () => {
    expect(sgdStep({ parameter: row(1, 2) }, row(4, -2), { lr: 0.5 }).parameter).toEqual(row(-1, 3));
    expect(sgdStep({ parameter: row(1) }, row(4), { lr: 0.5, weightDecay: 2 }).parameter).toEqual(row(-2));
  });

  it("gathers momentum, worked out by hand for two steps", () => {
    const run = (options: { dampening?: number; nesterov?: boolean }) => {
      let state: SgdState = { parameter: row(0) };
      for (const gradient of [row(1), row(2)]) state = sgdStep(state, gradient, { lr: 1, momentum: 0.5, ...options });
      return state.parameter.data[0];
    };
    expect(run({})).toBe(-(1 + 2.5)); // v: 1, then 0.5 · 1 + 2
    expect(run({ dampening: 0.5 })).toBe(-(1 + 1.5)); // v: 1, then 0.5 · 1 + 0.5 · 2
    expect(run({ nesterov: true })).toBe(-(1.5 + 3.25)); // g + 0.5 v: 1 + 0.5, then 2 + 0.5 · 2.5
  });
});

describe("adamStep()", () => {
  it("makes, under a constant gradient, every step of lr · g / (|g| + eps)", () => {
    const gradient = row(3, -0.01, 1e-4);
    let state = adamStart(row(1, 1, 1));
    for (let step = 1; step <= 20; step++) {
      const before = state.parameter;
      state = adamStep(state, gradient, { lr: 0.1, betas: [0.9, 0.99], eps: 1e-5 });
      expect(state.step).toBe(step);
      const want = before.data.map((p, i) => p - (0.1 * gradient.data[i]!) / (Math.abs(gradient.data[i]!) + 1e-5));
      expectClose(state.parameter.data, want, 1e-12);
    }
  });

  it("remembers both moments, worked out by hand for two steps", () => {
    let state = adamStep(adamStart(row(0)), row(1), { lr: 1, betas: [0.5, 0.75], eps: 0 });
    state = adamStep(state, row(-2), { lr: 1, betas: [0.5, 0.75], eps: 0 });
    // m = 0.25 − 1 = −0.75, m̂ = −1; v = 0.75 · 0.25 + 0.25 · 4 = 1.1875, v̂ = 1.1875 / 0.4375
    expect(state.mean.data[0]).toBe(-0.75);
    expect(state.meanSquare.data[0]).toBe(1.1875);
    expectClose(state.parameter.data, [-1 + 1 / Math.sqrt(1.1875 / 0.4375)], 1e-14);
  });

  it("decays the parameter itself when decoupled, else through the gradient", () => {
    const options = { lr: 0.1, weightDecay: 0.5 };
    expectClose(adamStep(adamStart(row(2)), row(0), { ...options, decoupled: true }).parameter.data, [2 * (1 - 0.05)], 1e-15);
    expectClose(adamStep(adamStart(row(2)), row(0), options).parameter.data, [2 - 0.1], 1e-8); // a step of the sign of the decay
  });
});

describe("clipGradNorm()", () => {
  it("scales all gradients together down to the norm, and small ones not at all", () => {
    const gradients = [row(3, 0), row(0, 4)];
    const clipped = clipGradNorm(gradients, 1);
    expect(clipped.norm).toBe(5);
    expectClose(
      clipped.gradients.flatMap(({ data }) => [...data]),
      [0.6, 0, 0, 0.8],
      2e-7,
    );
    expect(clipGradNorm(gradients, 6).gradients).toEqual(gradients);
  });

  it("leaves a gradient of norm 0 alone", () => {
    const zero = map(seededValues(1, [3]), () => 0);
    expect(clipGradNorm([zero], 1)).toEqual({ gradients: [zero], norm: 0 });
  });
});
