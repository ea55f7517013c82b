import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { oneLine } from "./errors.ts";

/** Seconds that the installation may take. */
const LIMIT = 300;

/**
 * Installs the peers' packages beside their manifest if they are not there yet. They are no part of the workspace, so that `pnpm install` stays small.
 *
 * @returns Why they cannot be had, or undefined once they are there.
 */
export async function installPeers(folder: string, say: (text: string) => void): Promise<string | undefined> {
  const manifest = await readJson(join(folder, "package.json"));
  if (!manifest) return `the peers' packages cannot be installed: there is no ${join(folder, "package.json")}`;
  const wanted = Object.entries(manifest.dependencies as Record<string, string>);
  const found = await Promise.all(wanted.map(([name]) => readJson(join(folder, "node_modules", name, "package.json"))));
  if (wanted.every(([, version], i) => found[i]?.version === version)) return undefined;
  if (["1", "true"].includes(process.env.CURSIVE_NO_DOWNLOAD ?? ""))
    return "the peers' packages are not installed, and CURSIVE_NO_DOWNLOAD forbids it";
  say(`installing the peers (${wanted.map(([name, version]) => `${name} ${version}`).join(", ")}) into ${join(folder, "node_modules")}`);
  try {
    const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"];
    await promisify(execFile)("npm", args, { cwd: folder, timeout: 1000 * LIMIT, shell: process.platform === "win32" });
    return undefined;
  } catch (error) {
    return `the peers' packages could not be installed: ${reason(error as { stderr?: string; message: string })}`;
  }
}

/** What npm says went wrong, without its prefixes. */
function reason({ stderr, message }: { readonly stderr?: string; readonly message: string }): string {
  const lines = (stderr ?? "").split("\n").filter((line) => line.startsWith("npm error "));
  return oneLine(
    lines.length > 0
      ? lines
          .slice(0, 2)
          .map((line) => line.replace("npm error ", ""))
          .join(" ")
      : message,
  );
}

async function readJson(path: string): Promise<Record<string, unknown> | undefined> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
