// Fetches npm packages without installing them: the client's own cache, registry and proxies, no dependencies, no scripts.
import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

const execute = promisify(execFile);

/** How npm names the failures of a machine that does not reach the registry. */
const UNREACHABLE = /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ENOTCACHED|ERR_SOCKET_TIMEOUT)\b/;

/** The npm registry does not answer. */
export class UnreachableError extends Error {
  name = "UnreachableError";
}

/**
 * Puts files of an exact version of a package into a folder. A version that was fetched before comes out of npm's cache.
 *
 * @param {string} spec `name@1.2.3`
 * @param {string} folder gets the files at their paths in the package
 * @param {{ files: readonly string[] }} options
 * @throws {UnreachableError} when the registry does not answer
 */
export async function unpackPackage(spec, folder, { files }) {
  const work = join(folder, ".package");
  mkdirSync(work, { recursive: true });
  try {
    const options = ["--silent", "--prefer-offline", "--fetch-retries=1", "--fetch-retry-mintimeout=2000", "--loglevel=error"];
    await execute("npm", ["pack", ...options, "--pack-destination", work, spec], { cwd: work });
  } catch (error) {
    throw explain(spec, error);
  }
  const [archive] = readdirSync(work);
  await execute("tar", ["-xzf", join(work, archive ?? ""), "--no-same-owner", "-C", work, ...files.map((file) => `package/${file}`)]);
  for (const file of files) {
    mkdirSync(join(folder, file, ".."), { recursive: true });
    renameSync(join(work, "package", file), join(folder, file));
  }
  rmSync(work, { recursive: true });
}

/**
 * @param {string} spec
 * @param {unknown} error what `execFile` threw
 * @returns {Error}
 */
function explain(spec, error) {
  const output = error instanceof Error && "stderr" in error ? String(error.stderr) : String(error);
  const unreachable = UNREACHABLE.exec(output)?.[1];
  if (unreachable) return new UnreachableError(`the npm registry does not answer (${unreachable})`);
  const lines = output.split("\n").filter((line) => /^npm error /.test(line));
  return new Error(`Expected npm to fetch ${spec} but found: ${lines[0] ?? output.trim()}`);
}
