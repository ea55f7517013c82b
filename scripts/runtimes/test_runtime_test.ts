import { describe, expect, it } from "vitest";
import type { FileResult } from "./run_test_file.ts";
import type { Runtime } from "./runtime.mjs";
import { summarize, testEnvironment, testRuntime } from "./test_runtime.mjs";

const test = (name: string, state: "passed" | "failed" | "skipped", ...notes: string[]): FileResult["tests"][number] => ({
  name,
  state,
  milliseconds: 10,
  notes,
});

describe("summarize", () => {
  it("counts tests, and shows why some failed or were skipped", () => {
    const tests = [test("a", "passed"), test("b > c", "failed", "Expected\n1"), test("d", "skipped", "no subgroups")];
    expect(summarize("x_test.ts", { tests, errors: [], milliseconds: 1234 })).toEqual({
      lines: [" ✗ x_test.ts (3 tests, 1 failed, 1 skipped) 1.2 s", "   ✗ b > c", "     Expected\n     1", "   ↓ d: no subgroups"],
      counts: { passed: 1, failed: 1, skipped: 1 },
    });
  });

  it("counts a file as a failure that failed before its first test", () => {
    const { counts } = summarize("x_test.ts", { tests: [], errors: ["SyntaxError"], milliseconds: 1 });
    expect(counts).toEqual({ passed: 0, failed: 1, skipped: 0 });
  });
});

describe("testEnvironment", () => {
  it("runs a part of each property, unless told otherwise", () => {
    expect(testEnvironment({ PATH: "x" })).toEqual({ FC_RUNS_SHARE: "0.2" });
    expect(testEnvironment({ FC_RUNS_SHARE: "1", FC_SEED: "7" })).toEqual({ FC_RUNS_SHARE: "1", FC_SEED: "7" });
  });
});

describe("testRuntime", () => {
  const runtime = (losses: number[], tests: () => Promise<FileResult>): Runtime => ({
    name: "fake",
    url: (module) => module,
    call: (_url, name) => (name === "twentySteps" ? Promise.resolve({ adapter: "none", family: "tile", losses }) : tests()),
    close: () => Promise.resolve(),
  });
  const fine = (): Promise<FileResult> => Promise.resolve({ tests: [test("a", "passed")], errors: [], milliseconds: 1 });
  const count = (here: Runtime): ReturnType<typeof testRuntime> =>
    testRuntime(here, { node: runtime([1, 2], fine), files: ["a", "b", "c"], forNode: [{ file: "d", need: "node:fs" }], print: () => {} });

  it("counts the training, every file's tests, and the files that are about Node", async () => {
    expect(await count(runtime([1, 2], fine))).toEqual({ passed: 4, failed: 0, skipped: 1 });
  });

  it("fails on other losses, and goes on when a runtime ends in the middle of a file", async () => {
    const crash = (): Promise<FileResult> => Promise.reject(new Error("the page crashed"));
    expect(await count(runtime([1, 2.1], fine))).toEqual({ passed: 3, failed: 1, skipped: 1 });
    expect(await count(runtime([1, 2], crash))).toEqual({ passed: 1, failed: 3, skipped: 1 });
  });
});
