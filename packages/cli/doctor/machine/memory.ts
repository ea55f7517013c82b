import { freemem, totalmem } from "node:os";
import process from "node:process";
import { megabytes } from "../../terminal/progress.ts";
import type { Finding } from "../finding.ts";

/** Below this a training run of the presets on a software adapter, whose GPU memory is the machine's, may be killed. */
const SCARCE = 1e9;

/** The machine's memory, or what a container leaves of it. */
export function checkMemory(about: { total: number; available: number } = memoryHere()): Finding {
  const { total, available } = about;
  const isScarce = available < SCARCE;
  return {
    id: "machine.memory",
    name: "memory",
    status: isScarce ? "warn" : "ok",
    found: `${megabytes(total)}, ${megabytes(available)} free`,
    ...(isScarce && { fix: "pnpm cli train --set training.batchSize=4   # or close other programs" }),
    data: { total, available },
  };
}

function memoryHere(): { total: number; available: number } {
  const limit = process.constrainedMemory?.() ?? 0; // 0, or beyond all bounds, where nothing limits
  const total = limit > 0 && limit < totalmem() ? limit : totalmem();
  return { total, available: Math.min(total, process.availableMemory?.() ?? freemem()) };
}
