// Trains in a runtime as in Node, and runs the packages' tests in it.
import { compareLosses } from "./losses.mjs";

/** @typedef {import("../run_tests.mjs").Counts} Counts */
/** @typedef {import("./run_test_file.ts").FileResult} FileResult */
/** @typedef {import("./runtime.mjs").Runtime} Runtime */
/** @typedef {import("./twenty_steps.ts").TwentySteps} TwentySteps */

/** The modules whose functions are called in a runtime. */
export const MODULES = { steps: "scripts/runtimes/twenty_steps.ts", tests: "scripts/runtimes/run_test_file.ts" };

/**
 * How many of a property's runs these runtimes take: the kernels are the same as in Node, where all of them run twice, so what is looked
 * for here is another compiler's or another JavaScript's doing, which is seldom a matter of one size. `FC_RUNS_SHARE=1` runs them all.
 */
const RUNS_SHARE = "0.2";
/** A first use on a software adapter may compile for seconds, and other tests run beside it. */
const TIMEOUT = 300_000;
/** What is worth knowing when all of this should take less time. */
const SLOW = 5_000;

/**
 * What the tests read from their environment.
 *
 * @param {NodeJS.ProcessEnv} env
 * @returns {Record<string, string>}
 */
export function testEnvironment(env) {
  const given = ["FC_RUNS", "FC_RUNS_SHARE", "FC_SEED", "FC_PATH"].flatMap((name) => (env[name] ? [[name, env[name]]] : []));
  return { FC_RUNS_SHARE: RUNS_SHARE, ...Object.fromEntries(given) };
}

/**
 * Runs everything and prints what comes of it, a line a file.
 *
 * @param {Runtime} runtime
 * @param {{ node: Runtime, files: readonly string[], forNode: readonly { file: string, need: string }[], jobs?: number, print?: (line:
 *   string) => void }} options `node`: whose losses are the measure; `files`: the tests, `jobs` at a time; `forNode`: those left out, and why
 * @returns {Promise<Counts>}
 */
export async function testRuntime(runtime, { node, files, forNode, jobs = 2, print = console.log }) {
  const counts = { passed: 0, failed: 0, skipped: forNode.length };
  /** @param {{ lines: string[], counts: Counts }} outcome */
  const tell = (outcome) => {
    for (const line of outcome.lines) print(line);
    for (const kind of /** @type {const} */ (["passed", "failed", "skipped"])) counts[kind] += outcome.counts[kind];
  };
  tell(await trainsAlike(runtime, node));
  const waiting = [...files];
  const work = async () => {
    for (let file = waiting.shift(); file; file = waiting.shift()) tell(await testFile(runtime, file));
  };
  await Promise.all(Array.from({ length: jobs }, work));
  for (const { file, need } of forNode) print(` ↓ ${file}: about Node (${need})`);
  return counts;
}

/**
 * @param {Runtime} runtime
 * @param {Runtime} node
 */
async function trainsAlike(runtime, node) {
  const what = "twenty training steps";
  try {
    /** @type {TwentySteps} */
    const here = await runtime.call(runtime.url(MODULES.steps), "twentySteps");
    /** @type {TwentySteps} */
    const there = await node.call(node.url(MODULES.steps), "twentySteps", { family: here.family });
    const { problem, equal } = compareLosses(here.losses, there.losses);
    if (problem) return failure(`${what} on ${here.adapter}, as ${node.name} on ${there.adapter}`, problem);
    const how = equal ? "bit for bit" : "but for rounding";
    const line = ` ✓ ${what} on ${here.adapter}: ${node.name}'s losses on ${there.adapter}, ${how} (the last: ${here.losses.at(-1)})`;
    return { lines: [line], counts: { passed: 1, failed: 0, skipped: 0 } };
  } catch (error) {
    return failure(what, String(error));
  }
}

/**
 * @param {Runtime} runtime
 * @param {string} file
 */
async function testFile(runtime, file) {
  try {
    const result = await runtime.call(runtime.url(MODULES.tests), "runTestFile", runtime.url(file), { timeout: TIMEOUT });
    return summarize(file, result);
  } catch (error) {
    return failure(file, String(error));
  }
}

/**
 * @param {string} what
 * @param {string} why
 */
function failure(what, why) {
  return { lines: [` ✗ ${what}`, indented(why)], counts: { passed: 0, failed: 1, skipped: 0 } };
}

/**
 * What to print of a test file, and what to count: as vitest does, a file that failed outside of its tests is one failure more.
 *
 * @param {string} file
 * @param {FileResult} result
 * @returns {{ lines: string[], counts: Counts }}
 */
export function summarize(file, { tests, errors, milliseconds }) {
  const of = (/** @type {string} */ state) => tests.filter((test) => test.state === state);
  const counts = { passed: of("passed").length, failed: of("failed").length + (errors.length > 0 ? 1 : 0), skipped: of("skipped").length };
  const parts = [
    `${tests.length} tests`,
    ...(counts.failed > 0 ? [`${counts.failed} failed`] : []),
    ...(counts.skipped > 0 ? [`${counts.skipped} skipped`] : []),
  ];
  const lines = [` ${counts.failed > 0 ? "✗" : "✓"} ${file} (${parts.join(", ")}) ${seconds(milliseconds)}`];
  for (const { name, milliseconds } of tests) if (milliseconds > SLOW) lines.push(`     ${seconds(milliseconds)} ${name}`);
  for (const error of errors) lines.push(indented(error));
  for (const { name, notes } of of("failed")) lines.push(`   ✗ ${name}`, ...notes.map(indented));
  for (const { name, notes } of of("skipped")) lines.push(`   ↓ ${name}${notes.length > 0 ? `: ${notes.join(", ")}` : ""}`);
  return { lines, counts };
}

/** @param {number} milliseconds */
function seconds(milliseconds) {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}

/** @param {string} text */
function indented(text) {
  return text.replace(/^/gm, "     ");
}
