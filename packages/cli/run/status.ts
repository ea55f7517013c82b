import { join } from "node:path";
import process from "node:process";
import { readJsonIfThere } from "./files.ts";
import { lockHolder } from "./lock.ts";
import type { RunFolder } from "./run_folder.ts";

/** What a run says of itself in `status.json`. */
export interface RunStatus {
  readonly state: "running" | "finished" | "interrupted" | "failed";
  /** Steps that are saved. */
  readonly step: number;
  /** Steps it is to take. */
  readonly steps: number;
  readonly pid: number;
  /** When this was written, in ISO 8601. */
  readonly updated: string;
  /** Why it failed. */
  readonly message?: string;
}

/** `status.json` as it stands now. */
export function statusNow(fields: Pick<RunStatus, "state" | "step" | "steps" | "message">): string {
  const status: RunStatus = { ...fields, pid: process.pid, updated: new Date().toISOString() };
  return `${JSON.stringify(status, null, 2)}\n`;
}

/** Says where a run stands. */
export async function writeStatus(folder: RunFolder, fields: Pick<RunStatus, "state" | "step" | "steps" | "message">): Promise<void> {
  await folder.write("status.json", statusNow(fields));
}

/** Where a run stands; `killed` for one that never came to say that it ended. */
export async function readStatus(
  path: string,
): Promise<(Omit<RunStatus, "state"> & { readonly state: RunStatus["state"] | "killed" }) | undefined> {
  const status = (await readJsonIfThere(join(path, "status.json"))) as RunStatus | undefined;
  if (typeof status?.state !== "string") return undefined;
  const isKilled = status.state === "running" && !(await lockHolder(path));
  return isKilled ? { ...status, state: "killed" } : status;
}
