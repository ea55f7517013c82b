import { describe, expect, it } from "vitest";
import { gptBatch, gptParameters } from "./gpt.ts";
import { uniformValues, wholeValues } from "./values.ts";

describe("values", () => {
  it("are those of the same functions in Python", () => {
    // Printed by bench/peers/torch_step.py's uniform((2, 2), 3, 0.5) and whole((5,), 1001, 455).
    expect([...uniformValues({ shape: [2, 2], spread: 0.5 }, 3)]).toEqual([
      0.061911046504974365, 0.09705690294504166, 0.4004509747028351, 0.14186638593673706,
    ]);
    expect([...wholeValues(5, { limit: 455, stream: 1001 })]).toEqual([401, 446, 119, 269, 2]);
  });

  it("lie in their range, around their centre, and differ between streams", () => {
    const values = uniformValues({ shape: [10_000], spread: 2, center: 1 }, 0);
    expect(Math.min(...values)).toBeGreaterThanOrEqual(-1);
    expect(Math.max(...values)).toBeLessThan(3);
    // Four standard errors of the mean of 10,000 uniform values.
    expect(Math.abs(values.reduce((a, b) => a + b, 0) / values.length - 1)).toBeLessThan(4 * (2 / Math.sqrt(3 * 10_000)));
    expect(uniformValues({ shape: [4], spread: 1 }, 1)).not.toEqual(uniformValues({ shape: [4], spread: 1 }, 2));
    expect([...uniformValues({ shape: [2], spread: 0, center: 1 }, 0)]).toEqual([1, 1]);
  });
});

describe("the model's", () => {
  it("parameters are as many as the original has", () => {
    const count = (length: number): number =>
      gptParameters(length).reduce((sum, [, { shape }]) => sum + shape.reduce((a, b) => a * b, 1), 0);
    expect(count(1000)).toBe(397_184);
    expect(count(1000) - count(250)).toBe(750 * 64);
  });

  it("batch has tokens of the vocabulary", () => {
    const { tokens, targets, context } = gptBatch(2, 50);
    expect([tokens.length, targets.length, context.length]).toEqual([100, 100, 100]);
    expect(Math.max(...tokens, ...targets)).toBeLessThan(455);
    expect(Math.max(...context)).toBeLessThan(72);
    expect(tokens).not.toEqual(targets);
  });
});
