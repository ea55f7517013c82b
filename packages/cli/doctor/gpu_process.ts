import process from "node:process";
import { checkGpu, type Extent } from "./gpu_checks.ts";

/**
 * The process that {@link ./gpu_session.ts} starts, with what to check in its argument: a driver that crashes or hangs takes this one along,
 * and not the one that reports.
 */
process.on("disconnect", () => process.exit(1)); // nobody listens any more

const send = (message: object): Promise<void> => new Promise((resolve) => process.send?.(message, () => resolve()));

const extent = JSON.parse(process.argv[2] ?? "{}") as Extent;
await checkGpu(extent, { emit: (finding) => void send({ finding }), progress: (text) => void send({ progress: text }) });
await send({ done: true });
process.exit(0); // a driver's threads may keep the process alive
