import { describe, expect, it } from "vitest";
import { closingLine, countTests } from "./run_tests.mjs";

const report = (fields: object): string =>
  JSON.stringify({ numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [], ...fields });

describe("countTests", () => {
  it("takes vitest's own numbers", () => {
    const json = report({ numPassedTests: 5, numFailedTests: 2, numPendingTests: 1, numTodoTests: 1 });
    expect(countTests(json)).toEqual({ passed: 5, failed: 2, skipped: 2 });
  });

  it("counts a file as a failure that failed before its first test", () => {
    const broken = { status: "failed", assertionResults: [] };
    const tested = { status: "failed", assertionResults: [{}] };
    expect(countTests(report({ numPassedTests: 1, numFailedTests: 1, testResults: [broken, tested] })).failed).toBe(2);
  });
});

describe("closingLine", () => {
  it("adds the runs up, and speaks of skipped tests only where there are any", () => {
    const run = { passed: 3, failed: 1, skipped: 0 };
    expect(closingLine([run, run])).toBe("6 passed, 2 failed");
    expect(closingLine([{ ...run, skipped: 2 }])).toBe("3 passed, 1 failed, 2 skipped");
  });
});
