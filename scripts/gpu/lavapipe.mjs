// Mesa's software Vulkan driver (lavapipe), unpacked from the distribution's packages into a folder: Debian, Ubuntu and their relatives.
import { execFile } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { candidateVersion, dependencyClosure, openApt, plannedPackages } from "./apt.mjs";
import { manifest } from "./environment.mjs";
import { progress } from "./report.mjs";

const execute = promisify(execFile);

const DRIVER = "libvulkan_lvp.so";
const LOADER = "libvulkan.so.1";
/** Dawn asks for features that lavapipe has had since about this version; Debian 12's own 22.3 is refused. */
const OLDEST_MESA = 23;
/** What belongs to the C library and to the compiler's runtime must be the system's: Node runs with it already. */
const SYSTEM_RUNTIME = /^(libc6|libc-bin|gcc-\d+-base|libgcc-s1|libstdc\+\+6)$/;

/**
 * Whether this machine's packages can be fetched and unpacked.
 *
 * @returns {boolean}
 */
export function hasApt() {
  return existsSync("/usr/bin/apt-get") && existsSync("/usr/bin/dpkg-deb");
}

/**
 * Fills a folder with lavapipe, the Vulkan loader and the libraries that the system lacks.
 *
 * @param {string} folder
 * @param {{ codename?: string }} release the distribution's, for the name of its backports
 */
export async function unpackLavapipe(folder, { codename }) {
  const work = join(folder, "work");
  const root = join(work, "root");
  const apt = openApt(join(work, "apt"));
  await apt.update();
  await preferRecentMesa(apt, codename);

  const packages = await packagesToFetch(apt);
  const archives = join(work, "archives");
  await apt.download(packages, { folder: archives, onProgress: progress("lavapipe") });
  for (const file of readdirSync(archives)) await execute("dpkg-deb", ["-x", join(archives, file), root]);

  await collectLibraries(root, join(folder, "lib"));
  writeFileSync(join(folder, "icd.json"), manifest(DRIVER));
  rmSync(work, { recursive: true });
}

/**
 * Debian keeps newer versions for a release in its backports.
 *
 * @param {import("./apt.mjs").Apt} apt
 * @param {string | undefined} codename
 */
async function preferRecentMesa(apt, codename) {
  const version = async () => candidateVersion(await apt.cache(["policy", "mesa-vulkan-drivers"]));
  let found = await version();
  if (!found) throw new Error("Expected the package mesa-vulkan-drivers in apt's archives but found none");
  if (isRecent(found)) return;
  if (codename) {
    await apt.addSuite(`${codename}-backports`);
    found = (await version()) ?? found;
  }
  if (!isRecent(found)) throw new Error(`Expected Mesa ${OLDEST_MESA} or later in apt's archives but found ${found}`);
}

/** @param {string} version of a package, perhaps with an epoch: `1:25.0.7-2` */
function isRecent(version) {
  return Number.parseInt(version.replace(/^\d+:/, ""), 10) >= OLDEST_MESA;
}

/**
 * The driver, the loader, and those of their dependencies that the system lacks or has in too old a version.
 *
 * @param {import("./apt.mjs").Apt} apt
 * @returns {Promise<string[]>}
 */
async function packagesToFetch(apt) {
  const wanted = ["mesa-vulkan-drivers", "libvulkan1"];
  const only = ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"].map((kind) => `--no-${kind}`);
  const closure = dependencyClosure(await apt.cache(["depends", "--recurse", ...only, ...wanted]));
  const planned = plannedPackages(await apt.get(["-s", "install", "--no-install-recommends", "-y", ...wanted]));
  const missing = [...planned].filter(([name]) => closure.has(name) && !SYSTEM_RUNTIME.test(name) && !wanted.includes(name));
  return [...wanted, ...missing.map(([name, version]) => `${name}=${version}`)];
}

/**
 * Copies the driver, the loader and what they link to out of the unpacked packages: nothing else may come before the system's libraries.
 *
 * @param {string} root
 * @param {string} target
 */
async function collectLibraries(root, target) {
  const folders = ["usr/lib", "lib"]
    .map((name) => join(root, name))
    .filter((name) => existsSync(name))
    .flatMap((name) => readdirSync(name, { withFileTypes: true }).map((entry) => join(name, entry.name)));
  const path = folders.join(":");
  mkdirSync(target, { recursive: true });
  for (const name of [DRIVER, LOADER]) {
    const file = folders.map((folder) => join(folder, name)).find((candidate) => existsSync(candidate));
    if (!file) throw new Error(`Expected ${name} in Mesa's packages but found none`);
    copyFileSync(file, join(target, name));
    const { stdout } = await execute("ldd", [file], { env: { ...process.env, LD_LIBRARY_PATH: path } });
    const absent = stdout.split("\n").filter((line) => line.includes("not found"));
    if (absent.length > 0) throw new Error(`Expected all libraries of ${name} but found ${absent.map((line) => line.trim()).join(", ")}`);
    for (const [, soname, library] of stdout.matchAll(/^\s*(\S+) => (\/\S+) \(/gm)) {
      if (soname && library?.startsWith(root)) copyFileSync(library, join(target, soname));
    }
  }
}
