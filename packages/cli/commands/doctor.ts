import { resolve } from "node:path";
import process from "node:process";
import type { Command } from "commander";
import { renderGroup, renderVerdict } from "../doctor/render.ts";
import { runDoctor } from "../doctor/run_doctor.ts";
import { ExitWith } from "../errors.ts";
import { Output } from "../terminal/output.ts";

interface DoctorFlags {
  readonly runs: string;
  readonly quick?: true;
  readonly thorough?: true;
  readonly tune?: true;
  readonly json?: true;
}

/** `doctor`: checks this machine, and says what to do about what it finds. */
export function addDoctorCommand(program: Command): void {
  program
    .command("doctor")
    .description("Check this machine: why something does not start, whether the GPU computes right, how fast it is.")
    .option("--quick", "no timing")
    .option("--thorough", "compare all kernels with float64, also those that this adapter does not use, however long they take to compile")
    .option(
      "--tune",
      "time the kernels that products can be computed by, and use the fastest in training from now on (minutes the first time)",
    )
    .option("--runs <folder>", "where run folders are made", "runs")
    .option("--download", "fetch a software driver where there is none, as other commands do (Linux)")
    .option("--json", "the whole report as one JSON object on standard output")
    .addHelpText("after", examples)
    .action(async (flags: DoctorFlags) => diagnose(flags));
}

const examples = `
Exit code 0 if all is well or there are warnings only, 1 if anything fails. Needs no network and, but for --tune, leaves nothing behind.

Examples:
  pnpm cli doctor                          everything, in some seconds
  pnpm cli doctor --quick                  without timing
  pnpm cli doctor --tune --quick           choose the fastest kernels for this adapter; CURSIVE_TUNING=off leaves the choice unused
  pnpm cli doctor --runs /data/runs        with the disk that runs will go to
  pnpm --silent cli doctor > report.txt    a report to show to others: plain text, your home folder as ~
  pnpm --silent cli doctor --json | jq '.findings[] | select(.status != "ok")'`;

async function diagnose(flags: DoctorFlags): Promise<void> {
  const output = new Output(flags);
  const stream = flags.json ? process.stderr : process.stdout;
  const isTerminal = stream.isTTY && process.env.TERM !== "dumb";
  const paper = { width: Math.min(isTerminal ? stream.columns || 100 : 110, 130), colours: isTerminal && !process.env.NO_COLOR };
  const report = await runDoctor({
    runs: resolve(flags.runs),
    quick: flags.quick ?? false,
    thorough: flags.thorough ?? false,
    tune: flags.tune ?? false,
    ...(!flags.json && { onGroup: (group, findings) => output.say(renderGroup(group, findings, paper)) }),
    ...(isTerminal && { progress: (text) => output.progress(text) }), // a file is the report, and nothing else
  });
  output.endProgress();
  output.result(report, renderVerdict(report, paper));
  if (report.exitCode !== 0) throw new ExitWith(report.exitCode);
}
