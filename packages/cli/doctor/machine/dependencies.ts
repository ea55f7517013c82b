import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readJsonIfThere } from "../../run/files.ts";
import type { Finding } from "../finding.ts";

const ROOT = fileURLToPath(new URL("../../../../", import.meta.url));

interface Manifest {
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/** A dependency that is not what its manifest pins. */
interface Stray {
  readonly name: string;
  readonly pinned: string;
  /** Null where it is not installed. */
  readonly installed: string | null;
  /** Whether commands need it, and not only who works on this repository. */
  readonly isNeeded: boolean;
}

/** Whether everything that the workspace's manifests pin is installed, at that version: after a `git pull` it may not be. */
export async function checkDependencies(root: string = ROOT): Promise<Finding> {
  const about = { id: "machine.dependencies", name: "dependencies" } as const;
  const fix = "npx --yes pnpm@10.34.8 install";
  const folders = [root, ...(await packageFolders(root))];
  const checked = (await Promise.all(folders.map(pinnedOf))).flat();
  const strays = checked.filter(({ pinned, installed }) => installed !== pinned);
  if (strays.length === 0)
    return { ...about, status: "ok", found: `${new Set(checked.map(({ name }) => name)).size} packages, as pinned`, data: { strays } };
  const missing = strays.filter(({ installed, isNeeded }) => installed === null && isNeeded);
  const list = strays.map(({ name, pinned, installed }) => `${name} ${installed ?? "is missing"} (pinned ${pinned})`);
  return { ...about, status: missing.length > 0 ? "fail" : "warn", found: list.join(", "), fix, data: { strays } };
}

async function packageFolders(root: string): Promise<string[]> {
  const names = await readdir(join(root, "packages")).catch(() => []);
  return names.map((name) => join(root, "packages", name));
}

/** What a folder's manifest pins to one version, and what is installed for it. */
async function pinnedOf(folder: string): Promise<Stray[]> {
  const manifest = (await readJsonIfThere(join(folder, "package.json"))) as Manifest | undefined;
  const { dependencies = {}, devDependencies = {} } = manifest ?? {};
  const wanted = Object.entries({ ...devDependencies, ...dependencies });
  const pins = wanted.filter(([, version]) => /^\d+\.\d+\.\d+$/.test(version));
  return Promise.all(
    pins.map(async ([name, pinned]) => {
      const installed = await versionIn(join(folder, "node_modules", name));
      return { name, pinned, installed, isNeeded: name in dependencies };
    }),
  );
}

async function versionIn(folder: string): Promise<string | null> {
  try {
    return (JSON.parse(await readFile(join(folder, "package.json"), "utf8")) as Manifest).version ?? null;
  } catch {
    return null;
  }
}
