// Runs the tests: all of them on the machine's own driver (a GPU, or lavapipe), then the kernels' again on SwiftShader, whose subgroups are
// of another size and whose compiler is another one, then those that need no Node in Chromium and in Deno, then the command line in every
// version of Node.
//
//   node scripts/run_tests.mjs                          all of it
//   node scripts/run_tests.mjs FILTER…                  what vitest finds by FILTER, on the machine's own driver; vitest's options too
//   node scripts/run_tests.mjs --driver swiftshader     the second part alone
//   node scripts/run_tests.mjs --runtime RUNTIME FILTER…   chromium, deno or node-versions alone
//
// A runtime that cannot be had is skipped, and the reason printed. --no-download fetches none.
// The last line counts them all: "N passed, N failed", and ", N skipped" where some were.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runCommand } from "./gpu/run_command.mjs";
import { hasSwiftShader } from "./gpu/swiftshader.mjs";
import { isRuntime, RUNTIMES, testIn } from "./runtimes/test_in.mjs";

const KERNEL_TESTS = ["packages/tensor/ops/", "packages/tensor/device/"];
const WITH_GPU = fileURLToPath(new URL("with_gpu.mjs", import.meta.url));
const VITEST = fileURLToPath(new URL("../node_modules/vitest/vitest.mjs", import.meta.url));

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

/**
 * Counts the tests in a report of vitest's JSON reporter. A file that failed before its first test counts as one failure.
 *
 * @param {string} json
 * @returns {Counts}
 */
export function countTests(json) {
  const report = JSON.parse(json);
  /** @type {{ status: string, assertionResults: unknown[] }[]} */
  const files = report.testResults;
  const brokenFiles = files.filter((file) => file.status === "failed" && file.assertionResults.length === 0);
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + brokenFiles.length,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

/**
 * @param {readonly Counts[]} counts
 * @returns {string} `12 passed, 0 failed`, and `, 1 skipped` where one was
 */
export function closingLine(counts) {
  const sum = (/** @type {keyof Counts} */ kind) => counts.reduce((total, count) => total + count[kind], 0);
  return `${sum("passed")} passed, ${sum("failed")} failed${sum("skipped") > 0 ? `, ${sum("skipped")} skipped` : ""}`;
}

/**
 * @param {string[]} options for with_gpu.mjs
 * @param {string[]} args for vitest
 * @returns {Promise<{ code: number, counts: Counts[] }>} no counts where vitest wrote no report
 */
async function runVitest(options, args) {
  const folder = mkdtempSync(join(tmpdir(), "cursive-test-"));
  try {
    const report = join(folder, "report.json");
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
    const code = await runCommand("node", [WITH_GPU, ...options, "node", VITEST, "run", ...args, ...reporters], { env: process.env });
    return { code, counts: readReport(report) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * @param {string} file
 * @returns {Counts[]}
 */
function readReport(file) {
  try {
    return [countTests(readFileSync(file, "utf8"))];
  } catch {
    return [];
  }
}

/**
 * Takes this script's own options out of its arguments.
 *
 * @param {string[]} args
 */
export function parseTestRequest(args) {
  const [option, value, ...others] = args;
  const onSwiftShader = option === "--driver" && value === "swiftshader";
  const runtime = option === "--runtime" ? value : undefined;
  const rest = onSwiftShader || runtime !== undefined ? others : args;
  const isWholeSuite = rest === args && rest.every((argument) => argument === "--no-download");
  return { onSwiftShader, runtime, rest, isWholeSuite };
}

/** @returns {Promise<number>} the exit code */
async function main() {
  const { onSwiftShader, runtime, rest, isWholeSuite } = parseTestRequest(process.argv.slice(2));
  if (runtime !== undefined && !isRuntime(runtime)) {
    console.error(`Expected a runtime (${RUNTIMES.join(", ")}) but found "${runtime}"`);
    return 2;
  }
  const download = !rest.includes("--no-download") && !["1", "true"].includes(process.env.CURSIVE_NO_DOWNLOAD ?? "");
  const filters = rest.filter((argument) => !argument.startsWith("-"));

  /** @type {{ code: number, counts: Counts[] }[]} */
  const runs = [];
  if (!onSwiftShader && !runtime) runs.push(await runVitest([], rest));
  const interrupted = (runs[0]?.code ?? 0) > 128;
  if (onSwiftShader || (isWholeSuite && !interrupted && hasSwiftShader())) {
    console.log("\nThe kernels' tests on SwiftShader:");
    runs.push(await runVitest(["--driver", "swiftshader"], [...KERNEL_TESTS, ...rest]));
  }
  for (const name of runtime ? [runtime] : isWholeSuite && !interrupted ? RUNTIMES : []) {
    const counts = await testIn(name, { filters, download });
    runs.push({ code: counts.failed > 0 ? 1 : 0, counts: [counts] });
  }
  const counts = runs.flatMap((run) => run.counts);
  if (counts.length > 0) console.log(closingLine(counts));
  return runs.find((run) => run.code !== 0)?.code ?? 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main();
