// Remembers which driver worked, so that a later start need not ask Dawn again. What it knows is bound to what the answer depends on: the
// driver files, the devices, the loader's libraries, Dawn's version. Anything installed or plugged in since makes a new question.
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cacheFolder } from "./cache.mjs";

/**
 * The name of the question: a digest of everything that the answer depends on.
 *
 * @param {NodeJS.ProcessEnv} env
 * @param {readonly import("./environment.mjs").Driver[]} drivers those that this project may have fetched
 * @returns {string}
 */
export function machineKey(env, drivers) {
  const facts = [
    process.arch,
    fileURLToPath(import.meta.url),
    stamp(fileURLToPath(new URL("../../node_modules/webgpu/package.json", import.meta.url))),
    stamp("/etc/ld.so.cache"),
    ...manifestFolders(env).flatMap((folder) => list(folder).map((name) => stamp(join(folder, name)))),
    ...list("/dev").filter((name) => /^(nvidia|dxg|mali)/.test(name)),
    ...list("/dev/dri"),
    ...Object.keys(env)
      .filter((name) => name.startsWith("VK_") || name === "LD_LIBRARY_PATH")
      .sort()
      .map((name) => `${name}=${env[name]}`),
    ...drivers.map((driver) => stamp(join(driver.folder, "icd.json"))),
  ];
  return createHash("sha256").update(facts.join("\n")).digest("hex").slice(0, 32);
}

/**
 * @param {string} key
 * @returns {string | undefined}
 */
export function recall(key) {
  try {
    return readFileSync(answerFile(key), "utf8");
  } catch {
    return undefined;
  }
}

/**
 * @param {string} key
 * @param {string} answer
 */
export function remember(key, answer) {
  const file = answerFile(key);
  try {
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(`${file}.${process.pid}`, answer);
    renameSync(`${file}.${process.pid}`, file);
  } catch {
    // A cache that cannot be written costs the next start a moment, nothing else.
  }
}

/** @param {string} key */
function answerFile(key) {
  return join(cacheFolder(), "drivers", key);
}

/**
 * Where the Vulkan loader looks for drivers.
 *
 * @param {NodeJS.ProcessEnv} env
 * @returns {string[]}
 */
function manifestFolders(env) {
  const home = env.HOME || homedir();
  const roots = [
    env.XDG_CONFIG_HOME || join(home, ".config"),
    ...(env.XDG_CONFIG_DIRS || "/etc/xdg").split(":"),
    "/etc",
    "/usr/local/etc",
    env.XDG_DATA_HOME || join(home, ".local", "share"),
    ...(env.XDG_DATA_DIRS || "/usr/local/share:/usr/share").split(":"),
  ];
  return roots.map((root) => join(root, "vulkan", "icd.d"));
}

/** @param {string} file */
function stamp(file) {
  const status = statSync(file, { throwIfNoEntry: false });
  return `${file} ${status?.mtimeMs} ${status?.size}`;
}

/** @param {string} folder */
function list(folder) {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}
