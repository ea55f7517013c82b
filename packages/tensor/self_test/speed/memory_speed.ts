import { type Device, full } from "../../mod.ts";
import { shortestTime } from "./timing.ts";

/** Gigabytes a second that the adapter moves. */
export interface MemorySpeed {
  readonly megabytes: number;
  /** Reading and writing everything once. */
  readonly copy: number;
  /** Reading everything once, to add it up. */
  readonly sum: number;
}

/** Beyond the caches of large GPUs; on software adapters the first touch alone costs a millisecond a megabyte. */
const BYTES = { software: 32 << 20, hardware: 128 << 20 } as const;

/** Times a copy and a sum of much memory. */
export async function measureMemory(device: Device): Promise<MemorySpeed> {
  const wanted = device.isSoftware ? BYTES.software : BYTES.hardware;
  const bytes = Math.min(wanted, device.limits.maxStorageBufferBindingSize, device.limits.maxBufferSize);
  const [source, target] = [full([bytes / 4], 0.5, { device }), full([bytes / 4], 0, { device })];
  const copy = await shortestTime(device, { launch: () => void target.copyFrom(source), budget: 250 });
  const sum = await shortestTime(device, { launch: () => source.sum().storage.release(), budget: 250 });
  for (const tensor of [source, target]) tensor.storage.release();
  return { megabytes: bytes / 1e6, copy: (2 * bytes) / copy / 1e6, sum: bytes / sum / 1e6 };
}
