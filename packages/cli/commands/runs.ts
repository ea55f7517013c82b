import { rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline/promises";
import type { Command } from "commander";
import { quoted } from "../config/field.ts";
import { presets } from "../config/presets.ts";
import { valueAt } from "../config/resolve.ts";
import { runFields } from "../config/run_schema.ts";
import { UsageError } from "../errors.ts";
import { listRuns, type RunEntry } from "../run/find_run.ts";
import { lockHolder } from "../run/lock.ts";
import { type RunSummary, runConfig, runEnvironment, runFiles, summarizeRun } from "../run/summary.ts";
import { findAnyRun, SAE_RUNS } from "../sae/report/find_any_run.ts";
import { isSaeRun, readSaeRun, summarizeSaeRun } from "../sae/report/read_sae_run.ts";
import { Output } from "../terminal/output.ts";
import { megabytes, short } from "../terminal/progress.ts";
import { table } from "../terminal/table.ts";

interface RunsFlags {
  readonly runs: string;
  readonly json?: true;
}

/** `runs`: lists, shows, compares and removes run folders. */
export function addRunsCommand(program: Command): void {
  const runs = program
    .command("runs")
    .description("Look at runs: a run is named by its folder, its number, or last; those of sae train by saes/NAME, saes/2, saes/last.")
    .addHelpText("after", examples);
  const add = (name: string, description: string): Command =>
    runs.command(name).description(description).option("--runs <folder>", "where run folders are", "runs").option("--json", "as JSON");
  add("ls", "List all runs with where they stand.").action(async (flags: RunsFlags) => list(flags));
  add("show", "Show one run: its configuration, environment, losses and files.")
    .argument("<run>")
    .action(async (run: string, flags: RunsFlags) => show(run, flags));
  add("compare", "Show several runs side by side: what is configured differently, and what came of it.")
    .argument("<run...>")
    .action(async (names: string[], flags: RunsFlags) => compare(names, flags));
  add("rm", "Remove runs for good; asks before.")
    .argument("<run...>")
    .option("--yes", "do not ask")
    .action(async (names: string[], flags: RunsFlags & { yes?: true }) => remove(names, flags));
}

const examples = `
Examples:
  pnpm cli runs ls
  pnpm cli runs show last
  pnpm cli runs show saes/default-001
  pnpm cli runs compare 3 4 tiny-007
  pnpm cli runs rm 3 --yes`;

async function list(flags: RunsFlags): Promise<void> {
  const all = await Promise.all((await listRuns(resolve(flags.runs))).map(summarizeRun));
  const rows = all.map((run) => [
    run.name,
    run.state,
    `${run.step}/${run.steps ?? "?"}`,
    decimals(run.bestTestLoss),
    decimals(run.loss),
    run.tokensPerSecond === null ? "" : short(run.tokensPerSecond),
    run.updated?.slice(0, 16).replace("T", " ") ?? "",
  ]);
  const saes = await Promise.all((await listRuns(join(resolve(flags.runs), SAE_RUNS))).map(summarizeSaeRun));
  const saeRows = saes.flatMap((run) => {
    const about = [`${SAE_RUNS}/${run.name}`, run.state, `${run.step}/${run.steps ?? "?"}`];
    const updated = run.updated?.slice(0, 16).replace("T", " ") ?? "";
    if (run.members.length === 0) return [[...about, "", "", "", "", updated]];
    return run.members.map(({ name, fve, l0, dead }, i) => [
      ...(i === 0 ? about : ["", "", ""]),
      ...[run.members.length > 1 ? name : "", decimals(fve), l0?.toFixed(1) ?? "", dead === null ? "" : String(dead)],
      i === 0 ? updated : "",
    ]);
  });
  const tables = [
    ...(all.length > 0 ? [table([["run", "state", "step", "best test", "loss", "tokens/s", "updated"], ...rows])] : []),
    ...(saes.length > 0 ? [table([["autoencoders", "state", "step", "", "FVE", "L0", "dead", "updated"], ...saeRows])] : []),
  ];
  new Output(flags).result({ runs: all, saes }, tables.length > 0 ? tables.join("\n\n") : `no runs in ${resolve(flags.runs)}`);
}

async function show(asked: string, flags: RunsFlags): Promise<void> {
  const run = await findAnyRun(resolve(flags.runs), asked);
  if (await isSaeRun(run)) return showSae(run, flags);
  const [summary, config, environment] = await Promise.all([summarizeRun(run), runConfig(run), runEnvironment(run)]);
  const files = await runFiles(run, [
    "checkpoints/last.safetensors",
    "checkpoints/previous.safetensors",
    "checkpoints/best.safetensors",
    "metrics.jsonl",
  ]);
  const preset = presets[config.preset].config;
  const changed = runFields.filter(({ path }) => quoted(valueAt(config, path)) !== quoted(valueAt(preset, path)));
  const lines = [
    `run       ${run.name}  ${run.path}`,
    `state     ${summary.state}, step ${summary.step} of ${config.steps}${summary.message ? `: ${summary.message}` : ""}`,
    `losses    ${losses(summary)}`,
    `speed     ${summary.millisecondsPerStep === null ? "" : `${summary.millisecondsPerStep.toFixed(0)} ms a step, ${short(summary.tokensPerSecond!)} tokens/s`}`,
    `config    preset ${config.preset}${changed.length > 0 ? ", but" : ""}`,
    ...changed.map(({ path }) => `            ${path} = ${quoted(valueAt(config, path))}`),
    `started   ${environment?.started ?? "unknown"}, Node ${environment?.node ?? "unknown"}, ${environment?.adapter?.name ?? "unknown adapter"}`,
    `data      ${environment?.dataHash.slice(0, 16) ?? "unknown"}, seed ${config.seed}`,
    `program   ${environment?.commit ?? "unknown commit"}`,
    ...files.map(({ name, bytes }) => `file      ${name}  ${megabytes(bytes)}`),
  ];
  new Output(flags).result({ ...summary, config, environment, files }, lines.join("\n"));
}

async function showSae(run: RunEntry, flags: RunsFlags): Promise<void> {
  const { summary, config, environment, changes } = await readSaeRun(run);
  const names = summary.members.length > 1 ? summary.members.map(({ name }) => `sae-${name}.safetensors`) : ["sae.safetensors"];
  const files = await runFiles(run, [...names, "checkpoints/last.safetensors", "metrics.jsonl", "report.html"]);
  const lines = [
    `run       ${run.name}  ${run.path}`,
    `state     ${summary.state}, step ${summary.step} of ${config.steps}${summary.message ? `: ${summary.message}` : ""}`,
    config.source.activations === null
      ? `hook      ${config.source.hooks.join(", ")} of ${config.source.checkpoint ?? "?"}`
      : `cache     ${config.source.activations}`,
    ...summary.members.map(
      ({ name, fve, l0, dead, latents }) =>
        `sae       ${name}  FVE ${decimals(fve)}, L0 ${l0?.toFixed(2) ?? ""}, ${dead ?? "?"} of ${latents ?? "?"} latents dead`,
    ),
    `speed     ${summary.millisecondsPerStep === null ? "" : `${summary.millisecondsPerStep.toFixed(0)} ms a step, ${short(summary.rowsPerSecond!)} rows/s`}`,
    `config    preset ${config.preset}${changes.length > 0 ? ", but" : ""}`,
    ...changes.map(({ path, value }) => `            ${path} = ${quoted(value)}`),
    `started   ${environment?.started ?? "unknown"}, Node ${environment?.node ?? "unknown"}, ${environment?.adapter?.name ?? "unknown adapter"}`,
    `data      ${environment?.dataHash.slice(0, 16) ?? "unknown"}, seed ${config.seed}`,
    `program   ${environment?.commit ?? "unknown commit"}`,
    ...files.map(({ name, bytes }) => `file      ${name}  ${megabytes(bytes)}`),
  ];
  new Output(flags).result({ ...summary, config, environment, files }, lines.join("\n"));
}

async function compare(names: readonly string[], flags: RunsFlags): Promise<void> {
  if (names.length < 2) throw new UsageError(`Expected two runs or more to compare but found ${names.length}`);
  const runs = await findRuns(names, flags);
  for (const run of runs)
    if (await isSaeRun(run)) throw new UsageError(`Expected runs of models but found ${run.name}: \`sae compare\` compares autoencoders`);
  const summaries = await Promise.all(runs.map(summarizeRun));
  const configs = await Promise.all(runs.map(runConfig));
  const differing = runFields
    .map(({ path }) => [path, ...configs.map((config) => quoted(valueAt(config, path)))] as const)
    .filter(([, first, ...others]) => others.some((value) => value !== first));
  const results = [
    ["state", ...summaries.map((run) => run.state)],
    ["step", ...summaries.map((run) => String(run.step))],
    ["loss", ...summaries.map((run) => decimals(run.loss))],
    ["best test loss", ...summaries.map((run) => decimals(run.bestTestLoss))],
    ["test loss", ...summaries.map((run) => decimals(run.testLoss))],
    ["without padding", ...summaries.map((run) => decimals(run.testLossReal))],
    ["ms a step", ...summaries.map((run) => run.millisecondsPerStep?.toFixed(0) ?? "")],
    ["tokens/s", ...summaries.map((run) => (run.tokensPerSecond === null ? "" : short(run.tokensPerSecond)))],
  ];
  const json = { runs: summaries, differing: differing.map(([path, ...values]) => ({ path, values })) };
  new Output(flags).result(json, table([["", ...runs.map((run) => run.name)], ...differing, ...results]));
}

async function remove(names: readonly string[], flags: RunsFlags & { yes?: true }): Promise<void> {
  const runs = await findRuns(names, flags);
  for (const run of runs) {
    const holder = await lockHolder(run.path);
    if (holder) throw new UsageError(`Expected a run that nobody works on but found process ${holder.pid} at ${run.path}`);
  }
  if (!flags.yes && !(await confirm(`Remove ${runs.map((run) => run.name).join(", ")} for good?`)))
    throw new UsageError("nothing was removed");
  for (const run of runs) {
    const aside = join(run.path, "..", `.removed-${run.name}`); // half a run should not look like one
    await rename(run.path, aside);
    await rm(aside, { recursive: true });
  }
  new Output(flags).result({ removed: runs.map((run) => run.name) }, runs.map((run) => `removed ${run.path}`).join("\n"));
}

async function findRuns(names: readonly string[], flags: RunsFlags): Promise<RunEntry[]> {
  const runs = await Promise.all(names.map((name) => findAnyRun(resolve(flags.runs), name)));
  return runs.filter((run, i) => runs.findIndex((other) => other.path === run.path) === i);
}

async function confirm(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) throw new UsageError("Expected --yes where nobody can be asked but found none");
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim());
  } finally {
    terminal.close();
  }
}

function losses({ loss, testLoss, testLossReal, bestTestLoss }: RunSummary): string {
  if (loss === null) return "none yet";
  const test =
    testLoss === null ? "" : `, test ${decimals(testLoss)} (${decimals(testLossReal)} without padding), best ${decimals(bestTestLoss)}`;
  return `${decimals(loss)} in training${test}`;
}

function decimals(value: number | null): string {
  return value === null ? "" : value.toFixed(4);
}
