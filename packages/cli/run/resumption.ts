import process from "node:process";
import type { Device } from "@cursive/tensor";
import { UsageError } from "../errors.ts";
import { tuningName } from "../tuning/tuning_name.ts";
import { currentCommit, type Environment, type Resumption } from "./environment.ts";
import { readJsonIfThere } from "./files.ts";
import type { RunFolder } from "./run_folder.ts";

/** What a run that goes on must have in common with the one that began. */
export interface ResumptionOptions {
  readonly device: Device;
  /** Steps that are saved. */
  readonly step: number;
  readonly dataHash: string;
  /** What the hash is of, and what may have happened where it differs, for the message. */
  readonly data: string;
  readonly hint: string;
  readonly warn: (text: string) => void;
}

/** Adds a line to `env.json`. @throws UsageError if the run began with other data. */
export async function noteResumption(folder: RunFolder, options: ResumptionOptions): Promise<void> {
  const { device, step, dataHash, data, hint, warn } = options;
  const environment = (await readJsonIfThere(folder.file("env.json"))) as Environment | undefined;
  if (!environment) return;
  if (environment.dataHash !== dataHash)
    throw new UsageError(`Expected the ${data} that ${folder.name} began with but found others: ${hint}`);
  if (environment.adapter?.name !== device.name)
    warn(`note: this run began on ${environment.adapter?.name}; on another adapter its numbers differ in the last bits`);
  else if ((environment.adapter?.tuning ?? null) !== tuningName(device.tuning))
    warn(
      `note: this run began with ${kernelsOf(environment.adapter?.tuning ?? null)} and goes on with ${kernelsOf(tuningName(device.tuning))}; its numbers differ in the last bits`,
    );
  const now = new Date().toISOString();
  const resumption: Resumption = { at: now, step, node: process.version, adapter: device.name, commit: await currentCommit() };
  const resumed = [...(environment.resumed ?? []), resumption];
  await folder.write("env.json", `${JSON.stringify({ ...environment, resumed }, null, 2)}\n`);
}

function kernelsOf(tuning: string | null): string {
  return tuning === null ? "the usual kernels" : `the tuned kernels ${tuning}`;
}
