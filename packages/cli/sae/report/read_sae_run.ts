import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { valueAt } from "../../config/resolve.ts";
import { bucketAxes, spread, stepBuckets } from "../../report/thin.ts";
import type { Environment } from "../../run/environment.ts";
import { readIfThere } from "../../run/files.ts";
import type { RunEntry } from "../../run/find_run.ts";
import { parseMetrics } from "../../run/metrics.ts";
import { median } from "../../run/speed.ts";
import { readStatus } from "../../run/status.ts";
import { type RunSummary, runEnvironment } from "../../run/summary.ts";
import { gridMembers } from "../grid.ts";
import { readSaeConfigFile, resolveSaeConfig } from "../resolve_sae_config.ts";
import type { SaeRunConfig } from "../sae_config.ts";
import type { SaeRow } from "../sae_metrics.ts";
import { saeKeys } from "../sae_schema.ts";
import type { SaeChart, SaeReportData } from "./report_data.ts";

/** A run of autoencoders as lists and reports tell of it. */
export interface SaeRunSummary extends Omit<RunSummary, "bestTestLoss" | "testLoss" | "testLossReal" | "loss" | "tokensPerSecond"> {
  readonly members: readonly SaeMemberSummary[];
  readonly rowsPerSecond: number | null;
}

/** Where one of them stands, at the latest step; null where nothing is known. */
export interface SaeMemberSummary {
  readonly name: string;
  readonly loss: number | null;
  readonly mse: number | null;
  readonly fve: number | null;
  readonly l0: number | null;
  readonly dead: number | null;
  readonly latents: number | null;
}

/** A run of autoencoders as a report tells of it. */
export interface ReportedSaeRun {
  readonly summary: SaeRunSummary;
  readonly config: SaeRunConfig;
  readonly environment: Environment | undefined;
  readonly changes: readonly { readonly path: string; readonly preset: unknown; readonly value: unknown }[];
  readonly warnings: readonly string[];
  readonly data: SaeReportData;
}

/** Whether a run's folder is one that `sae train` made, by its configuration. */
export async function isSaeRun({ path }: RunEntry): Promise<boolean> {
  try {
    const config = JSON.parse(await readFile(join(path, "config.json"), "utf8")) as { sae?: unknown };
    return typeof config?.sae === "object";
  } catch {
    return false;
  }
}

/** The configuration that a run has. @throws UsageError for a file that is damaged. */
export async function saeRunConfig({ path }: RunEntry): Promise<SaeRunConfig> {
  const { preset, overrides } = await readSaeConfigFile(join(path, "config.json"));
  return resolveSaeConfig(preset ?? "default", overrides).config;
}

/** Sums a run up. Damaged files are left out, not complained about: without its configuration nobody knows its autoencoders. */
export async function summarizeSaeRun(entry: RunEntry): Promise<SaeRunSummary> {
  const [config, { rows }] = await Promise.all([saeRunConfig(entry).catch(() => undefined), readRows(entry)]);
  return sumUp(entry, { config, rows });
}

/** Reads what a report tells of a run. @throws UsageError for a configuration that is damaged. */
export async function readSaeRun(entry: RunEntry): Promise<ReportedSaeRun> {
  const [config, environment, { rows, unreadable }] = await Promise.all([saeRunConfig(entry), runEnvironment(entry), readRows(entry)]);
  const summary = await sumUp(entry, { config, rows });
  const { config: preset } = resolveSaeConfig(config.preset, [{ path: "steps", value: config.steps, from: "the run" }]);
  const warnings: string[] = [];
  if (summary.state === "killed")
    warnings.push(`The process was killed; step ${summary.step} is saved, sae train --resume goes on from it.`);
  if (summary.state === "failed") warnings.push(`The run failed: ${summary.message ?? "it does not say why"}.`);
  if (summary.state === "interrupted") warnings.push(`The run was interrupted at step ${summary.step}.`);
  if (unreadable > 0) warnings.push(`${unreadable} lines of metrics.jsonl could not be read and are left out.`);
  if (rows.length === 0) warnings.push("There are no metrics yet.");
  return {
    summary,
    config,
    environment,
    changes: saeKeys.fields
      .map(({ path }) => ({ path, preset: valueAt(preset, path), value: valueAt(config, path) }))
      .filter((change) => JSON.stringify(change.preset) !== JSON.stringify(change.value)),
    warnings,
    data: curvesOf(rows, memberNames(entry, config)),
  };
}

