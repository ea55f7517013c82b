// SwiftShader, Google's software Vulkan driver, and a Vulkan loader, out of the npm package @sparticuz/chromium (Linux on x64 with glibc).
// Several times slower than lavapipe, but all that it needs is the npm registry.
import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliDecompress } from "node:zlib";
import { manifest } from "./environment.mjs";

const execute = promisify(execFile);

/** The last version that Node 20 may install. */
const PACKAGE = "@sparticuz/chromium@147.0.0";
const BUNDLE = "package/bin/swiftshader.tar.br";
const DRIVER = "libvk_swiftshader.so";
const LOADER = "libvulkan.so.1";

/**
 * Whether the package has a driver for this machine.
 *
 * @returns {boolean}
 */
export function hasSwiftShader() {
  return process.platform === "linux" && process.arch === "x64";
}

/**
 * Fills a folder with SwiftShader and the Vulkan loader.
 *
 * @param {string} folder
 */
export async function unpackSwiftShader(folder) {
  const work = join(folder, "work");
  const library = join(folder, "lib");
  mkdirSync(work);
  mkdirSync(library);
  await execute("npm", ["pack", "--silent", "--pack-destination", work, PACKAGE], { cwd: work });
  const [packed] = readdirSync(work);
  await execute("tar", ["-xzf", join(work, packed ?? ""), "-C", work, BUNDLE]);
  writeFileSync(join(work, "bundle.tar"), await promisify(brotliDecompress)(readFileSync(join(work, BUNDLE))));
  await execute("tar", ["-xf", join(work, "bundle.tar"), "--no-same-owner", "-C", library, DRIVER, LOADER]);
  writeFileSync(join(folder, "icd.json"), manifest(DRIVER));
  rmSync(work, { recursive: true });
}
