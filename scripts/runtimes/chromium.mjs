// A headless Chromium whose WebGPU runs on its own software driver: one that is installed, or the one in the npm package @sparticuz/chromium.
import { execFile } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { chromium } from "playwright-core";
import { CHROMIUM_VERSION, hasChromiumPackage, unpackChromiumParts } from "../gpu/chromium_package.mjs";
import { hasGlibc, installedTool, UnavailableError } from "./tool.mjs";

/** Names under which a browser may be on the PATH. */
const COMMANDS = ["chromium", "google-chrome", "google-chrome-stable", "chromium-browser"];
/** Places of installers that put nothing on the PATH. */
const PLACES = ["/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium"];

/** `--no-sandbox`: as root, and in most containers, there is none. `--enable-unsafe-webgpu`: a software adapter counts as unsafe. */
const ARGUMENTS = [
  "--no-sandbox",
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--disable-gpu-watchdog",
  "--disable-quic",
  "--no-pings",
];

const LAUNCHER = `#!/bin/sh
# Chromium with the libraries and fonts beside it.
here=$(dirname "$(readlink -f "$0")")
export LD_LIBRARY_PATH="$here/lib\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" FONTCONFIG_FILE="$here/fonts.conf"
exec "$here/headless_shell" "$@"
`;

const FONTS = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <dir prefix="relative">fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
</fontconfig>
`;

/**
 * The path of a Chromium: `CURSIVE_CHROMIUM`, one on the PATH, or one that is fetched once into the user's cache.
 *
 * @param {NodeJS.ProcessEnv} env
 * @param {{ download: boolean }} options
 * @returns {Promise<string>}
 * @throws {UnavailableError} when there is none
 */
export async function findChromium(env, { download }) {
  if (env.CURSIVE_CHROMIUM) {
    if (existsSync(env.CURSIVE_CHROMIUM)) return env.CURSIVE_CHROMIUM;
    throw new Error(`Expected a browser at CURSIVE_CHROMIUM but found none: ${env.CURSIVE_CHROMIUM}`);
  }
  const folders = (env.PATH ?? "").split(delimiter).filter(Boolean);
  for (const path of [...COMMANDS.flatMap((name) => folders.map((folder) => join(folder, name))), ...PLACES]) {
    if (existsSync(path) && (await isBrowser(path))) return path;
  }
  if (!hasChromiumPackage() || !hasGlibc()) {
    throw new UnavailableError(
      `no Chromium is installed, and npm has none for ${process.platform} on ${process.arch}: name one in CURSIVE_CHROMIUM`,
    );
  }
  const tool = {
    name: "chromium",
    version: CHROMIUM_VERSION,
    source: "a headless Chromium, out of the npm package @sparticuz/chromium (68 MB)",
    file: "chromium",
    unpack: unpackChromium,
  };
  return installedTool(tool, { download });
}

/**
 * Whether a program is a browser, and not what a distribution puts in its place to recommend another package.
 *
 * @param {string} path
 * @returns {Promise<boolean>}
 */
function isBrowser(path) {
  const answer = promisify(execFile)(path, ["--version"], { timeout: 20_000 });
  return answer.then(
    ({ stdout }) => /Chrom(e|ium)\D* \d+\./.test(stdout),
    () => false,
  );
}

/**
 * Fills a folder with a Chromium and a script that starts it.
 *
 * @param {string} folder
 */
async function unpackChromium(folder) {
  // The graphics libraries must lie beside the program, which does not ask LD_LIBRARY_PATH for them.
  await unpackChromiumParts(folder, { chromium: "headless_shell", "swiftshader.tar": ".", "al2023.tar": ".", "fonts.tar": "." });
  writeFileSync(join(folder, "fonts.conf"), FONTS);
  writeFileSync(join(folder, "chromium"), LAUNCHER, { mode: 0o755 });
}

/**
 * Starts a browser.
 *
 * @param {string} executablePath
 * @returns {Promise<import("playwright-core").Browser>}
 */
export async function launchChromium(executablePath) {
  try {
    return await chromium.launch({ executablePath, args: ARGUMENTS });
  } catch (error) {
    // The rest is every flag that it was started with.
    const output = String(error)
      .split("\n")
      .filter((line) => /^\[pid=\d+\]\[err\]|^\S*Error:/.test(line))
      .slice(0, 8)
      .join("\n");
    throw new Error(`Expected ${executablePath} to start but found: ${output}`, { cause: error });
  }
}
