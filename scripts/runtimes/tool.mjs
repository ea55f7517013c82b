// Programs that some tests want and that are no dependencies of the workspace: a browser, Deno, other versions of Node. Each is fetched once
// into the user's cache, when a test first asks for it.
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { cacheFolder, installOnce } from "../gpu/cache.mjs";
import { UnreachableError } from "../gpu/npm_package.mjs";
import { say } from "../gpu/report.mjs";

/** A program cannot be had on this machine; the message says why. Tests that want it are skipped. */
export class UnavailableError extends Error {
  name = "UnavailableError";
}

/**
 * @typedef {object} Tool
 * @property {string} name
 * @property {string} version
 * @property {string} source what is fetched, and how much: `the npm package deno (42 MB)`
 * @property {string} file the program's path in its folder
 * @property {(folder: string) => Promise<void>} unpack fills a new folder
 */

/**
 * The path of a program, fetching it if it may.
 *
 * @param {Tool} tool
 * @param {{ download: boolean }} options
 * @returns {Promise<string>}
 * @throws {UnavailableError} when it is not there and may or can not be fetched; other errors are this project's own
 */
export async function installedTool({ name, version, source, file, unpack }, { download }) {
  const folder = join(cacheFolder(), name, version);
  const place = folder.startsWith(`${homedir()}/`) ? `~${folder.slice(homedir().length)}` : folder;
  if (!existsSync(folder)) {
    if (!download) throw new UnavailableError(`it is not in ${place}, and fetching it was refused`);
    const fetch = (/** @type {string} */ temporary) => {
      say(`Fetching ${source}, once, into ${place} (no root needed; --no-download refuses).`);
      return unpack(temporary);
    };
    try {
      await installOnce(folder, fetch, { onWait: () => say(`Waiting for another start, which is fetching ${name}.`) });
    } catch (error) {
      throw error instanceof UnreachableError ? new UnavailableError(error.message) : error;
    }
  }
  return join(folder, file);
}

/**
 * Says that the tests which want a program are skipped, and why.
 *
 * @param {string} what
 * @param {unknown} error
 * @throws the error itself, if it is another one than {@link UnavailableError}
 */
export function sayThatSkipped(what, error) {
  if (!(error instanceof UnavailableError)) throw error;
  console.log(` ↓ ${what} is skipped: ${error.message}`);
}

/** Whether programs built for Linux with glibc, as those in npm packages are, run here. */
export function hasGlibc() {
  if (process.platform !== "linux") return false;
  /** @type {{ header?: { glibcVersionRuntime?: string } }} */
  const report = process.report.getReport();
  return report.header?.glibcVersionRuntime !== undefined;
}
