// The environment variables that make the Vulkan loader see a driver in a folder of its own.
import { join } from "node:path";

/**
 * @typedef {object} Driver a Vulkan driver in a folder: its manifest `icd.json`, and `lib/` with what it needs
 * @property {string} name
 * @property {string} folder
 */

/** @typedef {"add" | "only"} Mode */

/** The variables by which a user chooses drivers. */
export const DRIVER_VARIABLES = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES", "VK_ADD_DRIVER_FILES"];

/**
 * The environment with a driver in it. `add` keeps the system's drivers, and with them a hardware GPU, in front of it; Vulkan loaders before
 * 1.3.207 do not know that variable, and want `only`.
 *
 * @param {NodeJS.ProcessEnv} env
 * @param {Driver} driver
 * @param {{ mode: Mode }} options
 * @returns {NodeJS.ProcessEnv}
 */
export function withDriver(env, driver, { mode }) {
  const result = { ...env };
  const manifest = join(driver.folder, "icd.json");
  for (const name of DRIVER_VARIABLES) delete result[name];
  result[mode === "add" ? "VK_ADD_DRIVER_FILES" : "VK_ICD_FILENAMES"] = manifest;
  result.LD_LIBRARY_PATH = [join(driver.folder, "lib"), env.LD_LIBRARY_PATH].filter(Boolean).join(":");
  return result;
}

/**
 * The text of a driver's manifest, with a path relative to it, so that a folder may be renamed.
 *
 * @param {string} library the file's name in `lib/`
 * @returns {string}
 */
export function manifest(library) {
  return `${JSON.stringify({ file_format_version: "1.0.0", ICD: { library_path: `./lib/${library}`, api_version: "1.3.0" } })}\n`;
}
