// The npm package @sparticuz/chromium: a headless Chromium for Linux on x64 with all that it needs, every part compressed by itself. It is a
// source of a browser, and of a Vulkan driver, for machines that reach the npm registry and nothing else.
import { execFile } from "node:child_process";
import { createReadStream, createWriteStream, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { createBrotliDecompress } from "node:zlib";
import { unpackPackage } from "./npm_package.mjs";

const execute = promisify(execFile);

/** The last version that Node 20 may install. */
export const CHROMIUM_VERSION = "147.0.0";

/**
 * Whether the package is for this machine.
 *
 * @returns {boolean}
 */
export function hasChromiumPackage() {
  return process.platform === "linux" && process.arch === "x64";
}

/**
 * Takes parts out of the package.
 *
 * @param {string} folder
 * @param {Readonly<Record<string, string>>} parts where each goes in `folder`, by its name in the package; an archive into a folder
 */
export async function unpackChromiumParts(folder, parts) {
  const work = join(folder, "work");
  const files = Object.keys(parts).map((name) => `bin/${name}.br`);
  await unpackPackage(`@sparticuz/chromium@${CHROMIUM_VERSION}`, work, { files });
  for (const [name, target] of Object.entries(parts)) {
    const isArchive = name.endsWith(".tar");
    const file = isArchive ? join(work, name) : join(folder, target);
    await pipeline(createReadStream(join(work, "bin", `${name}.br`)), createBrotliDecompress(), createWriteStream(file, { mode: 0o755 }));
    if (!isArchive) continue;
    mkdirSync(join(folder, target), { recursive: true });
    await execute("tar", ["-xf", file, "--no-same-owner", "-C", join(folder, target)]);
  }
  rmSync(work, { recursive: true });
}
