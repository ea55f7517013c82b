// Somewhere that runs the packages: what all of them have in common, and those that are processes.
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { fileURLToPath, pathToFileURL } from "node:url";

const ROOT = new URL("../..", import.meta.url);
const CALL = fileURLToPath(new URL("call.ts", import.meta.url));
const WITH_GPU = fileURLToPath(new URL("../with_gpu.mjs", import.meta.url));

/**
 * @typedef {object} Runtime
 * @property {string} name
 * @property {(module: string) => string} url what `import()` takes there for a module of the workspace
 * @property {(url: string, name: string, ...args: any[]) => Promise<any>} call calls a module's function; both ways as JSON
 * @property {() => Promise<void>} close
 */

/**
 * A runtime that starts a process for each call, on a Vulkan driver where it needs one.
 *
 * @param {string} name
 * @param {{ command: string, args: readonly string[], env?: Readonly<Record<string, string>>, driver?: string }} options what runs a file
 *   of TypeScript, and with which variables beside this process's own; the name of a driver to force
 * @returns {Runtime}
 */
export function processRuntime(name, { command, args, env, driver }) {
  const prefix = [WITH_GPU, ...(driver ? ["--driver", driver] : []), command, ...args, CALL];
  return {
    name,
    url: (module) => pathToFileURL(fileURLToPath(new URL(module, ROOT))).href,
    call(url, exported, ...values) {
      const mark = `${randomUUID()} `;
      const request = JSON.stringify({ module: url, name: exported, args: values, mark });
      const child = spawn(process.execPath, [...prefix, request], {
        cwd: ROOT,
        env: { ...process.env, ...env },
        stdio: ["ignore", "pipe", "pipe"],
      });
      const output = { stdout: "", stderr: "" };
      for (const stream of /** @type {const} */ (["stdout", "stderr"])) {
        child[stream].setEncoding("utf8").on("data", (text) => {
          output[stream] += text;
        });
      }
      return new Promise((resolve, reject) => {
        child.on("error", reject);
        child.on("close", (code, signal) => {
          const line = output.stdout.split("\n").find((candidate) => candidate.startsWith(mark));
          if (line) resolve(JSON.parse(line.slice(mark.length)));
          else reject(new Error(`Expected a result but ${name} ended with ${signal ?? `code ${code}`}\n${output.stderr.slice(-2000)}`));
        });
      });
    },
    async close() {},
  };
}

/**
 * This Node.
 *
 * @param {{ driver?: string }} [options] `driver`: the name of the one to use
 * @returns {Runtime}
 */
export function nodeRuntime({ driver } = {}) {
  return processRuntime("Node", { command: "node", args: ["--import", "tsx"], driver });
}
