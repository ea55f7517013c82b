import type { RowStorage } from "@cursive/sae";
import { openDevice } from "@cursive/tensor";
import { type Command, InvalidArgumentError, Option } from "commander";
import { readText } from "../config/field.ts";
import { describeModel } from "../run/find_model.ts";
import { listenForInterrupt } from "../run/interrupt.ts";
import { openModelWithData } from "../run/model_data.ts";
import { cacheActivations } from "../sae/cache_activations.ts";
import { cacheStatsText, describeCache } from "../sae/describe_cache.ts";
import type { TokenKind } from "../sae/sae_config.ts";
import { saeSchema } from "../sae/sae_schema.ts";
import { Output } from "../terminal/output.ts";
import { megabytes } from "../terminal/progress.ts";
import { table } from "../terminal/table.ts";

interface CacheFlags {
  readonly run?: string;
  readonly runs: string;
  readonly which?: "best" | "last";
  readonly checkpoint?: string;
  readonly data?: string;
  readonly hook?: readonly string[];
  readonly out: string;
  readonly sequences: number;
  readonly split: "train" | "test";
  readonly tokens?: readonly TokenKind[];
  readonly shardRows: number;
  readonly dtype: RowStorage;
  readonly json?: true;
  readonly quiet?: true;
}

/** `activations`: writes a model's activations to files, and describes them. */
export function addActivationsCommand(program: Command): void {
  const activations = program
    .command("activations")
    .description("Write a model's activations to files that autoencoders are trained on, and look at what they are like.")
    .addHelpText("after", examples);
  activations
    .command("cache")
    .description("Write activations to a folder of safetensors shards, with each row's token, position and sequence.")
    .option("--run <run>", "whose model: a name, a number, a folder, or last (default: last)")
    .addOption(
      new Option("--which <checkpoint>", "its best or its last checkpoint (default: the best, where there is one)").choices([
        "best",
        "last",
      ]),
    )
    .option("--runs <folder>", "where run folders are", "runs")
    .option("--checkpoint <file>", "a checkpoint's file instead of a run")
    .option("--data <file>", "a word bank (zip or JSON) to read instead of the run's words")
    .option("--hook <names>", "hooks, with commas between: a folder each where there are several (default: blocks.0.hook_mlp_out)", names)
    .option("--out <folder>", "where to write", "activations")
    .option("--sequences <n>", "sequences to read", wholeNumber, 2000)
    .addOption(
      new Option("--split <split>", "words that the model was trained on, or held-out ones").choices(["train", "test"]).default("train"),
    )
    .option("--tokens <kinds>", "kinds of tokens to keep: theta, radius, word, end, pad, or all (default: theta,radius)", kinds)
    .option("--shard-rows <n>", "rows of a file", wholeNumber, 65_536)
    .addOption(new Option("--dtype <dtype>", "f16 takes half the space and rounds to 11 bits").choices(["f32", "f16"]).default("f32"))
    .option("--json", "what was written, as JSON")
    .option("--quiet", "nothing but errors")
    .action(async (flags: CacheFlags) => cache(flags));
  activations
    .command("stats")
    .description("Describe cached activations: norm, mean, variance of each dimension, shares of kinds of tokens.")
    .argument("[folder]", "what `activations cache` wrote", "activations")
    .option("--json", "as JSON, with mean and variance of each dimension")
    .option("--quiet", "no progress, only the figures")
    .action(async (folder: string, flags: { json?: true; quiet?: true }) => stats(folder, flags));
}

const examples = `
Examples:
  pnpm cli activations cache --out mlp0                          the first MLP of the last run's model, on ink
  pnpm cli activations cache --hook blocks.0.hook_mlp_out,blocks.1.hook_mlp_out --out mlps
  pnpm cli activations cache --split test --tokens all --out held-out
  pnpm cli activations stats mlp0
  pnpm cli sae train --activations mlp0`;

async function cache(flags: CacheFlags): Promise<void> {
  const output = new Output(flags);
  using device = await openDevice();
  const { runs, run, which, checkpoint, data, shardRows: rowsPerShard, dtype: storage, out, sequences, split } = flags;
  const { hook: hooks = ["blocks.0.hook_mlp_out"], tokens = ["theta", "radius"] } = flags;
  const subject = await openModelWithData({ runs, run, which, checkpoint, data });
  output.say(`model    ${describeModel(subject.found)}`);
  output.say(`adapter  ${device.name}${device.isSoftware ? " (software)" : ""}`);
  const interruption = listenForInterrupt(() => output.warn("interrupted: what was written so far is no cache yet"));
  const began = performance.now();
  const written = await cacheActivations(subject, {
    ...{ hooks, out, sequences, split, tokens, rowsPerShard, storage, chunk: 16, signal: interruption.signal },
    onCompile: (done, total, what) => output.progress(`compiling ${what} ${done}/${total}`),
    onSequence: (done, total) => output.progress(`reading ${done}/${total} sequences`),
  }).finally(() => {
    output.endProgress();
    interruption.stop();
  });
  const seconds = (performance.now() - began) / 1000;
  if (output.json) output.event("cached", { caches: written, seconds });
  output.say(
    table([
      ["hook", "rows", "width", "size", "folder"],
      ...written.map(({ hook, rows, dIn, bytes, path }) => [hook, rows.toLocaleString("en"), String(dIn), megabytes(bytes), path]),
    ]),
  );
}

async function stats(folder: string, flags: { json?: true; quiet?: true }): Promise<void> {
  const output = new Output(flags);
  const found = await describeCache(folder, (done, total) => output.progress(`reading ${done}/${total} rows`)).finally(() =>
    output.endProgress(),
  );
  output.result(found, cacheStatsText(found));
}

function names(given: string): string[] {
  return given.split(",").map((name) => name.trim());
}

function kinds(given: string): readonly TokenKind[] {
  const field = saeSchema.data.tokens;
  const value = readText(field, given === "all" ? "theta,radius,word,end,pad" : given);
  if (!field.accepts(value))
    throw new InvalidArgumentError(`Expected kinds of tokens, theta, radius, word, end, pad or all, but found "${given}".`);
  return value;
}

function wholeNumber(given: string): number {
  if (!/^[1-9]\d{0,8}$/.test(given)) throw new InvalidArgumentError(`Expected a whole number from 1 but found "${given}".`);
  return Number(given);
}
