import { join } from "node:path";
import {
  ablateHeads,
  attentionSvg,
  type FittedText,
  fitText,
  type HeadAblation,
  type HeadAblations,
  type HeadAttention,
  headName,
  type LossRise,
  measureAttention,
  type Split,
  type TextAttention,
} from "@cursive/cursive-model";
import { openDevice } from "@cursive/tensor";
import { type Command, Option } from "commander";
import { RunFailed, UsageError } from "../errors.ts";
import { svgToPng } from "../ink/png.ts";
import { writeWhole } from "../run/files.ts";
import { describeModel, type FoundModel, findModel } from "../run/find_model.ts";
import { listenForInterrupt } from "../run/interrupt.ts";
import { type ModelDataChoice, openModelWithData } from "../run/model_data.ts";
import { chooseTarget, fileStems, type InkFormat, type Target } from "../sample/save.ts";
import { describeReplacements, readTexts } from "../sample/texts.ts";
import { writeTexts } from "../sample/write_texts.ts";
import { temperature, wholeNumber } from "../terminal/arguments.ts";
import { Output } from "../terminal/output.ts";
import { table } from "../terminal/table.ts";

interface AttentionFlags extends ModelDataChoice {
  readonly file?: string;
  readonly words?: number;
  readonly split: Split;
  readonly temperature?: number;
  readonly seed: number;
  readonly ablation: boolean;
  readonly sequences: number;
  readonly selfMaps?: true;
  readonly out: string;
  readonly json?: true;
  readonly quiet?: true;
}

/** Ink that the model is to read, of a text. */
interface Ink {
  readonly text: string;
  readonly tokens: Int32Array;
}

/** `attention`: what each head of a model looks at, and what it is worth. */
export function addAttentionCommand(program: Command): void {
  program
    .command("attention")
    .description("Show where each head of a model looks, in numbers and as a picture, and what the loss is without it.")
    .argument("[text...]", "what the model writes and is watched at (default: the sample texts of the run)")
    .option("--file <file>", "a file of texts, one a line; - for standard input")
    .option("--words <n>", "instead of the model's own ink, so many examples of the data", wholeNumber(1, 1000))
    .addOption(
      new Option("--split <split>", "words held out or trained on, for --words and ablation").choices(["test", "train"]).default("test"),
    )
    .option("--run <run>", "the run whose model it is: a name, a number, a folder, or last (default: last)")
    .addOption(new Option("--which <checkpoint>", "its best or its last checkpoint (default: best)").choices(["best", "last"]))
    .option("--runs <folder>", "where run folders are", "runs")
    .option("--checkpoint <file>", "a checkpoint's file instead of a run, such as best.safetensors")
    .option("--data <bank>", "a word bank for --words and ablation (default: the run's words)")
    .option("--temperature <t>", "of the model's ink: below 1 tidier, 0 always the likeliest (default: the run's)", temperature)
    .option("--seed <n>", "names the random draws: the same ink for the same seed", wholeNumber(0, 0xffff_ffff), 0)
    .option("--no-ablation", "leave out what the loss is without each head, which takes most of the time")
    .option("--sequences <n>", "examples to measure that on", wholeNumber(1, 1000), 32)
    .option("--self-maps", "put the maps of self-attention into the JSON too: tokens × tokens a head")
    .option("--out <path>", "a folder, or one file that ends in .svg, .png or .json", "attention")
    .option("--json", "figures and maps as JSON on standard output")
    .option("--quiet", "nothing but warnings and errors")
    .addHelpText("after", examples)
    .action(async (texts: string[], flags: AttentionFlags) => attention(texts, flags));
}

const examples = `
Heads are named as their hooks are: L1H2 is blocks.1, head 2, both counted from 0.

Examples:
  pnpm cli attention hello                        the last run's model writes hello; attention/hello.svg and .png
  pnpm cli attention hello --no-ablation --out hello.png
  pnpm cli attention --words 20 --run 7           figures over 20 held-out words, and a picture of each
  pnpm cli attention hello --json | jq '.heads[] | select(.attention == "cross_attn") | .diagonality'`;

