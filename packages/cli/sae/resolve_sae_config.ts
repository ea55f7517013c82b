import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { type Architecture, type PresetName, type SaeConfig, type SaeTrainOptions, saePreset } from "@cursive/sae";
import { checkValues, type Override } from "../config/overrides.ts";
import { applyOverrides, type Change } from "../config/resolve.ts";
import { oneLine, UsageError } from "../errors.ts";
import type { SaeRunConfig, SaeShape } from "./sae_config.ts";
import { saeKeys, tokenKinds } from "./sae_schema.ts";

/** A whole configuration and how it came about. */
export interface ResolvedSaeConfig {
  readonly config: SaeRunConfig;
  readonly changes: readonly Change[];
}

const common = ["decoderConstraint", "init", "decoderInitNorm", "applyBDecToInput"] as const;
const aux = ["auxCoefficient", "kAux"] as const;
const selecting = ["k", ...aux, "selectionRows", "thresholdRate"] as const;

/** The options that each architecture has besides {@link common}. */
const optionsOf: Readonly<Record<Architecture, readonly (keyof SaeShape)[]>> = {
  standard: ["l1Coefficient", "l1Reduction", "l1Weight"],
  topk: ["k", ...aux],
  batchtopk: selecting,
  matryoshka: [...selecting, "widths"],
  jumprelu: ["sparsity", "l0Coefficient", "bandwidth", "initialThreshold", "tanhScale", "preActCoefficient"],
  gated: ["l1Coefficient"],
};

const noOptions = Object.fromEntries([...common, ...Object.values(optionsOf).flat()].map((name) => [name, null])) as Record<
  Exclude<keyof SaeShape, "architecture" | "expansion" | "dSae" | "seed">,
  null
>;

/** Only the number of latents follows from a preset's width, so any does to read it. */
const WIDTH = 64;

/** A preset as a configuration. */
function presetConfig(name: PresetName, totalSteps?: number): SaeRunConfig {
  const { sae, train, data } = saePreset(name, { dIn: WIDTH, totalSteps });
  const { dIn, dSae, architecture, seed = 0, ...options } = sae;
  const { warmupSteps = 0, decaySteps = 0, decay = "linear" } = train.schedule ?? {};
  const { lr = 1e-3, betas = [0.9, 0.999], eps = 1e-8, maxGradNorm = null, sparsityWarmupSteps = 0 } = train;
  const { activationScale = "none", bDecInit = "zero", initRows = null, deadAfterRows = 1_000_000, chunkRows = null } = train;
  const { batch } = data;
  return {
    preset: name,
    seed,
    steps: train.totalSteps,
    source: { checkpoint: null, activations: null, hooks: ["blocks.0.hook_mlp_out"], data: null },
    sae: { ...noOptions, ...options, architecture, expansion: dSae / dIn, dSae: null, seed },
    grid: null,
    training: {
      ...{ lr, betas, eps, maxGradNorm, warmupSteps, decaySteps, decay, sparsityWarmupSteps },
      ...{ activationScale, bDecInit, initRows, deadAfterRows, chunkRows },
      resample: { atSteps: null, afterRows: null, encoderScale: 0.2 },
    },
    data: {
      split: data.split,
      tokens: data.positions === "all" ? tokenKinds : ["theta", "radius"],
      batchRows: "rows" in batch ? batch.rows : null,
      bufferRows: "rows" in batch ? batch.bufferRows : null,
      storage: "f32",
      batchSequences: "sequences" in batch ? batch.sequences : null,
      sequences: data.sequences ?? null,
      chunk: 16,
    },
    checkpoints: { everySteps: null, everySeconds: 60 },
    logging: { report: true, tensorboard: true },
  };
}

/**
 * Applies overrides to a preset, later ones over earlier ones. Under another architecture than the preset's its options start at that
 * architecture's own defaults; other numbers of steps stretch the preset's schedule.
 * @throws UsageError if the values do not go together.
 */
export function resolveSaeConfig(preset: PresetName, overrides: readonly Override[]): ResolvedSaeConfig {
  const asked = (path: string): unknown => overrides.findLast((override) => override.path === path)?.value;
  const start = presetConfig(preset, asked("steps") as number | undefined);
  const isOther = (asked("sae.architecture") ?? start.sae.architecture) !== start.sae.architecture;
  const { config, changes } = applyOverrides(isOther ? { ...start, sae: { ...start.sae, ...noOptions } } : start, overrides);
  const [problem] = inconsistencies(config);
  if (problem) throw new UsageError(problem);
  return {
    config,
    changes: changes.filter(({ path, by }) => path !== "steps" || by.some(({ value }) => value !== presetConfig(preset).steps)),
  };
}

