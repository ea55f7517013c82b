import { afterEach, describe, expect, it, vi } from "vitest";
import { digestDraws, expectedDraws } from "./draws_digest.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

describe("digestDraws", () => {
  it("is what it is in every runtime", () => {
    expect(digestDraws()).toEqual(expectedDraws);
  });

  it("stays what it is where an engine's own functions differ in their last bits", () => {
    for (const name of ["sin", "cos", "tan", "exp", "log", "log10", "log2", "pow", "atan", "atan2", "hypot", "cbrt"] as const) {
      vi.spyOn(Math, name).mockImplementation(() => {
        throw new Error(`Math.${name} was used to draw`);
      });
    }
    expect(digestDraws()).toEqual(expectedDraws);
  });

  it("notices one bit", () => {
    const exact = Math.sqrt;
    let calls = 0;
    vi.spyOn(Math, "sqrt").mockImplementation((x) => exact(x) * (calls++ === 1000 ? 1 + Number.EPSILON : 1));
    expect(digestDraws().normals).not.toBe(expectedDraws.normals);
  });
});
