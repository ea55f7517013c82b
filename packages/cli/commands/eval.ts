import { dirname, join } from "node:path";
import { evaluateModel, type LossMeasure, type ModelEvaluation, type Split, tokenClasses } from "@cursive/cursive-model";
import { openDevice } from "@cursive/tensor";
import { type Command, InvalidArgumentError, Option } from "commander";
import { addConfigOptions, type ConfigFlags, configFromFlags } from "../config/config_options.ts";
import type { RunConfig } from "../config/run_config.ts";
import { RunFailed, UsageError } from "../errors.ts";
import { openData, type RunData } from "../run/data.ts";
import type { Environment } from "../run/environment.ts";
import { readJsonIfThere } from "../run/files.ts";
import { describeModel, type FoundModel, findModel } from "../run/find_model.ts";
import { listenForInterrupt } from "../run/interrupt.ts";
import { isEvaluation, readMetrics } from "../run/metrics.ts";
import { suitedTo } from "../run/model_data.ts";
import { Output } from "../terminal/output.ts";
import { clock } from "../terminal/progress.ts";
import { grid, table } from "../terminal/table.ts";

interface EvalFlags extends ConfigFlags {
  readonly run?: string;
  readonly runs: string;
  readonly which?: "best" | "last";
  readonly checkpoint?: string;
  readonly split: Split;
  readonly batches?: number;
  readonly batchSize?: number;
  readonly ablation: boolean;
  readonly json?: true;
  readonly quiet?: true;
}

/** What is measured, and on what. */
interface Subject {
  readonly loaded: FoundModel;
  /** The folder of the run that the model is of. */
  readonly folder: string | undefined;
  readonly config: RunConfig;
  readonly data: RunData;
  /** Whether these are the data that the run itself evaluates on. */
  readonly isOwn: boolean;
}

/** `eval`: measures a checkpoint's loss, as a whole and in parts. */
export function addEvalCommand(program: Command): void {
  const command = program
    .command("eval")
    .description("Measure a model: its loss on held-out words, by the original's definition and without padding, and where it comes from.")
    .option("--run <run>", "whose model: a name, a number, a folder, or last (default: last)")
    .addOption(
      new Option("--which <checkpoint>", "its best or its last checkpoint (default: the best, where there is one)").choices([
        "best",
        "last",
      ]),
    )
    .option("--runs <folder>", "where run folders are", "runs")
    .option("--checkpoint <file>", "a checkpoint's file instead of a run; the options below say on what data")
    .addOption(new Option("--split <split>", "held-out words, or those trained on").choices(["test", "train"]).default("test"))
    .option("--batches <n>", "batches (default: as the run's evaluations)", wholeNumber)
    .option("--batch-size <n>", "sequences in each (default: as the run's evaluations)", wholeNumber)
    .option("--no-ablation", "do not measure the model without its text, which takes half of the time");
  addConfigOptions(command, { "--data": "measure on a word bank (zip or JSON)" })
    .option("--json", "everything as one JSON object on standard output")
    .option("--quiet", "no progress, only the tables")
    .addHelpText("after", examples)
    .action(async (flags: EvalFlags) => evaluate(flags, new Output(flags)));
}

const examples = `
Without other numbers of batches, all targets' test loss is the very one that train logged at the checkpoint's step: the same sequences,
summed the same way. Each ± is one standard error: how the mean varies over other draws of as many sequences from the same words.

Examples:
  pnpm cli eval                                   the last run's best checkpoint on its held-out words
  pnpm cli eval --run 7 --which last              run 7 as it is now
  pnpm cli eval --run 7 --split train             on words that it was trained on
  pnpm cli eval --run 7 --data other.json.zip     on the held-out part of another word bank
  pnpm cli eval --batches 50 --batch-size 100     on more, for smaller errors
  pnpm cli eval --checkpoint best.safetensors --preset tiny
  pnpm --silent cli eval --json | jq .real.loss`;

async function evaluate(flags: EvalFlags, output: Output): Promise<void> {
  using device = await openDevice();
  const subject = await findSubject(flags);
  const { loaded, config, data } = subject;
  const { batches = config.training.evaluation.batches, batchSize = config.training.evaluation.batchSize } = flags;
  output.say(`model    ${describeModel(loaded)}`);
  output.say(`adapter  ${device.name}${device.isSoftware ? " (software)" : ""}`);
  const words = data.dataset.words[flags.split].length;
  output.say(
    `data     ${config.data.source}: ${words} ${flags.split === "test" ? "held-out words" : "words trained on"}, ${batches} batches of ${batchSize}`,
  );
  const interruption = listenForInterrupt(() => output.warn("stopping after the sequences under way; once more leaves at once"));
  const began = performance.now();
  const evaluation = await evaluateModel(loaded.model, {
    dataset: data.dataset,
    split: flags.split,
    batches,
    batchSize,
    pieceSize: config.training.batchSize,
    ablation: flags.ablation,
    signal: interruption.signal,
    onSequence: (done, total) => {
      const left = ((performance.now() - began) / done / 1000) * (total - done);
      output.progress(`evaluating ${done}/${total} sequences, ${clock(left)} left`);
    },
  }).finally(() => {
    output.endProgress();
    interruption.stop();
  });
  if (!Number.isFinite(evaluation.all.loss))
    throw new RunFailed(`Expected finite losses but found ${evaluation.all.loss}: the parameters in ${loaded.path} are broken`);
  const logged = await loggedLosses(subject, evaluation);
  const { step, path: checkpoint, run } = loaded;
  const about = { run: run?.name ?? null, checkpoint, step, adapter: device.name, data: { source: config.data.source, hash: data.hash } };
  const seconds = (performance.now() - began) / 1000;
  output.result({ ...about, seconds, logged, ...evaluation }, describe(evaluation, { logged, numWords: config.data.numWords }));
}

