import type { RunConfig } from "../config/run_config.ts";
import { buildTrainer } from "./build_trainer.ts";
import type { RunData } from "./data.ts";
import { median } from "./speed.ts";

/** What a run would take. */
export interface Estimate {
  readonly parameters: number;
  /** Places in the sequences of a step, padding included. */
  readonly tokensPerStep: number;
  /** Launches of a training step. */
  readonly dispatches: number;
  /** Of GPU memory. */
  readonly bytes: {
    readonly parameters: number;
    readonly gradients: number;
    readonly moments: number;
    /** What a captured training step holds besides: inputs, activations, launch parameters. */
    readonly step: number;
    /** What evaluations keep, from the first one on. */
    readonly evaluation: number;
    readonly total: number;
  };
  /** Of a step, where some were timed. */
  readonly millisecondsPerStep?: number;
  /** Of all steps, evaluations and pictures not counted. */
  readonly seconds?: number;
}

/** Steps taken before those that are timed: they bring caches and clocks to what they will be. */
const WARM_UP = 2;

/** Finds out what a run would take: compiles and plans its step and its evaluations, and takes `timedSteps` of them if asked to. Nothing is kept. */
export async function estimateRun(
  config: RunConfig,
  options: { readonly data: RunData; readonly timedSteps: number; readonly say: (text: string) => void },
): Promise<Estimate> {
  const { data, timedSteps, say } = options;
  const trainer = buildTrainer(config, {
    dataset: data.dataset,
    onCompile: (done, total, what) => say(`compiling ${what} ${done}/${total}`),
  });
  const parameters = trainer.model.parameterCount();
  const { dispatches, bytes: step } = await trainer.prepare();
  const of = (copies: number): number => 4 * copies * parameters;
  const evaluation = await trainer.prepareEvaluation();
  const bytes = { parameters: of(1), gradients: of(1), moments: of(2), step, evaluation, total: of(4) + step + evaluation };
  const estimate = { parameters, tokensPerStep: config.training.batchSize * config.data.maxLength, dispatches, bytes };
  if (timedSteps === 0) return estimate;
  const times: number[] = [];
  for await (const { step, milliseconds } of trainer.run({ until: WARM_UP + timedSteps })) {
    say(`timing step ${step}/${WARM_UP + timedSteps}`);
    if (step > WARM_UP) times.push(milliseconds);
  }
  const millisecondsPerStep = median(times);
  return { ...estimate, millisecondsPerStep, seconds: (config.steps * millisecondsPerStep) / 1000 };
}
