import { describe, expect, it } from "vitest";
import { closingLine, countTests, parseTestRequest } from "./run_tests.mjs";

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

describe("parseTestRequest", () => {
  it("takes the whole suite for one only where nothing is chosen", () => {
    expect(parseTestRequest([]).isWholeSuite).toBe(true);
    expect(parseTestRequest(["--no-download"]).isWholeSuite).toBe(true);
    for (const args of [["softmax"], ["--driver", "swiftshader"], ["--runtime", "deno"]]) {
      expect(parseTestRequest(args).isWholeSuite).toBe(false);
    }
  });

  it("leaves what follows its own options to whatever runs the tests", () => {
    expect(parseTestRequest(["--runtime", "deno", "softmax"])).toMatchObject({ runtime: "deno", rest: ["softmax"] });
    expect(parseTestRequest(["--driver", "swiftshader", "-t", "x"])).toMatchObject({ onSwiftShader: true, rest: ["-t", "x"] });
    expect(parseTestRequest(["-t", "--runtime"])).toMatchObject({ runtime: undefined, rest: ["-t", "--runtime"] });
  });
});
