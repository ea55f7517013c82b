// The tests outside of this Node, by the name of a runtime.
import { hasSwiftShader } from "../gpu/swiftshader.mjs";
import { findChromium } from "./chromium.mjs";
import { startChromium } from "./chromium_runtime.mjs";
import { denoRuntime, findDeno } from "./deno.mjs";
import { testNodeVersions } from "./node_versions.mjs";
import { portableTests } from "./portable_tests.mjs";
import { nodeRuntime } from "./runtime.mjs";
import { MODULES, testEnvironment, testRuntime } from "./test_runtime.mjs";
import { sayThatSkipped, UnavailableError } from "./tool.mjs";

/** @typedef {import("../run_tests.mjs").Counts} Counts */

/** In the order in which they are tested. */
export const RUNTIMES = /** @type {const} */ (["chromium", "deno", "node-versions"]);

/** @typedef {(typeof RUNTIMES)[number]} RuntimeName */

/**
 * @param {string} name
 * @returns {name is RuntimeName}
 */
export function isRuntime(name) {
  return RUNTIMES.some((runtime) => runtime === name);
}

/**
 * Runs the tests of a runtime and prints what comes of them. One that cannot be had is skipped, and the reason printed; one that can be had
 * and does not start is a failure.
 *
 * @param {RuntimeName} name
 * @param {{ filters: readonly string[], download: boolean }} options `filters`: parts of paths of test files; `download`: whether it may be fetched
 * @returns {Promise<Counts>}
 */
export async function testIn(name, { filters, download }) {
  const title = { chromium: "Chromium", deno: "Deno", "node-versions": "every version of Node" }[name];
  console.log(`\nIn ${title}:`);
  const start = performance.now();
  try {
    return await tests[name]({ filters, download });
  } catch (error) {
    if (error instanceof UnavailableError) {
      sayThatSkipped(title, error);
      return { passed: 0, failed: 0, skipped: 1 };
    }
    console.log(` ✗ ${title}\n     ${error}`);
    return { passed: 0, failed: 1, skipped: 0 };
  } finally {
    console.log(` ${((performance.now() - start) / 1000).toFixed(0)} s`);
  }
}

/** @type {Record<RuntimeName, (options: { filters: readonly string[], download: boolean }) => Promise<Counts>>} */
const tests = {
  async chromium({ filters, download }) {
    const { files, forNode } = portableTests(filters);
    const executable = await findChromium(process.env, { download });
    const modules = [...Object.values(MODULES), ...files];
    const runtime = await startChromium(executable, { modules, env: testEnvironment(process.env) });
    try {
      // Chromium brings a SwiftShader of its own: the losses are Node's on the same.
      const node = nodeRuntime({ driver: hasSwiftShader() ? "swiftshader" : undefined });
      return await testRuntime(runtime, { node, files, forNode });
    } finally {
      await runtime.close();
    }
  },
  async deno({ filters, download }) {
    const { files, forNode } = portableTests(filters);
    const runtime = denoRuntime(await findDeno(process.env, { download }), { env: testEnvironment(process.env) });
    return testRuntime(runtime, { node: nodeRuntime(), files, forNode });
  },
  "node-versions": ({ download }) => testNodeVersions({ download }),
};
