import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { oneLine, UsageError } from "../errors.ts";
import { type ReportedRun, readRunForReport } from "../report/read_run.ts";
import { writeReport } from "../report/write_report.ts";
import type { RunEntry } from "../run/find_run.ts";
import { findAnyRun } from "../sae/report/find_any_run.ts";
import { isSaeRun, type ReportedSaeRun, readSaeRun } from "../sae/report/read_sae_run.ts";
import { writeSaeReport } from "../sae/report/write_sae_report.ts";
import { exportRun } from "../tensorboard/export_run.ts";
import { Output } from "../terminal/output.ts";
import { megabytes } from "../terminal/progress.ts";

interface ReportFlags {
  readonly runs: string;
  readonly out?: string;
  readonly tensorboard?: string;
  readonly json?: true;
  readonly quiet?: true;
}

/** `report`: shows one run, or several over one another, as a page by itself; or hands them to TensorBoard. */
export function addReportCommand(program: Command): void {
  program
    .command("report")
    .description("Write a page with a run's curves, samples and configuration, or with several runs over one another.")
    .argument("[run...]", "a name, a number, a folder, or last (default: last); saes/NAME for one of sae train")
    .option("--out <file>", "where the page goes (default: report.html in the run's folder; of several runs compare.html beside them)")
    .option("--tensorboard <folder>", "write TensorBoard event files instead, a folder a run")
    .option("--runs <folder>", "where run folders are", "runs")
    .option("--json", "what was written, as JSON")
    .option("--quiet", "nothing but errors")
    .addHelpText("after", examples)
    .action(async (names: string[], flags: ReportFlags) => {
      const output = new Output(flags);
      const runs = await findRuns(names.length > 0 ? names : ["last"], flags);
      if (flags.tensorboard !== undefined) await writeEvents(runs, { folder: flags.tensorboard, output });
      if (flags.tensorboard === undefined || flags.out !== undefined) await writePage(runs, { flags, output });
    });
}

const examples = `
The page is one file: it opens from the disk, needs no network, and can be sent to somebody. \`train\` keeps that of its run up to date.

Examples:
  pnpm cli report                                    the last run, into its folder
  pnpm cli report 3 --out ~/run3.html
  pnpm cli report saes/default-001                   a run of sae train
  pnpm cli report 3 4 tiny-007 --out compare.html    several runs over one another
  pnpm cli report 3 4 --tensorboard boards           then: tensorboard --logdir boards`;

async function writePage(entries: readonly RunEntry[], { flags, output }: { flags: ReportFlags; output: Output }): Promise<void> {
  const { runs, write } = await readAll(entries);
  for (const { summary, warnings } of runs) for (const warning of warnings) output.say(`note     ${summary.name}: ${warning}`);
  const standard = runs.length === 1 ? join(entries[0]!.path, "report.html") : join(resolve(flags.runs), "compare.html");
  const path = resolve(flags.out ?? standard);
  if (await isFolder(path)) throw new UsageError(`Expected a file for --out but found the folder ${path}`);
  const bytes = await writing(path, () => write(path));
  const told = runs.map(({ summary, warnings }) => ({ run: summary.name, warnings }));
  if (output.json) output.event("report", { path, bytes, runs: told });
  else output.say(`report   ${path}  ${megabytes(bytes)}`);
}

/** Runs of models, one or several, or a run of autoencoders, and what writes the page of them. */
async function readAll(entries: readonly RunEntry[]): Promise<{
  readonly runs: readonly Pick<ReportedRun | ReportedSaeRun, "summary" | "warnings">[];
  readonly write: (path: string) => Promise<number>;
}> {
  const ofSaes = await Promise.all(entries.map(isSaeRun));
  if (!ofSaes.includes(true)) {
    const runs: ReportedRun[] = [];
    for (const entry of entries) runs.push(await readRunForReport(entry));
    return { runs, write: (path) => writeReport(path, runs) };
  }
  if (entries.length > 1)
    throw new UsageError(
      `Expected one run of autoencoders by itself but found ${entries.map(({ name }) => name).join(", ")}: \`sae compare --out page.html\` sets several side by side`,
    );
  const run = await readSaeRun(entries[0]!);
  return { runs: [run], write: (path) => writeSaeReport(path, run) };
}

async function writeEvents(entries: readonly RunEntry[], { folder, output }: { folder: string; output: Output }): Promise<void> {
  for (const entry of entries) {
    if (await isSaeRun(entry))
      throw new UsageError(`Expected runs of models but found ${entry.name}: its event files are in ${join(entry.path, "tensorboard")}`);
    const path = await writing(folder, () => exportRun(entry, resolve(folder, entry.name)));
    if (output.json) output.event("tensorboard", { run: entry.name, path });
    else output.say(`events   ${path}`);
  }
}

/** Runs that were asked for, each once. @throws UsageError for one that is not there. */
async function findRuns(names: readonly string[], flags: ReportFlags): Promise<RunEntry[]> {
  const runs = await Promise.all(names.map((name) => findAnyRun(resolve(flags.runs), name)));
  return runs.filter((run, i) => runs.findIndex((other) => other.path === run.path) === i);
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

async function writing<T>(path: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (error instanceof UsageError || (error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw new UsageError(`Expected a place that can be written at ${path} but found: ${oneLine(error)}`);
  }
}
