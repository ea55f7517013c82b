// Asks Dawn whether an environment gives it a GPU. A child process asks: drivers read their variables once, when a process starts, and a
// driver that crashes must not take the caller along.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const NO_ADAPTER = 3;
const NO_DAWN = 4;

/**
 * @typedef {object} Probe
 * @property {string} [adapter] the adapter's name, where Dawn has one
 * @property {string} [dawnError] why Dawn itself does not load here, where it does not
 */

/**
 * Which adapter Dawn finds in an environment.
 *
 * @param {NodeJS.ProcessEnv} env
 * @returns {Probe}
 */
export function probe(env) {
  const child = spawnSync(process.execPath, [fileURLToPath(import.meta.url)], { env, encoding: "utf8", timeout: 60_000 });
  if (child.status === 0) return { adapter: child.stdout.trim() };
  if (child.status === NO_DAWN) return { dawnError: child.stdout.trim() };
  return {};
}

/** @returns {Promise<{ code: number, message: string }>} */
async function askDawn() {
  /** @type {GPU} */
  let gpu;
  try {
    const { create } = await import("webgpu");
    gpu = create([]);
  } catch (error) {
    return { code: NO_DAWN, message: error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error) };
  }
  const adapter = await gpu.requestAdapter();
  if (!adapter) return { code: NO_ADAPTER, message: "" };
  const { vendor, architecture, device, description } = adapter.info;
  // Dawn's null backend accepts every command and computes nothing.
  if (device === "null-backend") return { code: NO_ADAPTER, message: "" };
  // Some drivers are listed and then fail to open.
  const opened = await adapter.requestDevice();
  opened.destroy();
  return { code: 0, message: description || [vendor, architecture, device].filter(Boolean).join(" ") };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { code, message } = await askDawn();
  console.log(message);
  process.exitCode = code;
}
