import { randomUUID } from "node:crypto";
import { type Split, spliceSite, targetBatches, tokenFilter } from "@cursive/cursive-model";
import {
  evaluateSae,
  type SaeEvaluation,
  type SaeEvaluationOptions,
  type Stability,
  saeBenchOutput,
  stability,
  toSaeBench,
  toSaeFile,
  writeSaeLens,
} from "@cursive/sae";
import { openDevice } from "@cursive/tensor";
import { type Command, InvalidArgumentError, Option } from "commander";
import { RunFailed, UsageError } from "../../errors.ts";
import { describeModel } from "../../run/find_model.ts";
import { listenForInterrupt } from "../../run/interrupt.ts";
import { describeSaeEvaluation } from "../../sae/describe_evaluation.ts";
import { describeSae, findSae, type LoadedSae, nameSae, type SaeChoice } from "../../sae/load_sae.ts";
import { measureActivity } from "../../sae/measure_activity.ts";
import { describeWords, readWords, warnOfTrainedWords } from "../../sae/read_words.ts";
import type { TokenKind } from "../../sae/sae_config.ts";
import { tokenKinds } from "../../sae/sae_schema.ts";
import { chosen, rowSite } from "../../sae/sae_source.ts";
import { findSubject } from "../../sae/sae_subject.ts";
import { Output } from "../../terminal/output.ts";
import { clock } from "../../terminal/progress.ts";

interface SaeEvalFlags {
  readonly name?: string;
  readonly runs: string;
  readonly run?: string;
  readonly which?: "best" | "last";
  readonly checkpoint?: string;
  readonly data?: string;
  readonly hook?: string;
  readonly split: Split;
  readonly batches?: number;
  readonly batchSize?: number;
  readonly tokens: readonly TokenKind[];
  readonly splice: "everywhere" | "kept";
  readonly against?: string;
  readonly json?: true;
  readonly quiet?: true;
}

/** `sae eval`: measures an autoencoder, and what the model loses with it. */
export function addSaeEvalCommand(sae: Command): void {
  sae
    .command("eval")
    .description("Measure an autoencoder: how activations come back, when latents fire, and what the model loses with reconstructions.")
    .argument("[sae]", "a file, or a run that trained it: its name, number or folder (default: the last one)")
    .option("--name <name>", "which one of a run that trained several")
    .option("--runs <folder>", "where run folders are; those of autoencoders are in saes/ there", "runs")
    .option("--run <run>", "a run whose model to measure with (default: the checkpoint that the autoencoder was trained on)")
    .addOption(new Option("--which <checkpoint>", "that run's best or last checkpoint").choices(["best", "last"]))
    .option("--checkpoint <file>", "a model's checkpoint instead")
    .option("--data <file>", "measure on a word bank (zip or JSON; default: the words that it was trained with)")
    .option("--hook <name>", "another hook than it was trained on")
    .addOption(new Option("--split <split>", "held-out words, or those trained on").choices(["test", "train"]).default("test"))
    .option("--batches <n>", "batches (default: as the model's evaluations)", wholeNumber)
    .option("--batch-size <n>", "sequences in each (default: as the model's evaluations)", wholeNumber)
    .addOption(
      new Option("--tokens <kinds>", `kinds of tokens whose activations count, out of ${tokenKinds.join(", ")}`)
        .argParser(kinds)
        .default(["theta", "radius"], "theta,radius"),
    )
    .addOption(
      new Option("--splice <places>", "replace activations at all places, as the notebook did, or at those of --tokens")
        .choices(["everywhere", "kept"])
        .default("everywhere"),
    )
    .option("--against <sae>", "a file or a run: how many of the latents that fire another autoencoder shares")
    .option(
      "--json",
      "everything as one JSON object on standard output: SAEBench's results file, and all figures with their errors under `cursive`",
    )
    .option("--quiet", "no progress, only the figures")
    .addHelpText("after", examples)
    .action(async (asked: string | undefined, flags: SaeEvalFlags) => evaluate(asked, flags, new Output(flags)));
}

const examples = `
Each ± is one standard error over other draws of as many sequences. No figure depends on how many pass the GPU at once.

Examples:
  pnpm cli sae eval                                 the last autoencoder, on held-out words
  pnpm cli sae eval 3 --batches 20                  that of run 3 on more, for smaller errors
  pnpm cli sae eval 3 --name k-8                    one of several
  pnpm cli sae eval sae.safetensors --run 7         with another run's model
  pnpm cli sae eval 3 --against 4                   which latents another seed finds again
  pnpm cli sae eval --tokens theta,radius,word,end,pad --split train    as the notebook measured
  pnpm --silent cli sae eval --json | jq .eval_result_metrics.reconstruction_quality`;

