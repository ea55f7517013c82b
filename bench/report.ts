import { table } from "../packages/cli/terminal/table.ts";
import { type Case, describeCase } from "./cases.ts";
import type { Row } from "./rows.ts";

/** Movement of a control from which on a run is called noisy. */
export const NOISE = 0.1;

/** A case's rows as a table, for people. */
export function caseTable(work: Case, rows: readonly Row[]): string {
  const done = rows.filter(({ ms }) => ms !== null);
  const hasStart = rows.some(({ startColdMilliseconds }) => startColdMilliseconds !== null);
  const hasGflops = rows.some(({ gflops }) => gflops !== null);
  const head = ["", "ms", "min–max", "cpu ms", "× ours", ...(hasGflops ? ["GFLOP/s"] : []), "dispatches", "submits", "created", "host µs"];
  const body = done.map((row) => [
    row.label,
    digits(row.ms),
    row.min === row.max ? digits(row.min) : `${digits(row.min)}–${digits(row.max)}`,
    digits(row.cpuMs),
    row.ratio === null ? "" : row.ratio.toFixed(2),
    ...(hasGflops ? [digits(row.gflops)] : []),
    whole(row.dispatches),
    whole(row.submits),
    row.buffers === null ? "" : whole(row.buffers + row.bindGroups!),
    whole(row.hostMicroseconds),
    ...(hasStart ? [seconds(row.startColdMilliseconds), seconds(row.startWarmMilliseconds)] : []),
  ]);
  const notes = rows.filter(({ note }) => note !== null).map(({ label, note }) => `  ${label}: ${note}`);
  const lines = [`${work.name}  ${describeCase(work)}`];
  if (done.length > 0) lines.push(table([hasStart ? [...head, "start cold", "start warm"] : head, ...body]));
  return [...lines, ...notes].join("\n");
}

/** Whether the machine held still: how far each control moved between rounds. */
export function controlLine(moved: Readonly<Record<string, number | undefined>>): string {
  const known = Object.entries(moved).filter((entry): entry is [string, number] => entry[1] !== undefined);
  if (known.length === 0) return "control not measured";
  const percent = (value: number): string => `${Math.round(100 * value)} %`;
  const noisy = known.filter(([, value]) => value > NOISE);
  if (noisy.length > 0) return `noisy: control moved ${noisy.map(([name, value]) => `${percent(value)} (${name})`).join(", ")}`;
  return `control held still: ${known.map(([name, value]) => `${name} moved ${percent(value)}`).join(", ")}`;
}

/** Three digits that count. */
export function digits(value: number | null): string {
  if (value === null) return "";
  if (value >= 100) return value.toFixed(0);
  return value.toFixed(value >= 10 ? 1 : 2);
}

function whole(value: number | null): string {
  return value === null ? "" : value.toFixed(0);
}

function seconds(milliseconds: number | null): string {
  return milliseconds === null ? "" : `${digits(milliseconds / 1000)} s`;
}