/** Reads a configuration file, such as a run's `config.json`. @throws UsageError that names the first thing wrong with it. */
export async function readSaeConfigFile(path: string): Promise<{ readonly preset?: PresetName; readonly overrides: readonly Override[] }> {
  let json: unknown;
  try {
    json = JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    throw new UsageError(`Expected a configuration file at ${path} but found: ${oneLine(error)}`);
  }
  const { overrides, problems } = checkValues(json, { from: basename(path), keys: saeKeys });
  if (problems.length > 0)
    throw new UsageError(`${path}: ${problems[0]}${problems.length > 1 ? ` (and ${problems.length - 1} more)` : ""}`);
  return { preset: overrides.find((override) => override.path === "preset")?.value as PresetName | undefined, overrides };
}

/** What is wrong between values that are each right by themselves. */
function inconsistencies({ sae, training, data, steps, source }: SaeRunConfig): string[] {
  const problems: string[] = [];
  const strays = (Object.keys(noOptions) as (keyof SaeShape)[]).filter((name) => sae[name] !== null && !hasOption(sae.architecture, name));
  for (const name of strays) {
    const owners = Object.keys(optionsOf).filter((architecture) => hasOption(architecture as Architecture, name));
    problems.push(
      `Expected no sae.${name} for the architecture ${sae.architecture} but found ${sae[name]}: it is one of ${owners.join(", ")}`,
    );
  }
  const { warmupSteps, decaySteps } = training;
  if (warmupSteps + decaySteps > steps)
    problems.push(`Expected training.warmupSteps and decaySteps within ${steps} steps but found ${warmupSteps} + ${decaySteps}`);
  const { hooks, activations } = source;
  const twice = hooks.find((hook, i) => hooks.indexOf(hook) !== i);
  if (twice !== undefined) problems.push(`Expected source.hooks that differ but found ${twice} twice`);
  if (hooks.length > 1 && activations !== null)
    problems.push(`Expected one of source.hooks with cached activations, which are of one, but found ${hooks.join(", ")}`);
  const { batchRows, bufferRows, batchSequences, sequences, tokens } = data;
  if ((batchRows === null) === (batchSequences === null))
    problems.push(
      `Expected either data.batchRows or data.batchSequences and null for the other but found ${batchRows} and ${batchSequences}`,
    );
  if (batchRows !== null && (bufferRows === null || bufferRows < batchRows))
    problems.push(`Expected data.bufferRows of at least data.batchRows, ${batchRows}, but found ${bufferRows}`);
  if (batchSequences !== null) {
    if (data.storage !== "f32")
      problems.push(`Expected data.storage f32 for whole sequences, which wait in main memory, but found ${data.storage}`);
    if (sequences === null || sequences < batchSequences)
      problems.push(`Expected data.sequences of at least data.batchSequences, ${batchSequences}, but found ${sequences}`);
    if (tokenKinds.some((kind) => !tokens.includes(kind)))
      problems.push(`Expected data.tokens to be ${tokenKinds.join(",")} for whole sequences but found ${tokens.join(",")}`);
    if (activations !== null)
      problems.push(
        "Expected data.batchRows with cached activations but found data.batchSequences: whole sequences come from a model (--preset default mixes rows)",
      );
  }
  return problems;
}

function hasOption(architecture: Architecture, name: keyof SaeShape): boolean {
  return (common as readonly string[]).includes(name) || optionsOf[architecture].includes(name);
}

/** What `createSae` takes, for activations of a width. */
export function saeConfigOf({ expansion, dSae, ...shape }: SaeShape, dIn: number): SaeConfig {
  const given = Object.entries(shape).filter(([, value]) => value !== null);
  return { ...Object.fromEntries(given), dIn, dSae: dSae ?? Math.max(1, Math.round(expansion * dIn)) } as SaeConfig;
}

/** What the trainer takes. */
export function trainOptionsOf({ training, steps, seed }: SaeRunConfig): SaeTrainOptions {
  const { maxGradNorm, warmupSteps, decaySteps, decay, initRows, chunkRows, resample, ...rest } = training;
  const { atSteps, afterRows, encoderScale } = resample;
  return {
    ...rest,
    totalSteps: steps,
    seed,
    schedule: { warmupSteps, decaySteps, decay },
    maxGradNorm: maxGradNorm ?? undefined,
    initRows: initRows ?? undefined,
    chunkRows: chunkRows ?? undefined,
    resample: atSteps ? { atSteps, afterRows: afterRows ?? undefined, encoderScale } : undefined,
  };
}
