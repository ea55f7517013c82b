import { execFile } from "node:child_process";
import { accessSync, constants, readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { driverVariables } from "./driver.ts";

/** What a Linux system says about its GPUs and Vulkan drivers, read from files and without loading any driver. */
export interface SystemFacts {
  /** Hardware GPUs by their makers: `["NVIDIA"]`. */
  readonly gpus: readonly string[];
  /** Whether there is a Vulkan loader, `libvulkan.so.1`. */
  readonly hasLoader: boolean;
  /** Manifests of installed Vulkan drivers: `lvp_icd.x86_64.json`. */
  readonly manifests: readonly string[];
  /** Files that variables name as drivers and that are not there. */
  readonly missing: readonly string[];
  /** Device files of GPUs that this user may not open. */
  readonly forbidden: readonly string[];
  /** Of Mesa's drivers, `22.3.6`, as the package manager of Debian and its kin tells it. */
  readonly mesa: string | null;
}

/** Makers of GPUs by their PCI number. Display adapters of virtual machines and servers are no GPUs. */
const makers: Readonly<Record<string, string>> = { "0x10de": "NVIDIA", "0x1002": "AMD", "0x8086": "Intel" };

/** Reads the facts below `root`, which tests set. */
export async function systemFacts(options: { readonly root?: string; readonly env?: NodeJS.ProcessEnv } = {}): Promise<SystemFacts> {
  const { root = "/", env = process.env } = options;
  const named = driverVariables.flatMap((name) => (env[name] ?? "").split(delimiter)).filter(Boolean);
  return {
    gpus: pciGpus(root),
    hasLoader: libraryFolders(root, env).some((folder) => list(folder).includes("libvulkan.so.1")),
    manifests: [...new Set(manifestFolders(root, env).flatMap(list))].filter((name) => name.endsWith(".json")),
    missing: named.filter((file) => !may(file, constants.R_OK)),
    forbidden: deviceFiles(root).filter((file) => !may(file, constants.R_OK | constants.W_OK)),
    mesa: await mesaVersion(),
  };
}

function pciGpus(root: string): string[] {
  const devices = join(root, "sys/bus/pci/devices");
  const read = (device: string, file: string): string => {
    try {
      return readFileSync(join(devices, device, file), "utf8").trim();
    } catch {
      return "";
    }
  };
  const displays = list(devices).filter((device) => read(device, "class").startsWith("0x03"));
  return displays.map((device) => makers[read(device, "vendor")]).filter((maker) => maker !== undefined);
}

/** Where the loader's library may lie: the usual folders of distributions, and those that the environment adds. */
function libraryFolders(root: string, env: NodeJS.ProcessEnv): string[] {
  const machine = { x64: "x86_64", arm64: "aarch64" }[process.arch as string] ?? process.arch;
  const usual = ["lib", "lib64", "usr/lib", "usr/lib64", "usr/local/lib", `usr/lib/${machine}-linux-gnu`, `lib/${machine}-linux-gnu`];
  return [...(env.LD_LIBRARY_PATH ?? "").split(delimiter).filter(Boolean), ...usual.map((folder) => join(root, folder))];
}

function manifestFolders(root: string, env: NodeJS.ProcessEnv): string[] {
  const own = env.XDG_DATA_HOME || join(env.HOME || homedir(), ".local/share");
  return [...["etc", "usr/local/etc", "usr/local/share", "usr/share"].map((folder) => join(root, folder)), own].map((folder) =>
    join(folder, "vulkan/icd.d"),
  );
}

function deviceFiles(root: string): string[] {
  const render = list(join(root, "dev/dri")).filter((name) => name.startsWith("renderD"));
  const nvidia = list(join(root, "dev")).filter((name) => /^nvidia(\d+|ctl)$/.test(name));
  return [...render.map((name) => join(root, "dev/dri", name)), ...nvidia.map((name) => join(root, "dev", name))];
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function may(file: string, mode: number): boolean {
  try {
    accessSync(file, mode);
    return true;
  } catch {
    return false;
  }
}

async function mesaVersion(): Promise<string | null> {
  try {
    const { stdout } = await promisify(execFile)("dpkg-query", ["--show", "mesa-vulkan-drivers"]);
    return /\s(\d+(\.\d+)*)/.exec(stdout)?.[1] ?? null;
  } catch {
    return null;
  }
}