async function attention(given: readonly string[], flags: AttentionFlags): Promise<void> {
  const output = new Output(flags);
  if (flags.words !== undefined && (given.length > 0 || flags.file !== undefined))
    throw new UsageError("Expected either texts or --words but found both");
  const asked = await readTexts(given, flags);
  using device = await openDevice();
  const subject = flags.ablation || flags.words !== undefined ? await openModelWithData(flags) : undefined;
  const found = subject?.found ?? (await findModel(flags));
  const { model, tokenizer } = found;
  const texts = flags.words === undefined ? fitTexts(asked, { found, output }) : [];
  const target = await chooseTarget(flags.out, undefined);
  const inks = flags.words ?? texts.length;
  if (target.isFile && target.formats[0] !== "json" && inks > 1)
    throw new UsageError(`Expected one text for the one picture ${flags.out} but found ${inks}; a folder takes several`);
  output.say(`model    ${describeModel(found)}, on ${device.name}`);

  const interruption = listenForInterrupt(() => output.warn("stopping; once more leaves at once"));
  const { signal } = interruption;
  try {
    const read =
      flags.words === undefined ? await writeInk(texts, { found, flags, signal, output }) : dataInk(subject!.data.dataset, flags);
    const measured: TextAttention[] = [];
    for (const ink of read) {
      signal.throwIfAborted();
      measured.push(await measureAttention(model, { ...ink, tokenizer }));
      output.progress(`reading ${measured.length}/${read.length}`);
    }
    const ablations = flags.ablation
      ? await ablateHeads(model, {
          ...{ dataset: subject!.data.dataset, split: flags.split, sequences: flags.sequences, signal },
          onPass: (done, total) => output.progress(`without each head in turn ${done - 1}/${total - 1}`),
        })
      : null;
    output.endProgress();
    const heads = headFigures(measured, ablations);
    const about = { model: { run: found.run?.name ?? null, checkpoint: found.path, step: found.step }, seed: flags.seed };
    const { heads: _, ...withAll } = ablations ?? { heads: null };
    const result = { ...about, heads, baseline: ablations && withAll, texts: measured.map((text) => textJson(text, flags)) };
    const files = await save(measured, { target, found, json: JSON.stringify(result) });
    if (output.json || !output.quiet) output.result({ ...result, files }, describe(heads, { ablations, files, texts: measured.length }));
  } finally {
    output.endProgress();
    interruption.stop();
  }
}

/** The texts in the model's characters. @throws UsageError for one that it cannot write. */
function fitTexts(asked: readonly string[], { found, output }: { readonly found: FoundModel; readonly output: Output }): FittedText[] {
  const texts = asked.length > 0 ? asked : (found.run?.config.samples.texts ?? []);
  if (texts.length === 0) throw new UsageError('Expected a text to write but found none, such as: pnpm cli attention "hello"');
  const fitted = texts.map((text) => fitText(text, found.tokenizer));
  for (const line of fitted.flatMap(describeReplacements)) output.warn(`warning: ${line}`);
  const room = found.model.config.contextBlockSize;
  const misfit = fitted.find(({ written }) => written === "" || [...written].length > room);
  if (misfit) throw new UsageError(`Expected texts of 1 to ${room} of the model's characters but found ${JSON.stringify(misfit.text)}`);
  return fitted;
}

/** Ink that the model writes itself. */
async function writeInk(
  texts: readonly FittedText[],
  about: { readonly found: FoundModel; readonly flags: AttentionFlags; readonly signal: AbortSignal; readonly output: Output },
): Promise<Ink[]> {
  const { found, flags, signal, output } = about;
  const own = found.run?.config.samples;
  const { vocabSize, blockSize } = found.model.config;
  const topK = own && own.topK > 0 && own.topK < vocabSize ? own.topK : null;
  const { writings, interrupted } = await writeTexts(texts, {
    ...{ found, warmUp: undefined, temperature: flags.temperature ?? own?.temperature ?? 1, topK, seed: flags.seed },
    ...{ samples: 1, maxTokens: blockSize, cache: true, signal },
    onProgress: ({ finished, asked }) => output.progress(`writing ${finished}/${asked}`),
  });
  if (interrupted) throw interrupted;
  return writings.map(({ written, ended, tokens }) => {
    if (tokens.length === 0) throw new RunFailed(`Expected the model to write "${written}" but found no ink`);
    if (!ended) output.warn(`warning: "${written}" did not come to its end within ${tokens.length} tokens`);
    return { text: written, tokens };
  });
}

/** Ink of the data, as the model is trained on it. */
function dataInk(dataset: Awaited<ReturnType<typeof openModelWithData>>["data"]["dataset"], { words, split }: AttentionFlags): Ink[] {
  const { maxLength } = dataset;
  const { tokens, texts, lengths } = dataset.batch({ step: 0, batchSize: words!, split });
  return texts.map((text, row) => {
    const start = row * maxLength;
    return { text, tokens: tokens.slice(start, start + Math.min(lengths[row]!, maxLength - 1)) };
  });
}

/** One head's figures: means over the texts, of those where they can be told; null where of none. */
interface HeadFigures extends Pick<HeadAttention, "attention" | "layer" | "head"> {
  readonly name: string;
  readonly diagonality: number | null;
  readonly entropy: number | null;
  readonly padMass: number | null;
  readonly firstMass: number | null;
  readonly letterMass: number | null;
  readonly ablation: { readonly all: LossRise; readonly real: LossRise } | null;
}

