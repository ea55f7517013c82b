// Finds an environment in which Dawn has a GPU: the machine's own drivers if they do, else a software driver that is fetched once.
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { installCommand, parseRelease } from "./advice.mjs";
import { cacheFolder, installOnce } from "./cache.mjs";
import { DRIVER_VARIABLES, withDriver } from "./environment.mjs";
import { hasApt, unpackLavapipe } from "./lavapipe.mjs";
import { probe } from "./probe.mjs";
import { machineKey, recall, remember } from "./remembered.mjs";
import { say } from "./report.mjs";
import { hasSwiftShader, unpackSwiftShader } from "./swiftshader.mjs";

/** @typedef {import("./environment.mjs").Driver & { title: string, available: () => boolean, unpack: (folder: string) => Promise<void> }} FetchedDriver */

/** Nothing gives Dawn an adapter; the message says what would. */
export class NoDriverError extends Error {
  name = "NoDriverError";
  /** The command that installs a software driver on this system. */
  install = installCommand(readRelease());
}

/**
 * What was decided, and why: `system` for the machine's own drivers, or those that the user's variables name; `none` where nothing works.
 *
 * @typedef {{ why: "system" | "fetched" | "forced" | "none", driver?: string, message?: string, install?: string, triedDownload?: boolean }} Choice
 */

/**
 * The environment with the choice in it, for `pnpm cli doctor` to tell.
 *
 * @param {NodeJS.ProcessEnv} env
 * @param {Choice} choice
 * @returns {NodeJS.ProcessEnv}
 */
export function withChoice(env, choice) {
  return { ...env, CURSIVE_DRIVER_CHOICE: JSON.stringify(choice) };
}

/**
 * The environment for a command that uses WebGPU. Asks Dawn only when nothing is remembered for this machine as it stands.
 *
 * @param {NodeJS.ProcessEnv} env
 * @param {{ forced?: string, download?: boolean }} [options] `forced`: the name of the one driver to use; `download`: whether one may be fetched
 * @returns {Promise<NodeJS.ProcessEnv>}
 * @throws {NoDriverError} when there is no such environment
 */
export async function chooseEnvironment(env, { forced, download = true } = {}) {
  // lavapipe's window-system code complains where there is no such folder, and then works without.
  /** @type {NodeJS.ProcessEnv} */
  const base = { ...env, XDG_RUNTIME_DIR: env.XDG_RUNTIME_DIR || "/tmp" };
  const drivers = fetchedDrivers();
  if (forced)
    return withChoice(await forcedEnvironment(base, driverNamed(drivers, forced), { download }), { why: "forced", driver: forced });

  const known = applyAnswer(base, recall(machineKey(base, drivers)), drivers);
  if (known) return known;
  const { adapter, dawnError } = probe(base);
  if (dawnError) throw new NoDriverError(`Expected Dawn (npm package webgpu) to load here but found: ${dawnError}`);
  if (adapter) {
    remember(machineKey(base, drivers), "system");
    return withChoice(base, { why: "system" });
  }
  const own = DRIVER_VARIABLES.filter((name) => base[name]);
  if (own.length > 0) {
    const named = own.map((name) => `${name}=${base[name]}`).join(" ");
    throw new NoDriverError(
      `Expected a Vulkan driver that Dawn accepts in ${named} but found none: name another driver there, or unset it.`,
    );
  }
  if (download && !drivers.some((driver) => existsSync(driver.folder))) say("No Vulkan driver that WebGPU (Dawn) accepts was found.");
  for (const driver of drivers) {
    const found = await tryDriver(base, driver, { download });
    if (!found) continue;
    remember(machineKey(base, drivers), `${driver.name} ${found.mode}`);
    return withChoice(found.environment, { why: "fetched", driver: driver.name });
  }
  throw new NoDriverError(noDriverMessage(download));
}

/** @returns {FetchedDriver[]} in the order of preference */
function fetchedDrivers() {
  const release = readRelease();
  // A home folder may be shared by machines of several systems, whose libraries differ.
  const system = [release.id ?? "linux", release.version, process.arch].filter(Boolean).join("-");
  return [
    {
      name: "lavapipe",
      title: "Mesa's software driver, lavapipe",
      folder: join(cacheFolder(), "lavapipe", system),
      available: hasApt,
      unpack: (folder) => unpackLavapipe(folder, release),
    },
    {
      name: "swiftshader",
      title: "the software driver SwiftShader, out of the npm package @sparticuz/chromium (70 MB)",
      folder: join(cacheFolder(), "swiftshader", system),
      available: hasSwiftShader,
      unpack: unpackSwiftShader,
    },
  ];
}

