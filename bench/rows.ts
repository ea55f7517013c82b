import { rename, writeFile } from "node:fs/promises";
import type { Counted } from "./protocol.ts";
import { median, pairedRatio } from "./statistics.ts";

/** What came of one engine at one case: a line of the JSON file. */
export interface Row {
  readonly case: string;
  readonly engine: string;
  readonly mode: string;
  /** Tells the row from others of its case. */
  readonly label: string;
  /** Milliseconds a step: the median of the turns, the least and the most; null where the case was not done. */
  readonly ms: number | null;
  readonly min: number | null;
  readonly max: number | null;
  /** Processor time of a step over all cores, the median: steadier than `ms` on a busy machine, though threads that spin while they wait count as well. */
  readonly cpuMs: number | null;
  /** Turns taken. */
  readonly repeats: number;
  /** How many times as long as this repository's engine, captured: the median of the rounds' ratios. */
  readonly ratio: number | null;
  readonly gflops: number | null;
  readonly dispatches: number | null;
  readonly submits: number | null;
  /** Buffers and bind groups created in a step. */
  readonly buffers: number | null;
  readonly bindGroups: number | null;
  /** Processor time that the host takes for a step, on Dawn's null backend. */
  readonly hostMicroseconds: number | null;
  /** From process start to the first finished step, with an empty shader cache and with the one which that left. */
  readonly startColdMilliseconds: number | null;
  readonly startWarmMilliseconds: number | null;
  /** After the third step, by which all engines should agree; for products, the sum of squares. */
  readonly result: number | null;
  readonly adapter: string | null;
  readonly versions: Readonly<Record<string, string>>;
  /** Why the case was not done, or not wholly. */
  readonly note: string | null;
}

/** What is known about an engine at a case once it has taken its turns. */
export interface Measurement {
  readonly times: readonly number[];
  readonly cpuTimes: readonly number[];
  /** Times of this repository's engine, captured, in the same rounds. */
  readonly reference: readonly number[] | undefined;
  readonly operations: number | undefined;
  readonly counts: Counted | null;
}

/** The figures of a row that follow from an engine's times. */
export function figures({
  times,
  cpuTimes,
  reference,
  operations,
  counts,
}: Measurement): Pick<
  Row,
  "ms" | "min" | "max" | "cpuMs" | "repeats" | "ratio" | "gflops" | "dispatches" | "submits" | "buffers" | "bindGroups"
> {
  const ms = times.length > 0 ? median(times) : null;
  return {
    ms,
    min: ms === null ? null : Math.min(...times),
    max: ms === null ? null : Math.max(...times),
    cpuMs: cpuTimes.length > 0 ? median(cpuTimes) : null,
    repeats: times.length,
    ratio: (reference && pairedRatio(times, reference)) ?? null,
    gflops: ms !== null && operations !== undefined ? operations / ms / 1e6 : null,
    dispatches: counts?.dispatches ?? null,
    submits: counts?.submits ?? null,
    buffers: counts?.buffers ?? null,
    bindGroups: counts?.bindGroups ?? null,
  };
}

/** Writes the rows so far, a line each: to another name first, so that a reader never sees half of them. */
export async function writeRows(path: string, rows: readonly Row[]): Promise<void> {
  await writeFile(`${path}.part`, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  await rename(`${path}.part`, path);
}
