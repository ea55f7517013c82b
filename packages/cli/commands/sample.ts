import { type FittedText, fitText } from "@cursive/cursive-model";
import { openDevice } from "@cursive/tensor";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { RunConfig } from "../config/run_config.ts";
import { Interrupted, UsageError } from "../errors.ts";
import { describeModel, type FoundModel, findCheckpoint, type ModelChoice } from "../run/find_model.ts";
import { listenForInterrupt } from "../run/interrupt.ts";
import { loadModel } from "../run/load_model.ts";
import {
  chooseTarget,
  type InkFormat,
  type InkSettings,
  inkFormats,
  type Layout,
  type SavedFile,
  saveWritings,
  type Target,
} from "../sample/save.ts";
import { describeReplacements, readTexts } from "../sample/texts.ts";
import { makeWarmUp, type WarmUp } from "../sample/warm_up.ts";
import { type WriteSettings, type Written, writeTexts } from "../sample/write_texts.ts";
import { temperature, wholeNumber } from "../terminal/arguments.ts";
import { Output } from "../terminal/output.ts";
import { short } from "../terminal/progress.ts";
import { table } from "../terminal/table.ts";

interface SampleFlags extends ModelChoice {
  readonly file?: string;
  readonly samples: number;
  readonly temperature?: number;
  readonly topK?: number;
  readonly seed: number;
  readonly maxTokens?: number;
  readonly warmUp?: readonly string[];
  readonly style?: string;
  readonly out: string;
  readonly format?: readonly InkFormat[];
  readonly layout: Layout;
  readonly scale: number;
  readonly strict?: true;
  readonly cache: boolean;
  readonly json?: true;
  readonly quiet?: true;
}

/** `sample`: has a trained model write texts, and saves the ink. */
export function addSampleCommand(program: Command): void {
  program
    .command("sample")
    .description("Have a trained model write texts; the ink is saved as SVG, PNG or JSON.")
    .argument("[text...]", "what to write, - for the lines of standard input (default: the sample texts of the run)")
    .option("--file <file>", "a file of texts, one a line; - for standard input")
    .option("--run <run>", "the run whose model writes: a name, a number, a folder, or last (default: last)")
    .addOption(new Option("--which <checkpoint>", "its best or its last checkpoint (default: best)").choices(["best", "last"]))
    .option("--runs <folder>", "where run folders are", "runs")
    .option("--checkpoint <file>", "a checkpoint's file instead of a run, such as best.safetensors")
    .option("--samples <n>", "writings of each text", wholeNumber(1, 1000), 1)
    .option("--temperature <t>", "below 1 tidier, above 1 wilder, 0 always the likeliest (default: the run's)", temperature)
    .option("--top-k <k>", "choose among so many of the likeliest tokens, 0 for all (default: the run's)", wholeNumber(0, 65_536))
    .option("--seed <n>", "names the random draws: the same ink for the same seed", wholeNumber(0, 0xffff_ffff), 0)
    .option("--max-tokens <n>", "most tokens of ink a text (default: as many as the model takes)", wholeNumber(2, 65_536))
    .option("--warm-up <words>", "ink of these words, with commas between, comes first, and the text goes on in its hand", wordList)
    .option("--style <bank>", 'where that ink is from: a word bank (zip or JSON), or "cursive" (default: what the run was trained on)')
    .option("--out <path>", "a folder, or one file that ends in .svg, .png or .json", "ink")
    .option("--format <formats>", "svg, png, json, with commas between (default: svg,png)", formatList)
    .addOption(
      new Option("--layout <layout>", "a file each text, a sheet of all, or both").choices(["both", "files", "sheet"]).default("both"),
    )
    .option(
      "--scale <pixels>",
      "size of pictures: pixels a canvas height, in which a small letter takes an eighth",
      wholeNumber(10, 5000),
      300,
    )
    .option("--strict", "refuse texts with characters that the model does not have, instead of replacing them")
    .option("--no-cache", "keep no keys and values: compute everything anew for each token, to measure by or to check")
    .option("--json", "what was written as JSON on standard output")
    .option("--quiet", "nothing but warnings and errors")
    .addHelpText("after", examples)
    .action(async (texts: string[], flags: SampleFlags) => sample(texts, flags));
}

const examples = `
Each text has random draws of its own, named by --seed, itself and how often it came before: what stands beside it changes nothing.

Examples:
  pnpm cli sample hello                             ink/hello.svg and ink/hello.png by the last run's best model
  pnpm cli sample hello wave --samples 4            four writings of each, and a sheet of all
  pnpm cli sample --file poem.txt --out poem.png    a line a text, all on one picture
  pnpm cli sample "pen and" --run 7 --temperature 0.5 --top-k 40
  pnpm cli sample world --warm-up hello             in the hand that wrote hello
  pnpm cli sample world --style mine.json --warm-up hello
  pnpm cli sample hello --out hello.json            tokens, points and movements for programs
  pnpm cli sample hello --no-cache --json | jq .tokensPerSecond`;