/** The model that is asked for, and the data to measure it on. */
async function findSubject(flags: EvalFlags): Promise<Subject> {
  const loaded = await findModel(flags);
  const folder = loaded.run && dirname(dirname(loaded.path));
  const stray = (["preset", "config"] as const).find((name) => folder !== undefined && flags[name] !== undefined);
  if (stray !== undefined)
    throw new UsageError(`Expected no --${stray} for a model of a run but found it: the run has its own configuration`);
  const { preset, set, data: bank } = flags; // --batch-size is another one than training's
  const file = folder === undefined ? flags.config : join(folder, "config.json");
  const config = suitedTo(loaded, (await configFromFlags({ preset, config: file, set, data: bank })).config);
  const data = await openData(config);
  const isOwn = folder !== undefined && flags.data === undefined && flags.set === undefined;
  const environment = isOwn ? ((await readJsonIfThere(join(folder, "env.json"))) as Environment | undefined) : undefined;
  if (environment && environment.dataHash !== data.hash) {
    throw new UsageError(
      `Expected the words that ${loaded.run!.name} was trained on but found others: its word bank has changed since; --data takes another`,
    );
  }
  return { loaded, folder, config, data, isOwn };
}

/** What train wrote down at the checkpoint's step, if it measured the same. */
async function loggedLosses({ folder, loaded, config, isOwn }: Subject, { split, batches, batchSize }: ModelEvaluation): Promise<Logged> {
  const own = config.training.evaluation;
  if (folder === undefined || !isOwn || split !== "test" || batches !== own.batches || batchSize !== own.batchSize) return null;
  const row = (await readMetrics(join(folder, "metrics.jsonl"))).find((row) => isEvaluation(row) && row.step === loaded.step);
  return row && isEvaluation(row) ? { testLoss: row.testLoss, testLossReal: row.testLossReal } : null;
}

type Logged = { readonly testLoss: number; readonly testLossReal: number } | null;

/** An evaluation as tables. */
function describe(evaluation: ModelEvaluation, { logged, numWords }: { logged: Logged; numWords: number }): string {
  const { all, real, ablated, sequences, cut, byClass, byPosition, byWordLength, byCharacter } = evaluation;
  const words = numWords > 1 ? "words" : "word";
  const sections = [
    table([
      heading(""),
      [`all targets, padding included`, ...figures(all)],
      ["without padding", ...figures(real)],
      ...(ablated
        ? [
            ["all targets, text zeroed", ...figures(ablated.all)],
            ["without padding, text zeroed", ...figures(ablated.real)],
          ]
        : []),
    ]),
    [
      "All targets, padding included, is the PyTorch original's test loss.",
      ...(ablated ? [`Without its text the model loses ${withError(ablated.rise)} nats a target more: so much does it use the text.`] : []),
      ...(logged ? [describeLogged(evaluation, logged)] : []),
      `${sequences} sequences of ${numWords} ${words}; ${cut === 0 ? "none was" : `${cut} were`} cut to fit.`,
    ].join("\n"),
    table([heading("by kind of target"), ...byClass.map((group) => [tokenClasses[group.class], ...figures(group)])]),
    table([heading("by place in the sequence"), ...byPosition.map((group) => [`${group.from} to ${group.to - 1}`, ...figures(group)])]),
    table([
      [...heading("by length of the word"), "words"],
      ...byWordLength.map((group) => [plural(group.characters, "character"), ...figures(group), String(group.words)]),
    ]),
    `by character, the hardest first: ink of all words that contain it, as joined letters leave no token to one character alone\n${grid(
      [...byCharacter]
        .sort((a, b) => b.loss - a.loss)
        .map((group) => `${group.character}  ${withError(group)}  in ${plural(group.words, "word")}`),
    )}`,
  ];
  return `\n${sections.join("\n\n")}`;
}

function describeLogged({ all, real }: ModelEvaluation, { testLoss, testLossReal }: NonNullable<Logged>): string {
  const isSame = all.loss === testLoss && real.loss === testLossReal;
  const values = `${testLoss.toFixed(4)} and ${testLossReal.toFixed(4)}`;
  return isSame
    ? `train logged the same at this step: ${values}.`
    : `train logged ${values} at this step; on another adapter the last digits differ.`;
}

function heading(title: string): string[] {
  return [title, "loss in nats", "bits", "perplexity", "top 1 %", "targets"];
}

function figures(measure: LossMeasure): string[] {
  const { bits, perplexity, accuracy, count } = measure;
  return [withError(measure), bits.toFixed(3), perplexity.toPrecision(3), (100 * accuracy).toFixed(1), count.toLocaleString("en")];
}

function withError({ loss, standardError }: { readonly loss: number; readonly standardError: number }): string {
  return `${loss.toFixed(3)} ± ${Number.isNaN(standardError) ? "?" : standardError.toFixed(3)}`;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function wholeNumber(given: string): number {
  if (!/^[1-9]\d{0,8}$/.test(given)) throw new InvalidArgumentError(`Expected a whole number from 1 but found "${given}".`);
  return Number(given);
}