async function readRows({ path }: RunEntry): Promise<{ rows: SaeRow[]; unreadable: number }> {
  const { rows, unreadable } = parseMetrics((await readIfThere(join(path, "metrics.jsonl")))?.toString("utf8") ?? "");
  return { rows: rows as unknown as SaeRow[], unreadable };
}

async function sumUp(
  entry: RunEntry,
  { config, rows }: { readonly config: SaeRunConfig | undefined; readonly rows: readonly SaeRow[] },
): Promise<SaeRunSummary> {
  const status = await readStatus(entry.path);
  const last = rows.at(-1);
  const { names, keyOf } = config ? memberNames(entry, config) : { names: [], keyOf: String };
  return {
    ...entry,
    state: status?.state ?? "unknown",
    step: status?.step ?? 0,
    steps: status?.steps ?? null,
    updated: status?.updated ?? null,
    message: status?.message ?? null,
    millisecondsPerStep: rows.length > 0 ? median(rows.map((row) => row.milliseconds)) : null,
    rowsPerSecond: rows.length > 0 ? median(rows.map((row) => row.rowsPerSecond)) : null,
    members: names.map((name, i) => {
      const figure = (key: string): number | null => finite(last?.[keyOf(i, key)]);
      const [dead, alive] = [figure("sparsity/dead_features"), figure("sparsity/alive_features")];
      return {
        ...{ name, loss: figure("losses/overall_loss"), mse: figure("losses/mse_loss") },
        ...{ fve: figure("metrics/explained_variance"), l0: figure("metrics/l0") },
        ...{ dead, latents: dead === null || alive === null ? null : dead + alive },
      };
    }),
  };
}

/** What autoencoders are called, and under which key a figure of one stands in a row. */
interface Members {
  readonly names: readonly string[];
  readonly keyOf: (member: number, figure: string) => string;
}

function memberNames({ name }: RunEntry, config: SaeRunConfig): Members {
  const members = gridMembers(config);
  if (members.length === 1) return { names: [name], keyOf: (_, figure) => figure };
  return { names: members.map((member) => member.name), keyOf: (i, figure) => `${members[i]!.name}/${figure}` };
}

/** Figures that have a chart each, a curve for every autoencoder. */
const single = [
  { key: "metrics/explained_variance", heading: "Variance explained", label: "variance explained", fromZero: false },
  { key: "metrics/l0", heading: "Features a row (L0)", label: "L0", fromZero: true },
  { key: "sparsity/dead_features", heading: "Dead latents", label: "dead", fromZero: true },
  { key: "details/current_learning_rate", heading: "Learning rate", label: "learning rate", fromZero: true },
] as const;

function curvesOf(rows: readonly SaeRow[], { names, keyOf }: Members): SaeReportData {
  const buckets = stepBuckets(rows);
  const has = (key: string): boolean => rows.some((row) => Number.isFinite(row[key]));
  const of = (key: string): ReturnType<typeof spread> => spread(buckets, (row) => row[key] ?? Number.NaN);
  const everyone = (figure: string, label: string): SaeChart["curves"] =>
    names.flatMap((_, member) => {
      const key = keyOf(member, figure);
      return has(key) ? [{ member, label, colour: member, spread: of(key) }] : [];
    });
  const terms =
    names.length > 1
      ? []
      : [...new Set([rows[0], rows.at(-1)].flatMap((row) => Object.keys(row ?? {})))].filter((key) => key.startsWith("losses/"));
  const losses: SaeChart["curves"] =
    names.length > 1
      ? everyone("losses/overall_loss", "overall loss")
      : terms.map((key, i) => ({ member: 0, label: key.slice("losses/".length).replaceAll("_", " "), colour: i, spread: of(key) }));
  return {
    members: names,
    axes: bucketAxes(buckets),
    rowsPerStep: rows[0]?.["details/n_training_samples"] ?? 0,
    charts: [
      { id: "loss", heading: "Loss", isLoss: true, isRobust: true, curves: losses },
      ...single.map(({ key, heading, label, fromZero }) => ({
        id: key,
        heading,
        isLoss: false,
        isRobust: fromZero,
        curves: everyone(key, label),
      })),
      {
        ...{ id: "milliseconds", heading: "Milliseconds a step", isLoss: false, isRobust: true },
        curves: [{ member: 0, label: "ms a step", colour: 0, spread: of("milliseconds") }],
      },
    ],
  };
}

function finite(value: number | undefined): number | null {
  return value !== undefined && Number.isFinite(value) ? value : null;
}