function headFigures(texts: readonly TextAttention[], ablations: HeadAblations | null): HeadFigures[] {
  return texts[0]!.heads.map(({ attention, layer, head }, i) => {
    const mean = (of: (head: HeadAttention) => number | null): number | null => {
      const values = texts.map((text) => of(text.heads[i]!)).filter((value): value is number => value !== null && Number.isFinite(value));
      return values.length === 0 ? null : values.reduce((a, b) => a + b, 0) / values.length;
    };
    const without: HeadAblation | undefined = ablations?.heads[i];
    return {
      ...{ attention, layer, head, name: headName({ layer, head }) },
      diagonality: mean(({ diagonality }) => diagonality),
      entropy: mean(({ entropy }) => entropy),
      padMass: mean(({ padMass }) => padMass),
      firstMass: mean(({ firstMass }) => firstMass),
      letterMass: mean(({ letterMass }) => letterMass),
      ablation: without ? { all: without.all, real: without.real } : null,
    };
  });
}

/** A text with its maps, `[rows][keys]`, to five decimals. */
function textJson({ text, characters, tokens, path, heads }: TextAttention, { selfMaps }: AttentionFlags): object {
  return {
    ...{ text, characters, tokens: [...tokens], path: [...path] },
    heads: heads.map(({ map, ...figures }) => {
      const row = (at: number): number[] => Array.from({ length: map.keys }, (_, key) => round(map.weights[at * map.keys + key]!));
      const isWanted = selfMaps || figures.attention === "cross_attn";
      return { ...figures, ...(isWanted && { map: Array.from({ length: map.rows }, (_, at) => row(at)) }) };
    }),
  };
}

function round(value: number): number {
  return Math.round(value * 1e5) / 1e5;
}

/** Saves a picture of each text, or the JSON of all. @returns The files. */
async function save(
  texts: readonly TextAttention[],
  { target, found, json }: { readonly target: Target; readonly found: FoundModel; readonly json: string },
): Promise<string[]> {
  if (target.formats[0] === "json") {
    await writeWhole(target.path, `${json}\n`);
    return [target.path];
  }
  const files: string[] = [];
  const stems = fileStems(texts.map(({ text }) => text));
  for (const [i, text] of texts.entries()) {
    const svg = attentionSvg(text, { tokenizer: found.tokenizer, note: describeModel(found) });
    for (const format of target.formats) {
      const path = target.isFile ? target.path : join(target.path, `${stems[i]}.${format satisfies InkFormat}`);
      await writeWhole(path, format === "svg" ? svg : await svgToPng(svg, { width: 1080 }));
      files.push(path);
    }
  }
  return files;
}

/** The figures as tables. */
function describe(
  heads: readonly HeadFigures[],
  { ablations, files, texts }: { readonly ablations: HeadAblations | null; readonly files: readonly string[]; readonly texts: number },
): string {
  const rows = (attention: HeadFigures["attention"], cells: (head: HeadFigures) => string[]): string[][] =>
    heads
      .filter((head) => head.attention === attention)
      .map((head) => [
        head.name,
        decimal(head.diagonality),
        decimal(head.entropy),
        ...cells(head),
        ...(head.ablation ? [rise(head.ablation.real)] : []),
      ]);
  const last = ablations ? ["loss without it"] : [];
  const lines = [
    table([
      ["cross-attention", "diagonal", "bits", "on padding %", "on the letter %", ...last],
      ...rows("cross_attn", ({ padMass, letterMass }) => [percent(padMass), percent(letterMass)]),
    ]),
    table([
      ["self-attention", "diagonal", "bits", "on the first token %", ...last],
      ...rows("attn", ({ firstMass }) => [percent(firstMass)]),
    ]),
    `means over ${texts} ${texts === 1 ? "text" : "texts"}`,
  ];
  if (ablations) {
    const { real, sequences, split } = ablations;
    const words = split === "test" ? "held-out words" : "words trained on";
    lines[2] += `; loss in nats a target without padding, on ${sequences} sequences of ${words}, ${real.loss.toFixed(3)} with all heads`;
  }
  const shown = files.length > 6 ? [...files.slice(0, 4), `and ${files.length - 4} more`] : files;
  return `\n${lines.join("\n\n")}\n\n${shown.map((file) => `saved    ${file}`).join("\n")}`;
}

function decimal(value: number | null): string {
  return value === null ? "-" : value.toFixed(2);
}

function percent(share: number | null): string {
  return share === null ? "-" : (100 * share).toFixed(1);
}

function rise({ loss, standardError }: LossRise): string {
  const shown = loss.toFixed(3);
  return `${shown === "-0.000" ? "+0.000" : loss < 0 ? shown : `+${shown}`} ± ${Number.isNaN(standardError) ? "?" : standardError.toFixed(3)}`;
}
