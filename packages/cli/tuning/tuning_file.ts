import { createHash } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { type Device, formName, type OpenDeviceOptions, openDevice, productForms } from "@cursive/tensor";
import { ownVersion } from "../run/environment.ts";
import type { TunedProduct, TuningResult } from "./tune_products.ts";

/** A device's tuning, as it is kept. */
export interface TuningFile extends TuningResult {
  readonly schema: "cursive-tuning";
  readonly version: 1;
  /** When, in ISO 8601. */
  readonly tuned: string;
  /** What it holds for: another adapter, driver or program has another file. */
  readonly key: string;
  readonly products: readonly TunedProduct[];
}

/** Whether tunings are left alone: `CURSIVE_TUNING=off`. */
export function isTuningOff(env: NodeJS.ProcessEnv = process.env): boolean {
  return /^(off|0|false|no)$/i.test(env.CURSIVE_TUNING ?? "");
}

/** What a tuning holds for: adapter and driver as they describe themselves, subgroups, this program, and the forms that it knows. */
async function keyOf(device: Device): Promise<string> {
  const { vendor = "", architecture = "" } = (device.gpu.adapterInfo as GPUAdapterInfo | undefined) ?? {};
  const forms = productForms(device).map(formName);
  return JSON.stringify([device.name, vendor, architecture, device.family, device.subgroupSize, await ownVersion(), forms]);
}

/** Where a device's tuning is kept: in the user's cache, beside drivers that were fetched. */
export async function tuningPath(device: Device): Promise<string> {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  const name = createHash("sha256")
    .update(await keyOf(device))
    .digest("hex")
    .slice(0, 16);
  return join(cache, "cursive", "tuning", `${name}.json`);
}

/** The tuning that is kept for a device; undefined where there is none, or none that can be used. */
export async function readTuning(device: Device): Promise<TuningFile | undefined> {
  try {
    const file = JSON.parse(await readFile(await tuningPath(device), "utf8")) as Partial<TuningFile>;
    const isOurs = file.schema === "cursive-tuning" && file.version === 1 && file.key === (await keyOf(device));
    return isOurs && file.tuning?.family === device.family ? (file as TuningFile) : undefined;
  } catch {
    return undefined; // not there, or damaged: it is a cache
  }
}

/** Keeps a device's tuning. @returns The file's path. */
export async function writeTuning(device: Device, result: TuningResult): Promise<string> {
  const path = await tuningPath(device);
  const file: TuningFile = { schema: "cursive-tuning", version: 1, tuned: new Date().toISOString(), key: await keyOf(device), ...result };
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.${process.pid}`, `${JSON.stringify(file, null, 2)}\n`);
  await rename(`${path}.${process.pid}`, path);
  return path;
}

/** Opens a device with the tuning that is kept for it, if `doctor --tune` has left one and `CURSIVE_TUNING` is not off. */
export async function openTunedDevice(options: OpenDeviceOptions = {}): Promise<Device> {
  const device = await openDevice(options);
  if (!isTuningOff()) device.tuning = (await readTuning(device))?.tuning;
  return device;
}
