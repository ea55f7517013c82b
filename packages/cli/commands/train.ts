import { resolve } from "node:path";
import process from "node:process";
import { type Evaluation, type StepReport, Trainer, Transformer } from "@cursive/cursive-model";
import { openDevice } from "@cursive/tensor";
import { type Command, InvalidArgumentError, Option } from "commander";
import { presets } from "../config/presets.ts";
import type { RunConfig } from "../config/run_config.ts";
import { Interrupted } from "../errors.ts";
import { encodeCheckpoint, encodeModel, modelMetadata } from "../run/checkpoint.ts";
import { openDataset } from "../run/data.ts";
import { RunFolder } from "../run/run_folder.ts";
import { drawSamples } from "../run/samples.ts";
import { clock, ProgressLine, short } from "../terminal/progress.ts";

interface TrainFlags {
  readonly preset: keyof typeof presets;
  readonly data?: string;
  readonly steps?: number;
  readonly batchSize?: number;
  readonly lr?: number;
  readonly seed?: number;
  readonly runs: string;
  readonly name?: string;
}

/** `train`: trains a model and leaves a run folder with metrics, checkpoints and pictures. */
export function addTrainCommand(program: Command): void {
  program
    .command("train")
    .description("Train a handwriting transformer; metrics, checkpoints and pictures of what it writes go into a new folder.")
    .addOption(new Option("--preset <name>", "where the configuration starts").choices(Object.keys(presets)).default("tiny"))
    .option("--data <file>", "train on a word bank (zip or JSON) instead of the built-in cursive")
    .option("--steps <n>", "training steps", wholeNumber)
    .option("--batch-size <n>", "sequences a step", wholeNumber)
    .option("--lr <rate>", "learning rate", positive)
    .option("--seed <n>", "names every random choice", wholeNumber)
    .option("--runs <folder>", "where run folders are made", "runs")
    .option("--name <name>", "name of the run folder; default: the preset's")
    .addHelpText("after", examples)
    .action(async (flags: TrainFlags) => train(configure(flags), flags));
}

const examples = `
Examples:
  pnpm cli train                                  a small model on built-in cursive, minutes on two CPU cores
  pnpm cli train --data bigbank.json.zip          the same on a word bank of your own
  pnpm cli train --preset reference --steps 5000  the PyTorch original's model and schedule`;

/** The preset with the flags applied. */
function configure(flags: TrainFlags): RunConfig {
  const base = presets[flags.preset];
  // Captured ink has longer words than the built-in hand writes for the small preset.
  const imported =
    flags.data === undefined
      ? {}
      : { source: flags.data, maxLength: Math.max(base.data.maxLength, 256), contextLength: Math.max(base.data.contextLength, 16) };
  return {
    ...base,
    steps: flags.steps ?? base.steps,
    seed: flags.seed ?? base.seed,
    data: { ...base.data, ...imported },
    training: { ...base.training, batchSize: flags.batchSize ?? base.training.batchSize, lr: flags.lr ?? base.training.lr },
  };
}