/**
 * @param {FetchedDriver[]} drivers
 * @param {string} name
 */
function driverNamed(drivers, name) {
  const driver = drivers.find((candidate) => candidate.name === name);
  if (!driver) throw new NoDriverError(`Expected a driver (${drivers.map((candidate) => candidate.name).join(", ")}) but found "${name}"`);
  return driver;
}

/**
 * @param {NodeJS.ProcessEnv} base
 * @param {string | undefined} answer `system`, or a driver and the mode in which it is used
 * @param {FetchedDriver[]} drivers
 */
function applyAnswer(base, answer, drivers) {
  if (answer === "system") return withChoice(base, { why: "system" });
  const [name, mode] = answer?.split(" ") ?? [];
  const driver = drivers.find((candidate) => candidate.name === name);
  return driver && (mode === "add" || mode === "only")
    ? withChoice(withDriver(base, driver, { mode }), { why: "fetched", driver: driver.name })
    : undefined;
}

/**
 * @param {NodeJS.ProcessEnv} base
 * @param {FetchedDriver} driver
 * @param {{ download: boolean }} options
 */
async function forcedEnvironment(base, driver, { download }) {
  const environment = withDriver(base, driver, { mode: "only" });
  const key = () => machineKey(environment, [driver]);
  if (recall(key()) === driver.name) return environment;
  if (!(await tryDriver(base, driver, { download, modes: ["only"] }))) {
    const hint = download ? "" : `: it is not in ${shortPath(driver.folder)}, and fetching it was refused`;
    throw new NoDriverError(`Expected the driver ${driver.name} to work on this machine but found no adapter${hint}`);
  }
  remember(key(), driver.name);
  return environment;
}

/**
 * The environment in which a driver works, fetching it if it may.
 *
 * @param {NodeJS.ProcessEnv} base
 * @param {FetchedDriver} driver
 * @param {{ download: boolean, modes?: import("./environment.mjs").Mode[] }} options
 */
async function tryDriver(base, driver, { download, modes = ["add", "only"] }) {
  const works = () => (existsSync(driver.folder) ? firstWorking(base, driver, modes) : undefined);
  const installed = works();
  if (installed || !download || !driver.available()) return installed;
  try {
    const fetch = (/** @type {string} */ folder) => {
      say(`Fetching ${driver.title}, once, into ${shortPath(driver.folder)} (no root needed; --no-download refuses).`);
      return fetchDriver(base, { ...driver, folder });
    };
    await installOnce(driver.folder, fetch, {
      // It worked when it was fetched; the system's libraries may have changed since.
      isUsable: () => works() !== undefined,
      onWait: () => say(`Waiting for another start, which is fetching ${driver.title}.`),
    });
  } catch (error) {
    say(`${driver.name}: ${error instanceof Error ? error.message : error}`);
    return undefined;
  }
  return works();
}

/**
 * @param {NodeJS.ProcessEnv} base
 * @param {FetchedDriver} driver with the folder to fill
 */
async function fetchDriver(base, driver) {
  await driver.unpack(driver.folder);
  // What does not work here must not look installed.
  if (!probe(withDriver(base, driver, { mode: "only" })).adapter) throw new Error("Dawn refuses it on this machine");
}

/**
 * @param {NodeJS.ProcessEnv} base
 * @param {FetchedDriver} driver
 * @param {import("./environment.mjs").Mode[]} modes
 */
function firstWorking(base, driver, modes) {
  for (const mode of modes) {
    const environment = withDriver(base, driver, { mode });
    if (probe(environment).adapter) return { environment, mode };
  }
  return undefined;
}

/** @param {boolean} download */
function noDriverMessage(download) {
  return [
    "Expected a Vulkan driver that WebGPU (Dawn) accepts but found none. Install one and run again:",
    "  for a GPU:         its vendor's Vulkan driver",
    `  without a GPU:     ${installCommand(readRelease())}`,
    ...(download
      ? []
      : [
          `  or, without root:  leave out --no-download (or CURSIVE_NO_DOWNLOAD) and a software driver is fetched into ${shortPath(cacheFolder())}`,
        ]),
  ].join("\n");
}

function readRelease() {
  try {
    return parseRelease(readFileSync("/etc/os-release", "utf8"));
  } catch {
    return {};
  }
}

/** @param {string} path */
function shortPath(path) {
  return path.startsWith(`${homedir()}/`) ? `~${path.slice(homedir().length)}` : path;
}
