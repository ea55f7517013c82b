import { describe, expect, it } from "vitest";
import type { SelfTest } from "../../engine/diagnostics.ts";
import { adapterFacts, type Diagnosis, digits, limitRows, limitText, reportText, verdict } from "./report.ts";

const adapter = {
  ...{ name: "llvmpipe", isSoftware: true, subgroupSize: 8, family: "panel", features: ["subgroups"] },
  limits: { maxBufferSize: 2 ** 30, maxComputeInvocationsPerWorkgroup: 128 },
};
const test: SelfTest = {
  family: "panel",
  ops: [
    { id: "matmul", name: "matmul", cases: 3, outcome: { worst: 0.25 } },
    { id: "adam", name: "AdamW", cases: 2, outcome: { worst: 0 } },
  ],
  repeated: { steps: 3, numbers: 10, differingAgain: 0, differingEagerly: 0 },
  seconds: 4.2,
};
const nothing: Diagnosis = {
  browser: { userAgent: "A browser", processors: 2, isSecure: true, storage: undefined, heapBytes: undefined },
  ...{ adapter: undefined, model: undefined, sae: undefined, stats: undefined, test: undefined, speed: undefined, failure: undefined },
};

describe("reportText", () => {
  it("has what is known, a name and a value a line, and nothing of the rest", () => {
    expect(reportText(nothing, new Date(0))).toBe(
      "Neuroscope, 1970-01-01T00:00:00.000Z\n\nBrowser\n  agent       A browser\n  secure      yes\n  processors  2\n",
    );
    const text = reportText({ ...nothing, adapter, test, failure: "no model" }, new Date(0));
    for (const line of [
      "  says  no model",
      "  matmul  0.250",
      "  AdamW   exact",
      "  maxComputeInvocationsPerWorkgroup  128, 256 needed: TOO LITTLE",
    ])
      expect(text.replace(/ {2,}/g, "  ")).toContain(line.replace(/ {2,}/g, "  "));
  });
});

describe("limitRows", () => {
  it("tells limits that are too small for the kernels", () => {
    const rows = limitRows(adapter.limits);
    expect(rows.find(({ name }) => name === "maxBufferSize")).toMatchObject({ needed: undefined, isShort: false });
    expect(rows.find(({ name }) => name === "maxComputeInvocationsPerWorkgroup")).toMatchObject({ found: 128, needed: 256, isShort: true });
  });
});

describe("limitText", () => {
  it("has a unit for what is counted in bytes", () => {
    expect(limitText("maxComputeWorkgroupStorageSize", 32_768)).toBe("32,768 B");
    expect(limitText("maxBufferSize", 2 ** 30)).toBe("1.07 GB");
    expect(limitText("maxComputeWorkgroupsPerDimension", 65_535)).toBe("65,535");
  });
});

describe("verdict", () => {
  it("says what is right, and names what is not", () => {
    expect(verdict(test)).toMatchObject({ isRight: true, text: expect.stringContaining("5 comparisons") });
    const wrong = { ...test, ops: [...test.ops, { id: "softmax", name: "softmax", cases: 1, outcome: { worst: 3 } }] };
    expect(verdict(wrong)).toEqual({ isRight: false, text: "Wrong results in softmax, in 4 s." });
    expect(verdict({ ...test, repeated: { steps: 3, numbers: 10, differingAgain: 1, differingEagerly: 0 } }).isRight).toBe(false);
    expect(verdict({ ...test, repeated: "no memory" }).text).toBe("Training steps fail: no memory");
  });
});

describe("digits", () => {
  it("keeps two that count", () => {
    expect([0.0712, 3.44, 117.4, 12345].map(digits)).toEqual(["0.071", "3.4", "117", "12,345"]);
  });
});

describe("adapterFacts", () => {
  it("says what computes", () => {
    expect(adapterFacts(adapter)).toContainEqual(["kind", "software: computes on the processor"]);
    expect(adapterFacts(adapter)).toContainEqual(["kernels", "panel: made for software adapters"]);
  });
});
