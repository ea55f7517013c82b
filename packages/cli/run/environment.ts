import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { cpus } from "node:os";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Word } from "@cursive/cursive-model";
import type { Device } from "@cursive/tensor";
import { tuningName } from "../tuning/tuning_name.ts";

/** Where a run took place: `env.json`. */
export interface Environment {
  /** When, in ISO 8601. */
  readonly started: string;
  readonly seed: number;
  /** SHA-256 of all words: texts, authors, points. */
  readonly dataHash: string;
  readonly node: string;
  /** Of the operating system and the processor, as Node names them. */
  readonly platform: string;
  readonly cpu: string;
  readonly packages: Readonly<Record<string, string>>;
  readonly adapter: Adapter;
  /** The commit that the program was at, with `+` where files had been changed; null outside of a repository. */
  readonly commit: string | null;
  /** Later starts of the same run. */
  readonly resumed: readonly Resumption[];
}

/** The GPU as its driver describes it. */
export interface Adapter {
  readonly name: string;
  readonly vendor: string;
  readonly architecture: string;
  readonly isSoftware: boolean;
  readonly kernels: string;
  /** Names the kernels that `doctor --tune` chose; null where they are the family's. */
  readonly tuning?: string | null;
}

/** One more start of a run. */
export interface Resumption {
  readonly at: string;
  readonly step: number;
  readonly node: string;
  readonly adapter: string;
  readonly commit: string | null;
}

/** Describes this process, its device and its data. */
export async function describeEnvironment(
  device: Device,
  about: { readonly seed: number; readonly dataHash: string },
): Promise<Environment> {
  const [cli, webgpu, commit] = await Promise.all([ownVersion(), versionOf("webgpu/package.json"), currentCommit()]);
  return {
    started: new Date().toISOString(),
    ...about,
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cpu: `${cpus()[0]?.model ?? "unknown"}, ${cpus().length} cores`,
    packages: { cursive: cli, webgpu },
    adapter: describeAdapter(device),
    commit,
    resumed: [],
  };
}

/** The command line's own version. */
export function ownVersion(): Promise<string> {
  return versionOf("../package.json");
}

/** Describes the GPU. */
export function describeAdapter(device: Device): Adapter {
  const info = device.gpu.adapterInfo as GPUAdapterInfo | undefined;
  return {
    name: device.name,
    vendor: info?.vendor ?? "",
    architecture: info?.architecture ?? "",
    isSoftware: device.isSoftware,
    kernels: device.family,
    tuning: tuningName(device.tuning),
  };
}

/** SHA-256 over all words, in their order. */
export function hashWords(words: Iterable<Word>): string {
  const hash = createHash("sha256");
  for (const { text, author, points } of words) {
    hash.update(JSON.stringify([text, author, points.length]));
    const flat = new Float64Array(3 * points.length);
    for (let i = 0; i < points.length; i++) flat.set(points[i]!, 3 * i);
    hash.update(flat);
  }
  return hash.digest("hex");
}

/** The commit of the repository that this file is in, if it is in one and git is there. */
export async function currentCommit(): Promise<string | null> {
  const cwd = fileURLToPath(new URL(".", import.meta.url));
  try {
    const { stdout } = await promisify(execFile)("git", ["describe", "--always", "--dirty=+", "--abbrev=40", "--exclude=*"], { cwd });
    return stdout.trim();
  } catch {
    return null;
  }
}

async function versionOf(manifest: string): Promise<string> {
  try {
    const url = manifest.startsWith(".") ? new URL(manifest, import.meta.url) : import.meta.resolve(manifest);
    return (JSON.parse(await readFile(fileURLToPath(url), "utf8")) as { version: string }).version;
  } catch {
    return "unknown";
  }
}
