// Deno, whose WebGPU is wgpu with the shader compiler Naga: one that is installed, or the one in Deno's npm packages.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { unpackPackage } from "../gpu/npm_package.mjs";
import { processRuntime } from "./runtime.mjs";
import { hasGlibc, installedTool, UnavailableError } from "./tool.mjs";

/** @typedef {import("./runtime.mjs").Runtime} Runtime */

const VERSION = "2.9.6";
const PROGRAM = process.platform === "win32" ? "deno.exe" : "deno";
/** The npm packages that have the program, by platform and processor. */
const PACKAGES = new Map([
  ["linux-x64", "@deno/linux-x64-glibc"],
  ["linux-arm64", "@deno/linux-arm64-glibc"],
  ["darwin-x64", "@deno/darwin-x64"],
  ["darwin-arm64", "@deno/darwin-arm64"],
  ["win32-x64", "@deno/win32-x64"],
  ["win32-arm64", "@deno/win32-arm64"],
]);

/** `vitest` is what stands in for it, and nothing is asked of the network. */
const FLAGS = ["run", "--quiet", "--allow-all", "--no-check", "--no-lock", "--no-remote", "--import-map"];

/**
 * The path of a Deno: one on the PATH, or one that is fetched once into the user's cache.
 *
 * @param {NodeJS.ProcessEnv} env
 * @param {{ download: boolean }} options
 * @returns {Promise<string>}
 * @throws {UnavailableError} when there is none
 */
export async function findDeno(env, { download }) {
  const folders = (env.PATH ?? "").split(delimiter).filter(Boolean);
  for (const path of folders.map((folder) => join(folder, PROGRAM))) {
    if (existsSync(path) && (await isRecent(path))) return path;
  }
  const machine = `${process.platform}-${process.arch}`;
  const name = PACKAGES.get(machine);
  if (!name || (process.platform === "linux" && !hasGlibc())) {
    throw new UnavailableError(`none is on the PATH, and npm has none for ${machine}`);
  }
  const tool = {
    name: "deno",
    version: VERSION,
    source: `Deno, out of the npm package ${name} (42 MB)`,
    file: PROGRAM,
    unpack: (/** @type {string} */ folder) => unpackPackage(`${name}@${VERSION}`, folder, { files: [PROGRAM] }),
  };
  return installedTool(tool, { download });
}

/**
 * Whether a program is a Deno that knows workspaces of npm packages and has WebGPU: 2 or later.
 *
 * @param {string} path
 * @returns {Promise<boolean>}
 */
function isRecent(path) {
  const answer = promisify(execFile)(path, ["--version"], { timeout: 20_000 });
  return answer.then(
    ({ stdout }) => Number(/^deno (\d+)\./.exec(stdout)?.[1]) >= 2,
    () => false,
  );
}

/**
 * Deno on the machine's own driver, with a process for each call.
 *
 * @param {string} executable
 * @param {{ env: Readonly<Record<string, string>> }} options what its environment has beside this process's
 * @returns {Runtime}
 */
export function denoRuntime(executable, { env }) {
  const map = fileURLToPath(new URL("import_map.json", import.meta.url));
  return processRuntime("Deno", { command: executable, args: [...FLAGS, map], env });
}
