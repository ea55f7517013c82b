// Whether the command line starts, and trains the same, in every version of Node that this project supports.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { unpackPackage } from "../gpu/npm_package.mjs";
import { hasGlibc, installedTool, sayThatSkipped, UnavailableError } from "./tool.mjs";

/** @typedef {import("../run_tests.mjs").Counts} Counts */

const execute = promisify(execFile);
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const WITH_GPU = fileURLToPath(new URL("../with_gpu.mjs", import.meta.url));

/** The versions that are fetched where another one runs this. */
const VERSIONS = new Map([
  [20, "20.20.2"],
  [22, "22.23.3"],
  [24, "24.21.0"],
]);

/** Those that npm has packages of these versions for, named as they are. */
const MACHINES = ["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64"];

/** A run of seconds, everything else as in the preset. */
const CONFIG = {
  steps: 3,
  data: { words: 40, characters: "aeinst", letters: [1, 2], maxLength: 16, contextLength: 4 },
  model: { nLayer: 1, nHead: 1, nEmbd: 8 },
  training: { batchSize: 2, evaluation: { batches: 1, batchSize: 2 } },
  samples: { texts: ["at"], early: false },
};

/**
 * The path of a Node of a major version: the one that runs this, or one that is fetched once into the user's cache.
 *
 * @param {number} major
 * @param {{ download: boolean }} options
 * @returns {Promise<string>}
 * @throws {UnavailableError} when there is none
 */
export async function findNode(major, { download }) {
  if (Number.parseInt(process.versions.node, 10) === major) return process.execPath;
  const machine = `${process.platform}-${process.arch}`;
  const version = VERSIONS.get(major);
  const isForThisMachine = MACHINES.includes(machine) && (process.platform !== "linux" || hasGlibc());
  if (!version || !isForThisMachine) throw new UnavailableError(`npm has none for ${machine}`);
  const tool = {
    name: "node",
    version,
    source: `Node ${version}, out of the npm package node-${machine} (52 MB)`,
    file: "bin/node",
    unpack: (/** @type {string} */ folder) => unpackPackage(`node-${machine}@${version}`, folder, { files: ["bin/node"] }),
  };
  return installedTool(tool, { download });
}

/**
 * Starts the command line in each version.
 *
 * @param {{ download: boolean }} options
 * @returns {Promise<Counts>}
 */
export async function testNodeVersions({ download }) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  /** @type {string | undefined} */
  let expected;
  for (const major of VERSIONS.keys()) {
    const node = await findNode(major, { download }).catch((error) => {
      sayThatSkipped(`Node ${major}`, error);
      return undefined;
    });
    if (!node) {
      counts.skipped++;
      continue;
    }
    /** @type {[string, () => Promise<string | undefined>][]} each resolves to what is wrong */
    const checks = [
      ["says what it can do", async () => lacks(await cli(node, ["--help"]), ["train", "config", "runs"])],
      ["lists the presets", async () => lacks(await cli(node, ["config", "ls"]), ["tiny", "reference"])],
      [
        "trains three steps, with every version's losses",
        async () => {
          const losses = await trainedLosses(node);
          expected ??= losses;
          return losses === expected ? undefined : `Expected losses of ${expected} but found ${losses}`;
        },
      ],
    ];
    for (const [what, check] of checks) {
      const problem = await check().catch(String);
      console.log(` ${problem ? "✗" : "✓"} Node ${major}: the command line ${what}${problem ? `\n     ${problem}` : ""}`);
      counts[problem ? "failed" : "passed"]++;
    }
  }
  return counts;
}

/**
 * @param {string} text
 * @param {readonly string[]} words
 */
function lacks(text, words) {
  const absent = words.filter((word) => !text.includes(word));
  return absent.length > 0 ? `Expected ${absent.join(", ")} in its output but found:\n${text}` : undefined;
}

/**
 * The losses of three steps, as text.
 *
 * @param {string} node
 */
async function trainedLosses(node) {
  const folder = mkdtempSync(join(tmpdir(), "cursive-node-"));
  try {
    const config = join(folder, "config.json");
    writeFileSync(config, JSON.stringify(CONFIG));
    const output = await cli(node, ["train", "--json", "--config", config, "--runs", join(folder, "runs")]);
    const records = output.split("\n").flatMap((line) => (line.startsWith("{") ? [JSON.parse(line)] : []));
    const losses = records.flatMap((record) => (typeof record.loss === "number" && "step" in record ? [record.loss] : []));
    if (losses.length < CONFIG.steps) throw new Error(`Expected ${CONFIG.steps} losses but found:\n${output}`);
    return losses.join(", ");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * Runs the command line to its end.
 *
 * @param {string} node
 * @param {readonly string[]} args
 * @returns {Promise<string>} what it prints
 */
async function cli(node, args) {
  const command = [WITH_GPU, node, "--import", "tsx", join(ROOT, "packages/cli/main.ts"), ...args];
  return (await execute(process.execPath, command, { cwd: ROOT, maxBuffer: 1 << 26 })).stdout;
}
