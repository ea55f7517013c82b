// SwiftShader, Google's software Vulkan driver, and a Vulkan loader, out of the npm package @sparticuz/chromium (Linux on x64 with glibc).
// Several times slower than lavapipe, but all that it needs is the npm registry.
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hasChromiumPackage, unpackChromiumParts } from "./chromium_package.mjs";
import { manifest } from "./environment.mjs";

const DRIVER = "libvk_swiftshader.so";
const LOADER = "libvulkan.so.1";

/**
 * Whether the package has a driver for this machine.
 *
 * @returns {boolean}
 */
export function hasSwiftShader() {
  return hasChromiumPackage();
}

/**
 * Fills a folder with SwiftShader and the Vulkan loader.
 *
 * @param {string} folder
 */
export async function unpackSwiftShader(folder) {
  const library = join(folder, "lib");
  await unpackChromiumParts(folder, { "swiftshader.tar": "lib" });
  // The rest is for OpenGL, which only a browser needs.
  for (const name of readdirSync(library)) if (name !== DRIVER && name !== LOADER) rmSync(join(library, name));
  writeFileSync(join(folder, "icd.json"), manifest(DRIVER));
}
