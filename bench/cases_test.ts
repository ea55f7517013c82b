import { describe, expect, it } from "vitest";
import { DEFAULT_CASES, describeCase, operations, parseCase, QUICK_CASES, suits } from "./cases.ts";

describe("parseCase", () => {
  it("reads all cases that are measured by default", () => {
    expect([...DEFAULT_CASES, ...QUICK_CASES].map((name) => parseCase(name).name)).toEqual([...DEFAULT_CASES, ...QUICK_CASES]);
  });

  it("takes any sizes", () => {
    expect(parseCase("gpt:8x500")).toMatchObject({ kind: "gpt", batch: 8, length: 500 });
    expect(parseCase("sae:256x64")).toMatchObject({ kind: "sae", rows: 256, features: 64 });
    expect(parseCase("matmul:512")).toMatchObject({ kind: "matmul", m: 512, k: 512, n: 512 });
    expect(parseCase("matmul:2x3x5")).toMatchObject({ kind: "matmul", m: 2, k: 3, n: 5 });
    expect(parseCase("token:8x1000")).toMatchObject({ kind: "token", texts: 8, length: 1000 });
    expect(parseCase("write:1x200")).toMatchObject({ kind: "write", texts: 1, length: 200 });
  });

  it.each(["gtp:4x250", "gpt:4", "gpt:4x250x3", "gpt:0x3", "sae:4096", "matmul:3x4", "matmul:", "matmul:12345678", "", "gpt", "token:5"])(
    "refuses %j with the name most like it",
    (name) => {
      expect(() => parseCase(name)).toThrow(/^Expected a case, .* but found ".*": did you mean (gpt|sae|matmul|token):/);
    },
  );
});

describe("cases", () => {
  it("are described for people", () => {
    expect(describeCase(parseCase("sae:4096x512"))).toBe("training step, 4,096 rows of 64 into 512 features");
    expect(describeCase(parseCase("matmul:8000x64x256"))).toBe("product [8,000 × 64] · [64 × 256]");
  });

  it("are for the engines that can do them", () => {
    const modes = ["captured", "eager", "jit", "sdpa", "compile", "cached", "recomputed"];
    const ableTo = (name: string): string[] => modes.filter((mode) => suits(parseCase(name), { mode }));
    expect(ableTo("gpt:4x250")).toEqual(["captured", "eager", "jit", "sdpa", "compile"]);
    expect(ableTo("sae:24x16")).toEqual(["captured", "eager", "jit", "compile"]);
    expect(ableTo("matmul:8")).toEqual(["captured", "eager", "jit"]);
    expect(ableTo("token:1x1000")).toEqual(["cached", "recomputed"]);
  });

  it("count operations where nobody could count otherwise", () => {
    expect(operations(parseCase("matmul:2x3x5"))).toBe(60);
    expect(operations(parseCase("gpt:4x250"))).toBeUndefined();
  });
});