async function sample(given: readonly string[], flags: SampleFlags): Promise<void> {
  const output = new Output(flags);
  const asked = await readTexts(given, flags);
  const checkpoint = await findCheckpoint(flags);
  using device = await openDevice();
  const found = { ...checkpoint, ...(await loadModel(checkpoint.path)) };
  const config = found.run?.config;
  const texts = fitTexts(asked.length > 0 ? asked : defaultTexts(config), { flags, found, output });
  const warmUp =
    flags.warmUp || flags.style !== undefined
      ? await makeWarmUp({ words: flags.warmUp, bank: flags.style, tokenizer: found.tokenizer, config, seed: flags.seed })
      : undefined;
  checkLengths(texts, { found, warmUp });
  noteNews(texts, { config, warmUp, output });
  const target = await chooseTarget(flags.out, flags.format);
  const settings = settingsOf(flags, found);
  output.say(`model    ${describeModel(found)}, on ${device.name}`);
  if (warmUp) output.say(`hand     goes on from "${warmUp.text}", ${warmUp.tokens.length} tokens`);

  const interruption = listenForInterrupt((text) => output.warn(text));
  try {
    const written = await writeTexts(texts, {
      ...settings,
      found,
      warmUp,
      signal: interruption.signal,
      onCompile: (done, total, what) => output.progress(`compiling ${what} ${done}/${total}`),
      onProgress: ({ finished, asked: all, tokens, tokensPerSecond }) =>
        output.progress(`writing ${finished}/${all}  ${tokens} tokens${tokensPerSecond > 0 ? `  ${short(tokensPerSecond)} tokens/s` : ""}`),
    });
    output.endProgress();
    await report(written, { flags, found, settings: { ...settings, warmUp: warmUp?.text ?? null }, target, output });
  } finally {
    output.endProgress();
    interruption.stop();
  }
}

/** Saves what was finished and says what came of it. @throws Interrupted if not all was. */
async function report(
  written: Written,
  about: {
    flags: SampleFlags;
    found: FoundModel;
    settings: InkSettings;
    target: Target;
    output: Output;
  },
): Promise<void> {
  const { flags, found, settings, target, output } = about;
  const { writings, asked, interrupted, seconds, secondsToFirst, tokensPerSecond } = written;
  const model = { run: found.run?.name ?? null, checkpoint: found.path, step: found.step };
  const files = await saveWritings(writings, target, { model, settings, layout: flags.layout, scale: flags.scale });
  const unfinished = writings.filter(({ ended }) => !ended);
  for (const { text, sample: copy, tokens } of unfinished) {
    const which = settings.samples > 1 ? `"${text}", writing ${copy},` : `"${text}"`;
    output.warn(`warning: ${which} did not come to its end within ${tokens.length} tokens`);
  }
  const result = {
    model,
    settings,
    writings: writings.map(({ text, written: spelled, sample: copy, ended, tokens }, place) => ({
      ...{ text, written: spelled, sample: copy, ended },
      tokens: tokens.length,
      files: files.filter((file) => file.writings.includes(place)).map((file) => file.path),
    })),
    ...{ asked, seconds, secondsToFirst, tokensPerSecond },
  };
  if (output.json || !output.quiet) output.result(result, describe(written, files));
  if (interrupted) {
    const message = `interrupted: ${writings.length} of ${asked} writings were finished${writings.length > 0 ? ` and are saved in ${target.path}` : ""}`;
    throw new Interrupted(message, { exitCode: interrupted.exitCode });
  }
}

/** What was written, a line each, and how fast. */
function describe({ writings, seconds, secondsToFirst, tokensPerSecond }: Written, files: readonly SavedFile[]): string {
  const tokens = writings.reduce((sum, writing) => sum + writing.tokens.length, 0);
  const rows = writings.map((writing, place) => {
    const own = files.filter((file) => file.writings.length === 1 && file.writings[0] === place).map((file) => file.path);
    return [`"${writing.text}"`, String(writing.tokens.length), `tokens${writing.ended ? "" : ", never ended"}`, own.join("  ")];
  });
  const sheets = files.filter((file) => file.writings.length > 1).map((file) => file.path);
  const rate = tokensPerSecond > 0 ? `${short(tokensPerSecond)} tokens/s, ` : "";
  return [
    ...(rows.length > 0 ? [table(rows)] : []),
    ...(sheets.length > 0 ? [`sheet    ${sheets.join("  ")}`] : []),
    `speed    ${rate}${tokens} tokens in ${seconds.toFixed(1)} s, the first after ${secondsToFirst.toFixed(1)} s`,
  ].join("\n");
}