async function train(config: RunConfig, flags: TrainFlags): Promise<void> {
  const dataset = await openDataset(config);
  const device = await openDevice();
  const { tokenizer } = dataset;
  const model = new Transformer(
    {
      ...config.model,
      blockSize: dataset.maxLength,
      contextBlockSize: dataset.contextLength,
      vocabSize: tokenizer.vocabSize,
      contextVocabSize: tokenizer.contextVocabSize,
    },
    { seed: config.seed },
  );
  const folder = await RunFolder.create(resolve(flags.runs), flags.name ?? config.preset);
  await folder.write("config.json", `${JSON.stringify(config, null, 2)}\n`);
  console.log(`adapter  ${device.name}${device.isSoftware ? " (software)" : ""}`);
  console.log(`data     ${dataset.words.train.length} words to train on, ${dataset.words.test.length} held out`);
  console.log(`model    ${model.parameterCount().toLocaleString("en")} parameters`);
  console.log(`run      ${folder.path}`);

  const line = new ProgressLine();
  const { training } = config;
  const trainer = new Trainer(model, {
    ...training,
    maxGradNorm: training.maxGradNorm ?? undefined,
    dataset,
    onCompile: (done, total) => line.update(`compiling shaders ${done}/${total}`),
  });
  const interruption = listenForInterrupt();
  const metadata = modelMetadata(model, tokenizer);
  let best = Number.POSITIVE_INFINITY;
  let last: Evaluation | undefined;

  const settle = async (): Promise<void> => {
    last = await trainer.evaluate("test");
    const state = await trainer.state();
    await folder.write("checkpoints/last.safetensors", encodeCheckpoint(state, metadata));
    if (last.loss < best) {
      best = last.loss;
      await folder.write("checkpoints/best.safetensors", encodeModel(state, metadata));
    }
    const sheet = await drawSamples(model, { ...config.samples, tokenizer, seed: config.seed, maxTokens: dataset.maxLength });
    const path = await folder.write(`samples/step-${String(trainer.step).padStart(6, "0")}.svg`, sheet);
    await folder.record({ step: trainer.step, testLoss: last.loss, testLossReal: last.lossReal });
    line.note(`step ${trainer.step}  test loss ${last.loss.toFixed(3)} (${last.lossReal.toFixed(3)} without padding)  ${path}`);
  };

  const start = performance.now();
  const tokensPerStep = training.batchSize * dataset.maxLength;
  const speed = new Speed();
  while (trainer.step < config.steps && !interruption.signal.aborted) {
    const until = Math.min(config.steps, trainer.step + training.evaluateEvery - (trainer.step % training.evaluateEvery));
    for await (const report of trainer.run({ until, signal: interruption.signal })) {
      const milliseconds = speed.add(report.milliseconds);
      await folder.record({ ...report, tokensPerSecond: Math.round((1000 * tokensPerStep) / report.milliseconds) });
      line.update(status(report, { config, milliseconds, tokensPerStep, last }));
    }
    await settle();
  }
  line.stop();
  interruption.stop();
  const took = clock((performance.now() - start) / 1000);
  if (interruption.signal.aborted)
    throw new Interrupted(`interrupted at step ${trainer.step} after ${took}; everything up to it is saved in ${folder.path}`);
  console.log(`done     ${trainer.step} steps in ${took}, best test loss ${best.toFixed(3)}`);
}

function status(
  report: StepReport,
  about: { config: RunConfig; milliseconds: number; tokensPerStep: number; last: Evaluation | undefined },
): string {
  const { config, milliseconds, tokensPerStep, last } = about;
  const parts = [
    `step ${report.step}/${config.steps}`,
    `loss ${report.loss.toFixed(3)}${last ? ` (test ${last.loss.toFixed(3)})` : ""}`,
    `${short((1000 * tokensPerStep) / milliseconds)} tokens/s`,
    `${milliseconds.toFixed(0)} ms`,
    `lr ${report.lr.toPrecision(2)}`,
    `ETA ${clock(((config.steps - report.step) * milliseconds) / 1000)}`,
  ];
  return parts.join("  ");
}

/** Mean time of the latest steps: the first ones compile shaders and would spoil an average over all. */
class Speed {
  readonly #recent: number[] = [];

  add(milliseconds: number): number {
    this.#recent.push(milliseconds);
    if (this.#recent.length > 50) this.#recent.shift();
    const sorted = this.#recent.toSorted((a, b) => a - b);
    return sorted[sorted.length >> 1]!;
  }
}

/** Ctrl-C once: finish the step, save, and leave. Twice: leave at once. */
function listenForInterrupt(): { signal: AbortSignal; stop: () => void } {
  const controller = new AbortController();
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(130);
    console.error("\ninterrupted: saving (once more to leave at once)");
    controller.abort();
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return {
    signal: controller.signal,
    stop: () => {
      process.off("SIGINT", onSignal);
      process.off("SIGTERM", onSignal);
    },
  };
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) throw new InvalidArgumentError(`Expected a whole number but found '${text}'.`);
  return value;
}

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0) || !Number.isFinite(value)) throw new InvalidArgumentError(`Expected a number above 0 but found '${text}'.`);
  return value;
}
