import { describeCoefficient } from "../coefficient.ts";
import type { TrainedMember } from "./member.ts";
import type { ResolvedOptions } from "./options.ts";
import { ENCODER_SCALE } from "./resample.ts";
import type { RateSchedule } from "./schedule.ts";

/**
 * Every setting of a training run, a line each, with units. Loss coefficients say whether they weigh a sum over the batch or a mean, and what
 * they come to for one row: two tools' "l1 = 3e-4" may differ by the batch size.
 */
export function describeTraining(
  members: readonly TrainedMember[],
  options: ResolvedOptions,
  { batchRows }: { readonly batchRows: number },
): string[] {
  const hasPenalty = members.some(({ sae }) => sae.coefficients().some(({ name }) => name === "l1" || name === "l0"));
  return [...members.flatMap((member) => describeMember(member, batchRows)), ...describeOptions(options, { batchRows, hasPenalty })];
}

function describeMember({ name, site, sae, optimizer }: TrainedMember, batchRows: number): string[] {
  const { dIn, dSae, decoderConstraint, applyBDecToInput, init, decoderInitNorm, seed } = sae.config;
  const { k } = sae.config as { readonly k?: number };
  const head = `${name}: ${site === undefined ? "" : `at ${site}, `}${sae.architecture}, ${dIn} → ${dSae}${k === undefined ? "" : `, k ${k}`}, ${count(sae.parameterCount())} parameters`;
  const lines = [
    `start: seed ${seed}, ${init} weights, decoder rows of norm ${decoderInitNorm}; ${applyBDecToInput ? "b_dec is taken off the input" : "b_dec is not taken off the input"}`,
    `decoder: ${decoderConstraint === "unit-norm" ? "rows of norm 1 (gradient projected, step, rows scaled back)" : "free"}`,
    "l2: 1 × mean over rows of ‖x̂ − x‖²",
    ...sae.coefficients().map((c) => describeCoefficient(c, batchRows)),
    ...describeSelection(sae.config),
    `rate: ${optimizer.initialLr}`,
  ];
  if (sae.architecture === "standard" && escapesPenalty(sae.config))
    lines.push(
      "note: a free decoder under an unweighted L1 can grow its rows and shrink the features, which lowers the penalty for nothing",
    );
  return [head, ...lines.map((line) => `  ${line}`)];
}

/** What decides which latents fire, besides k. */
function describeSelection(config: object): string[] {
  const { bandwidth, initialThreshold, selectionRows, thresholdRate } = config as Readonly<Record<string, number | undefined>>;
  return [
    ...(bandwidth === undefined
      ? []
      : [`thresholds: start at ${initialThreshold}, get gradients from pre-activations within ${bandwidth / 2} of them`]),
    ...(selectionRows === undefined
      ? []
      : [
          `selection: ${selectionRows === 0 ? "all rows of a batch" : `every ${count(selectionRows)} rows`} compete; the threshold for inference goes ${thresholdRate} of the way to each batch's`,
        ]),
  ];
}

function escapesPenalty(config: object): boolean {
  const { decoderConstraint, l1Weight } = config as { decoderConstraint?: string; l1Weight?: string };
  return decoderConstraint === "none" && l1Weight === "none";
}

function describeSchedule({ warmupSteps = 0, decaySteps = 0, decay = "linear", minFactor = 0 }: RateSchedule): string {
  const parts = [
    ...(warmupSteps ? [`grow over ${count(warmupSteps)} steps`] : []),
    ...(decaySteps
      ? [`fall to ${minFactor === 0 ? "0" : `${minFactor} of themselves`} over the last ${count(decaySteps)} (${decay})`]
      : []),
  ];
  return parts.join(", ") || "constant";
}

function describeOptions(options: ResolvedOptions, { batchRows, hasPenalty }: { batchRows: number; hasPenalty: boolean }): string[] {
  const { totalSteps, betas, eps, maxGradNorm, schedule, sparsityWarmupSteps, activationScale, bDecInit } = options;
  const { initRows, deadAfterRows, resample, chunkRows, seed } = options;
  const clip = maxGradNorm === undefined ? "gradients not clipped" : `gradients clipped to norm ${maxGradNorm}`;
  const needsHead = activationScale !== "none" || bDecInit !== "zero";
  const head = initRows === undefined ? "the first 8 batches" : `the first ${count(initRows)} rows`;
  return [
    `steps: ${count(totalSteps)} of ${count(batchRows)} rows, ${count(totalSteps * batchRows)} rows in all${chunkRows && chunkRows < batchRows ? `, in chunks of ${count(chunkRows)}` : ""}`,
    `Adam: betas ${betas.join(", ")}, eps ${eps}, ${clip}`,
    `rates: ${describeSchedule(schedule)}`,
    ...(hasPenalty
      ? [
          `sparsity: ${sparsityWarmupSteps ? `coefficients grow from 0 over ${count(sparsityWarmupSteps)} steps` : "full coefficients from the first step"}`,
        ]
      : []),
    `activations: ${activationScale === "none" ? "as they are" : "scaled to a mean norm of √D, folded into saved weights"}; b_dec starts at ${bDecInit === "zero" ? "zero" : `their ${bDecInit.replace("-", " ")}`}${needsHead ? ` (from ${head})` : ""}`,
    `dead: latents silent for ${count(deadAfterRows)} rows (${count(Math.ceil(deadAfterRows / batchRows))} steps)`,
    ...(resample
      ? [
          `resampling: at ${resample.atSteps.map(count).join(", ")} steps, latents silent for ${count(resample.afterRows ?? deadAfterRows)} rows; directions drawn from ${resample.rows === undefined ? "8 batches" : `${count(resample.rows)} rows`} by seed ${seed}, encoder columns at ${resample.encoderScale ?? ENCODER_SCALE} of the mean norm`,
        ]
      : []),
  ];
}

const count = (n: number): string => n.toLocaleString("en");