/** The texts in the model's characters, with a warning for each that had others. @throws UsageError for such texts if asked to be strict. */
function fitTexts(texts: readonly string[], about: { flags: SampleFlags; found: FoundModel; output: Output }): FittedText[] {
  const { flags, found, output } = about;
  const fitted = texts.map((text) => fitText(text, found.tokenizer));
  const changed = fitted.filter(({ replaced }) => replaced.length > 0);
  if (flags.strict && changed.length > 0) {
    const named = changed.map(({ text, replaced }) => `${replaced.map(({ character }) => character).join(" ")} in ${JSON.stringify(text)}`);
    throw new UsageError(`Expected texts in the model's characters but found ${named.join(", ")}`);
  }
  for (const line of changed.flatMap(describeReplacements)) output.warn(`warning: ${line}`);
  const empty = fitted.find(({ written }) => written === "");
  if (empty) throw new UsageError(`Expected a text with characters of the model but found none in ${JSON.stringify(empty.text)}`);
  return fitted;
}

function defaultTexts(config: RunConfig | undefined): readonly string[] {
  if (config && config.samples.texts.length > 0) return config.samples.texts;
  throw new UsageError('Expected a text to write but found none, such as: pnpm cli sample "hello"');
}

/** @throws UsageError for texts that the model has no room for, all at once. */
function checkLengths(texts: readonly FittedText[], { found, warmUp }: { found: FoundModel; warmUp: WarmUp | undefined }): void {
  const { contextBlockSize, blockSize } = found.model.config;
  const room = contextBlockSize - (warmUp ? [...warmUp.text].length + 1 : 0);
  const beside = warmUp ? ` beside the warm-up "${warmUp.text}"` : "";
  const long = texts.filter(({ written }) => [...written].length > room).map(({ written }) => `"${written}" (${[...written].length})`);
  if (long.length > 0)
    throw new UsageError(
      `Expected texts of at most ${Math.max(0, room)} characters, this model's limit${beside}, but found ${long.join(", ")}`,
    );
  if (warmUp && warmUp.tokens.length >= blockSize)
    throw new UsageError(`Expected a warm-up of fewer than the model's ${blockSize} tokens but found ${warmUp.tokens.length}`);
}

/** Says what the model has never seen in training: it will guess. */
function noteNews(
  texts: readonly FittedText[],
  { config, warmUp, output }: { config: RunConfig | undefined; warmUp: WarmUp | undefined; output: Output },
): void {
  if (!config) return;
  const { source, characters, numWords } = config.data;
  const written = texts.map((text) => (warmUp ? `${warmUp.text} ${text.written}` : text.written));
  const most = Math.max(...written.map((text) => text.split(" ").length));
  if (most > numWords)
    output.warn(
      `note: this model was trained on ${numWords === 1 ? "single words" : `${numWords} words at a time`}, and is asked for ${most}`,
    );
  if (source !== "cursive") return;
  const news = [...new Set(written.join(""))].filter((character) => character !== " " && !characters.includes(character));
  if (news.length > 0) output.warn(`note: this model has never seen ${news.join(" ")} in training`);
}

/** What the flags say, else what the run draws its own samples with. */
function settingsOf(flags: SampleFlags, { run, model }: FoundModel): WriteSettings {
  const own = run?.config.samples;
  const topK = flags.topK ?? own?.topK ?? 0;
  return {
    temperature: flags.temperature ?? own?.temperature ?? 1,
    topK: topK > 0 && topK < model.config.vocabSize ? topK : null,
    seed: flags.seed,
    samples: flags.samples,
    maxTokens: Math.min(flags.maxTokens ?? model.config.blockSize, model.config.blockSize),
    cache: flags.cache,
  };
}

function wordList(given: string): string[] {
  const words = given.split(/[,\s]+/).filter((word) => word !== "");
  if (words.length === 0) throw new InvalidArgumentError(`Expected words but found "${given}".`);
  return words;
}

function formatList(given: string): InkFormat[] {
  const formats = given.split(",").map((format) => format.trim().toLowerCase()) as InkFormat[];
  const stranger = formats.find((format) => !inkFormats.includes(format));
  if (stranger !== undefined) throw new InvalidArgumentError(`Expected ${inkFormats.join(", ")} but found "${stranger}".`);
  return [...new Set(formats)];
}