async function evaluate(asked: string | undefined, flags: SaeEvalFlags, output: Output): Promise<void> {
  using device = await openDevice();
  const { runs, name, split, tokens, splice } = flags;
  const loaded = await findSae({ runs, sae: asked, name });
  const subject = await findSubject(loaded, flags);
  const { found, config, data } = subject;
  const { name: site, width } = rowSite(subject, flags.hook ?? loaded.origin.hook);
  if (width !== loaded.config.dIn) throw new UsageError(`Expected activations ${loaded.config.dIn} wide but found ${site}, ${width} wide`);
  const other = flags.against === undefined ? undefined : await findOther(loaded, { runs, sae: flags.against });
  const { batches = config.training.evaluation.batches, batchSize = config.training.evaluation.batchSize } = flags;
  output.say(`sae      ${describeSae(loaded)}`);
  output.say(`model    ${describeModel(found)}`);
  output.say(`adapter  ${device.name}${device.isSoftware ? " (software)" : ""}`);
  const words = readWords(loaded, { subject, split });
  output.say(
    `data     ${config.data.source}: ${data.dataset.words[split].length} ${describeWords(words)}, ${batches} batches of ${batchSize}, tokens ${tokens.join(", ")}`,
  );
  warnOfTrainedWords(words, { loaded, output });
  const interruption = listenForInterrupt(() => output.warn("stopping after the sequences under way; once more leaves at once"));
  const began = performance.now();
  const progress = new Progress(output, batches * batchSize);
  const { signal } = interruption;
  const keep = tokenFilter(found.tokenizer, chosen(tokens));
  const measure = async (): Promise<{ readonly evaluation: SaeEvaluation; readonly against: Stability | null }> => {
    const evaluation = await evaluateSae(loaded.sae, {
      model: spliceSite(found.model, site),
      batches: targetBatches(data.dataset, { split, batches, batchSize }),
      padToken: found.tokenizer.padToken,
      ...{ keep, splice, signal },
      onSequences: (done, pass) => progress.at(done, pass),
    });
    if (!other) return { evaluation, against: null };
    const onSequences = (done: number): void => progress.at(done, "other");
    const { density } = await measureActivity(other.sae, { subject, site, split, batches, batchSize, keep, signal, onSequences });
    const alive = { a: evaluation.activity.density, b: density };
    return { evaluation, against: stability(await loaded.sae.stateDict(), await other.sae.stateDict(), { alive }) };
  };
  const { evaluation, against } = await measure().finally(() => {
    output.endProgress();
    interruption.stop();
  });
  if (!Number.isFinite(evaluation.reconstruction.mse.value) || !Number.isFinite(evaluation.effect.all.sae.ce.value))
    throw new RunFailed(`Expected finite figures but found NaN: the weights in ${loaded.path} or ${found.path} are broken`);
  const about = {
    sae: loaded.path,
    origin: loaded.origin,
    model: { run: found.run?.name ?? null, checkpoint: found.path, step: found.step },
    adapter: device.name,
    data: { source: config.data.source, hash: data.hash, trainedOn: words.trainedOn },
    ...{ split, batches, batchSize, tokens, splice },
    seconds: (performance.now() - began) / 1000,
  };
  const modelName = found.run?.name ?? "cursive-transformer";
  const { cfg } = writeSaeLens(await toSaeFile(loaded.sae, { name: loaded.origin.trainedBy, hookSite: site, modelName }));
  const file = saeBenchOutput(toSaeBench(evaluation), {
    ...{ name: nameSae(loaded), cfg, modelName, dataset: config.data.source, contextSize: data.dataset.maxLength, batches, batchSize },
    excludesSpecialTokens: splice === "kept" && tokens.every((kind) => kind === "theta" || kind === "radius"),
    ...{ id: randomUUID(), time: Date.now() },
  });
  const result = { ...file, cursive: { config: loaded.config, ...about, ...evaluation, against } };
  output.result(result, describeSaeEvaluation(evaluation, { against }));
}

async function findOther({ config }: LoadedSae, choice: SaeChoice): Promise<LoadedSae> {
  const other = await findSae(choice);
  if (other.config.dIn !== config.dIn)
    throw new UsageError(`Expected another autoencoder of ${config.dIn} dimensions but found ${other.config.dIn} in ${other.path}`);
  return other;
}

/** A time through the sequences. */
type Pass = Parameters<NonNullable<SaeEvaluationOptions["onSequences"]>>[1] | "other";

const passes: Readonly<Record<Pass, string>> = {
  rows: "reading activations",
  effect: "measuring the model",
  other: "reading activations for the other",
};

/** Tells how far the passes over the sequences are. */
class Progress {
  readonly #output: Output;
  readonly #total: number;
  readonly #began = new Map<string, { readonly time: number; readonly done: number }>();

  constructor(output: Output, total: number) {
    this.#output = output;
    this.#total = total;
  }

  at(done: number, pass: Pass): void {
    const what = passes[pass];
    const now = performance.now();
    const first = this.#began.get(pass);
    if (!first) this.#began.set(pass, { time: now, done });
    const left = first && done > first.done ? ((now - first.time) / (done - first.done) / 1000) * (this.#total - done) : undefined;
    this.#output.progress(`${what} ${done}/${this.#total} sequences${left === undefined ? "" : `, ${clock(left)} left`}`);
  }
}

function kinds(given: string): TokenKind[] {
  const found = given.split(",").map((kind) => kind.trim());
  const unknown = found.find((kind) => !(tokenKinds as readonly string[]).includes(kind));
  if (unknown !== undefined) throw new InvalidArgumentError(`Expected kinds out of ${tokenKinds.join(", ")} but found "${unknown}".`);
  return found as TokenKind[];
}

function wholeNumber(given: string): number {
  if (!/^[1-9]\d{0,8}$/.test(given)) throw new InvalidArgumentError(`Expected a whole number from 1 but found "${given}".`);
  return Number(given);
}
