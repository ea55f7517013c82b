import { describe, expect, it } from "vitest";
import { parseCase } from "./cases.ts";
import { caseTable, controlLine, digits } from "./report.ts";
import { someRow } from "./testing/some_row.ts";

describe("caseTable", () => {
  it("has a row an engine, and a line for each that could not", () => {
    const rows = [
      someRow(),
      someRow({ label: "jax-js jit", ms: 540.4, min: 500, max: 612, ratio: 10.8, dispatches: 35, submits: 36, buffers: 1, bindGroups: 35 }),
      someRow({ label: "tfjs-webgpu eager", ms: null, min: null, max: null, note: "not within 600 s" }),
    ];
    expect(caseTable(parseCase("sae:4096x512"), rows)).toMatchInlineSnapshot(`
      "sae:4096x512  training step, 4,096 rows of 64 into 512 features
                        ms    min–max    cpu ms  × ours  dispatches  submits  created  host µs
      cursive captured  50.0  45.0–60.0    90.0    1.00          39        1        0      125
      jax-js jit         540  500–612      90.0   10.80          35       36       36      125
        tfjs-webgpu eager: not within 600 s"
    `);
  });

  it("has columns for what was measured alone", () => {
    const rows = [someRow({ gflops: 25.04, startColdMilliseconds: 12_345, startWarmMilliseconds: 1234 })];
    const [, head, body] = caseTable(parseCase("matmul:8"), rows).split("\n");
    expect(head).toContain("GFLOP/s");
    expect(head).toMatch(/start cold {2}start warm$/);
    expect(body).toMatch(/25\.0 .* 12\.3 s +1\.23 s$/);
  });

  it("says so where no engine could", () => {
    const rows = [someRow({ ms: null, note: "no adapter" })];
    expect(caseTable(parseCase("matmul:8"), rows)).toBe("matmul:8  product [8 × 8] · [8 × 8]\n  cursive captured: no adapter");
  });
});

describe("controlLine", () => {
  it("says that the machine held still, or how far it moved", () => {
    expect(controlLine({ cpu: 0.02, gpu: 0.061 })).toBe("control held still: cpu moved 2 %, gpu moved 6 %");
    expect(controlLine({ cpu: 0.02, gpu: 0.31 })).toBe("noisy: control moved 31 % (gpu)");
    expect(controlLine({ cpu: undefined, gpu: undefined })).toBe("control not measured");
  });
});

describe("digits", () => {
  it("are three that count", () => {
    expect([digits(1234.5), digits(99.94), digits(9.994), digits(0.1234), digits(null)]).toEqual(["1235", "99.9", "9.99", "0.12", ""]);
  });
});
