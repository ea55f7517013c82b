// Fetches packages from the archives that this machine's apt is set up with, without root and without touching the system: apt runs with
// package lists and a cache of its own.
import { execFile, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

const execute = promisify(execFile);
const SYSTEM_SOURCES = "/etc/apt/sources.list.d";
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/**
 * @typedef {object} Apt
 * @property {(args: string[]) => Promise<string>} get runs apt-get, resolves to what it prints
 * @property {(args: string[]) => Promise<string>} cache runs apt-cache, resolves to what it prints
 * @property {() => Promise<void>} update fetches the package lists
 * @property {(suite: string) => Promise<void>} addSuite adds a suite of the distribution's own archive, and prefers it
 * @property {(packages: string[], options: { folder: string, onProgress: (done: number, total: number) => void }) => Promise<void>} download
 *   reports bytes
 */

/**
 * @param {string} folder an empty folder for lists and caches
 * @returns {Apt}
 */
export function openApt(folder) {
  const sources = join(folder, "sources.list.d");
  for (const name of ["sources.list.d", "lists/partial", "cache/archives/partial"]) mkdirSync(join(folder, name), { recursive: true });
  // The system's own sources, with their mirrors, keys and proxies; a suite of ours goes beside them.
  for (const file of list(SYSTEM_SOURCES)) symlinkSync(join(SYSTEM_SOURCES, file), join(sources, file));
  const options = [
    `Dir::Etc::sourceparts=${sources}`,
    `Dir::State::lists=${join(folder, "lists")}`,
    `Dir::Cache=${join(folder, "cache")}`,
    "APT::Sandbox::User=",
    "Debug::NoLocking=1",
    "Acquire::Languages=none",
    "Acquire::Retries=2",
    "Acquire::http::Timeout=30",
    "Acquire::https::Timeout=30",
    ...["Contents-deb", "DEP-11", "CNF"].map((target) => `Acquire::IndexTargets::deb::${target}::DefaultEnabled=false`),
  ];
  /**
   * @param {string} command
   * @param {string[]} args
   * @param {string} [cwd]
   */
  const spell = (command, args, cwd) => ({
    command,
    args: ["-qq", ...options.flatMap((option) => ["-o", option]), ...args],
    settings: { cwd, env: { ...process.env, LC_ALL: "C" }, maxBuffer: 1 << 26 },
  });
  /**
   * @param {string} command
   * @param {string[]} args
   * @param {string} [cwd]
   */
  const run = async (command, args, cwd) => {
    const call = spell(command, args, cwd);
    return (await execute(call.command, call.args, call.settings)).stdout;
  };

  /** @type {Apt} */
  const apt = {
    get: (args) => run("apt-get", args),
    cache: (args) => run("apt-cache", args),
    async update() {
      // A third party's archive that does not answer fails the whole update; whether the lists suffice shows when a package is asked for.
      await run("apt-get", ["update"]).catch(() => {});
    },
    async addSuite(suite) {
      const format = ["--format", "$(REPO_URI)", "Created-By: Packages", "Label: Debian", "Component: main"];
      const archive = (await apt.get(["indextargets", ...format])).split("\n")[0];
      if (!archive) throw new Error("Expected an archive of Debian in apt's configuration but found none");
      const signedBy = existsSync(KEYRING) ? `[signed-by=${KEYRING}] ` : "";
      writeFileSync(join(sources, "added.list"), `deb ${signedBy}${archive} ${suite} main\n`);
      await apt.update();
      options.push(`APT::Default-Release=${suite}`);
    },
    async download(packages, { folder: target, onProgress }) {
      mkdirSync(target, { recursive: true });
      const total = totalSize(await apt.get(["download", "--print-uris", ...packages]));
      const call = spell("apt-get", ["download", ...packages], target);
      const child = spawn(call.command, call.args, { ...call.settings, stdio: ["ignore", "ignore", "pipe"] });
      let complaint = "";
      child.stderr.setEncoding("utf8").on("data", (text) => {
        complaint += text;
      });
      const timer = setInterval(() => onProgress(folderSize(target), total), 250);
      const code = await new Promise((resolve, reject) => child.on("error", reject).on("close", resolve)).finally(() =>
        clearInterval(timer),
      );
      if (code !== 0) throw new Error(`apt-get download failed: ${complaint.trim().split("\n")[0]}`);
      onProgress(total, total);
    },
  };
  return apt;
}

/**
 * The candidate's version in the output of `apt-cache policy NAME`.
 *
 * @param {string} policy
 * @returns {string | undefined}
 */
export function candidateVersion(policy) {
  const version = /^ {2}Candidate: (.*)$/m.exec(policy)?.[1];
  return version === "(none)" ? undefined : version;
}

/**
 * What `apt-get -s install` would install or upgrade: versions by package.
 *
 * @param {string} simulation
 * @returns {Map<string, string>}
 */
export function plannedPackages(simulation) {
  const lines = simulation.matchAll(/^Inst (\S+) (?:\[[^\]]*\] )?\((\S+) /gm);
  return new Map(Array.from(lines, (match) => [match[1] ?? "", match[2] ?? ""]));
}

/**
 * The packages in the output of `apt-cache depends --recurse`: the lines at the margin.
 *
 * @param {string} output
 * @returns {Set<string>}
 */
export function dependencyClosure(output) {
  return new Set(output.split("\n").filter((line) => /^[a-z0-9]/.test(line)));
}

/**
 * The bytes that `apt-get download --print-uris` lists: `'uri' file size hash` a line.
 *
 * @param {string} uris
 * @returns {number}
 */
export function totalSize(uris) {
  return Array.from(uris.matchAll(/^'[^']*' \S+ (\d+)/gm), (match) => Number(match[1])).reduce((sum, size) => sum + size, 0);
}

/** @param {string} folder */
function folderSize(folder) {
  let size = 0;
  for (const file of list(folder)) {
    // apt renames a file when it is complete, perhaps between the listing and this look.
    size += statSync(join(folder, file), { throwIfNoEntry: false })?.size ?? 0;
  }
  return size;
}

/** @param {string} folder */
function list(folder) {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
