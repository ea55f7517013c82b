import { join } from "node:path";
import {
  type FittedText,
  fitText,
  type InkDifference,
  inkDifference,
  inkSheet,
  malformedPairs,
  segmentsAfter,
} from "@cursive/cursive-model";
import { type HeldLatent, steeringHook } from "@cursive/sae";
import { nearest, openDevice } from "@cursive/tensor";
import { type Command, InvalidArgumentError, Option } from "commander";
import { Interrupted, RunFailed, UsageError } from "../../errors.ts";
import { svgToPng } from "../../ink/png.ts";
import { writeWhole } from "../../run/files.ts";
import { describeModel, type FoundModel } from "../../run/find_model.ts";
import { listenForInterrupt } from "../../run/interrupt.ts";
import { describeSae, findSae } from "../../sae/load_sae.ts";
import { measureActivity } from "../../sae/measure_activity.ts";
import { rowSite } from "../../sae/sae_source.ts";
import { findSubject, type SubjectChoice } from "../../sae/sae_subject.ts";
import { chooseTarget, type Target } from "../../sample/save.ts";
import { describeReplacements, readTexts } from "../../sample/texts.ts";
import { type WriteSettings, type Writing, writeTexts } from "../../sample/write_texts.ts";
import { temperature, wholeNumber } from "../../terminal/arguments.ts";
import { Output } from "../../terminal/output.ts";
import { table } from "../../terminal/table.ts";

interface SteerFlags extends SubjectChoice {
  readonly sae?: string;
  readonly name?: string;
  readonly hook?: string;
  readonly feature: readonly number[];
  readonly to?: readonly number[];
  readonly scale?: readonly number[];
  readonly ablate?: true;
  readonly sequences: number;
  readonly temperature?: number;
  readonly topK?: number;
  readonly seed: number;
  readonly maxTokens?: number;
  readonly out: string;
  readonly size: number;
  readonly json?: true;
  readonly quiet?: true;
}

/** `sae steer`: has the model write while features are held at values. */
export function addSaeSteerCommand(sae: Command): void {
  sae
    .command("steer")
    .description("Hold a feature at values while the model writes: one sheet, a row a text, beside what it writes untouched.")
    .argument("[text...]", "what to write, - for the lines of standard input (default: the sample texts of the run)")
    .requiredOption("--feature <numbers>", "which feature; several, with commas between, are held together", features)
    .option("--to <values>", "hold it at these activations, with commas between", numbers)
    .option("--scale <factors>", "hold it at these multiples of its highest activation (default: 0,1,2)", numbers)
    .option("--ablate", "hold it at 0")
    .option("--sae <sae>", "a file, or a run that trained it: its name, number or folder (default: the last one)")
    .option("--name <name>", "which one of a run that trained several")
    .option("--runs <folder>", "where run folders are; those of autoencoders are in saes/ there", "runs")
    .option("--run <run>", "a run whose model writes (default: the checkpoint that the autoencoder was trained on)")
    .addOption(new Option("--which <checkpoint>", "that run's best or last checkpoint").choices(["best", "last"]))
    .option("--checkpoint <file>", "a model's checkpoint instead")
    .option("--data <file>", "words that tell the highest activation: a word bank (zip or JSON; default: those that it was trained with)")
    .option("--hook <name>", "another hook than it was trained on")
    .option("--sequences <n>", "held-out sequences to find the highest activation on", wholeNumber(1, 1_000_000), 64)
    .option("--temperature <t>", "below 1 tidier, above 1 wilder, 0 always the likeliest (default: the run's)", temperature)
    .option("--top-k <k>", "choose among so many of the likeliest tokens, 0 for all (default: the run's)", wholeNumber(0, 65_536))
    .option("--seed <n>", "names the random draws, the same for all columns", wholeNumber(0, 0xffff_ffff), 0)
    .option("--max-tokens <n>", "most tokens of ink a text (default: as many as the model takes)", wholeNumber(2, 65_536))
    .option("--out <path>", "a folder, or one file that ends in .svg, .png or .json", "ink")
    .option("--size <pixels>", "size of pictures: pixels a canvas height", wholeNumber(10, 5000), 300)
    .option("--json", "tokens, malformed pairs and differences as JSON on standard output")
    .option("--quiet", "nothing but warnings and errors")
    .addHelpText("after", examples)
    .action(async (texts: string[], flags: SteerFlags) => steer(texts, flags, new Output(flags)));
}

const examples = `
At every place x becomes x + (v - f) W_dec: the feature f is held at v, all others and what the autoencoder misses stay. On the sheet all ink
that comes after the first token that differs is orange.

Examples:
  pnpm cli sae steer hello --feature 18                    without it, at its highest activation, and at twice that
  pnpm cli sae steer hello wave --feature 18 --scale 0,0.5,1,2,4
  pnpm cli sae steer hello --feature 18 --ablate --to 5,30
  pnpm cli sae steer hello --feature 18,40 --ablate --sae 3 --name k-8
  pnpm --silent cli sae steer hello --feature 18 --json | jq '.columns[].writings[].difference'`;

/** Sequences that are read at once. */
const PIECE = 8;

/** One column of the sheet. */
interface Column {
  readonly label: string;
  readonly held: readonly HeldLatent[];
}

async function steer(given: readonly string[], flags: SteerFlags, output: Output): Promise<void> {
  const asked = await readTexts(given);
  using _device = await openDevice();
  const loaded = await findSae({ runs: flags.runs, sae: flags.sae, name: flags.name });
  const { dIn, dSae } = loaded.config;
  const stranger = flags.feature.find((latent) => latent >= dSae);
  if (stranger !== undefined)
    throw new UsageError(`Expected a feature from 0 to ${dSae - 1} but found ${stranger}: ${near(stranger, dSae)}`);
  const subject = await findSubject(loaded, flags);
  const { found } = subject;
  const { name: site, width } = rowSite(subject, flags.hook ?? loaded.origin.hook);
  if (width !== dIn) throw new UsageError(`Expected activations ${dIn} wide but found ${site}, ${width} wide`);
  const texts = fitTexts(asked.length > 0 ? asked : (found.run?.config.samples.texts ?? []), { found, output });
  const target = await chooseTarget(flags.out, undefined);
  const settings = settingsOf(flags, found);
  output.say(`sae      ${describeSae(loaded)}`);
  output.say(`model    ${describeModel(found)}`);
  const interruption = listenForInterrupt((text) => output.warn(text));
  try {
    const { signal } = interruption;
    const onSequences = (done: number): void => output.progress(`reading activations ${done}/${flags.sequences} sequences`);
    const read = { split: "test", batches: Math.ceil(flags.sequences / PIECE), batchSize: PIECE } as const;
    const activity = await measureActivity(loaded.sae, { subject, site, ...read, signal, onSequences });
    output.endProgress();
    const ranges = flags.feature.map((latent) => ({
      ...{ latent, density: activity.density[latent]!, highest: activity.maxActivation[latent]! },
    }));
    for (const { latent, density, highest } of ranges)
      output.say(
        `feature  ${latent} fires on ${(100 * density).toPrecision(3)}% of ${activity.rows.toLocaleString("en")} tokens of ink, at most ${highest.toPrecision(4)}`,
      );
    const columns = columnsOf(flags, ranges);
    const written: { readonly column: Column; readonly writings: readonly Writing[] }[] = [];
    for (const [i, column] of columns.entries()) {
      const { writings, interrupted } = await writeSteered(texts, {
        ...{ settings, found, site, signal, column },
        hook: () => steeringHook(loaded.sae, { dSae, held: column.held }),
        onProgress: ({ finished, asked: all, tokens }) =>
          output.progress(`writing ${column.label}, ${i + 1} of ${columns.length}: ${finished}/${all} texts, ${tokens} tokens`),
      });
      if (interrupted) throw new Interrupted("interrupted: nothing was saved", { exitCode: interrupted.exitCode });
      written.push({ column, writings });
    }
    output.endProgress();
    const result = {
      ...{ sae: loaded.path, origin: loaded.origin, hook: site },
      model: { run: found.run?.name ?? null, checkpoint: found.path, step: found.step },
      ...{ settings, features: ranges, columns: compared(written) },
    };
    const files = await save(result, { written, target, size: flags.size });
    if (output.json || !output.quiet) output.result({ ...result, files }, describe(result.columns, files));
  } finally {
    output.endProgress();
    interruption.stop();
  }
}

/** Writes a column. @throws UsageError for values so large that nothing can be computed with them. */
async function writeSteered(
  texts: readonly FittedText[],
  { settings, found, site, signal, column, hook, onProgress }: SteeredOptions,
): Promise<Awaited<ReturnType<typeof writeTexts>>> {
  try {
    using _hooks = found.model.hooks({ fwdHooks: [[site, hook()]] });
    return await writeTexts(texts, { ...settings, found, warmUp: undefined, signal, onProgress });
  } catch (error) {
    // what holding refuses, and logits that are no numbers
    if (column.held.length === 0 || !(error instanceof RangeError || error instanceof RunFailed)) throw error;
    throw new UsageError(`Expected values that the model can compute with but found it ${column.label}, beyond its numbers`);
  }
}

interface SteeredOptions extends Pick<Parameters<typeof writeTexts>[1], "found" | "signal" | "onProgress"> {
  readonly settings: WriteSettings;
  /** TransformerLens's name. */
  readonly site: string;
  readonly column: Column;
  readonly hook: () => ReturnType<typeof steeringHook>;
}

/** The untouched column, and those that are asked for. @throws UsageError for multiples of a feature that never fires. */
function columnsOf({ to = [], scale, ablate, feature }: SteerFlags, ranges: readonly { latent: number; highest: number }[]): Column[] {
  const factors = scale ?? (to.length === 0 && !ablate ? [0, 1, 2] : []);
  const silent = ranges.find(({ highest }) => highest === 0);
  if (silent && factors.some((factor) => factor !== 0))
    throw new UsageError(`Expected a feature that fires but ${silent.latent} never does on these words: give --to instead of a multiple`);
  const all = (value: number): HeldLatent[] => feature.map((latent) => ({ latent, value }));
  const ablated = { label: "held at 0", held: all(0) };
  const wantsZero = ablate && !factors.includes(0) && !to.includes(0);
  return [
    { label: "untouched", held: [] },
    ...(wantsZero ? [ablated] : []),
    ...factors.map((factor) => {
      const held = ranges.map(({ latent, highest }) => ({ latent, value: factor * highest }));
      return factor === 0 ? ablated : { label: `${factor} × highest = ${held.map(({ value }) => short(value)).join(", ")}`, held };
    }),
    ...to.filter((value) => value !== 0 || !factors.includes(0)).map((value) => ({ label: `held at ${short(value)}`, held: all(value) })),
  ];
}

interface ComparedWriting extends Pick<Writing, "text" | "written" | "ended"> {
  readonly tokens: readonly number[];
  readonly malformed: number;
  /** From the untouched one. */
  readonly difference: InkDifference;
}

interface ComparedColumn extends Column {
  readonly writings: readonly ComparedWriting[];
}

function compared(written: readonly { readonly column: Column; readonly writings: readonly Writing[] }[]): ComparedColumn[] {
  const baseline = written[0]!.writings;
  return written.map(({ column, writings }) => ({
    ...column,
    writings: writings.map((writing, i) => ({
      ...{ text: writing.text, written: writing.written, ended: writing.ended, tokens: [...writing.tokens] },
      malformed: malformedPairs(writing.segments),
      difference: inkDifference(writing, baseline[i]!),
    })),
  }));
}

/** Writes the sheet, or everything as JSON. Files of the same name are replaced. */
async function save(
  result: { readonly columns: readonly ComparedColumn[]; readonly features: readonly { latent: number }[] } & Readonly<
    Record<string, unknown>
  >,
  {
    written,
    target,
    size,
  }: { readonly written: readonly { readonly writings: readonly Writing[] }[]; readonly target: Target; readonly size: number },
): Promise<string[]> {
  const stem = join(target.path, `steered-${result.features.map(({ latent }) => latent).join("-")}`);
  const svg = sheet(result.columns, { written, size, about: JSON.stringify({ model: result.model, settings: result.settings }) });
  const files: string[] = [];
  for (const format of target.formats) {
    const path = target.isFile ? target.path : `${stem}.${format}`;
    await writeWhole(path, format === "json" ? `${JSON.stringify(result)}\n` : format === "svg" ? svg : await svgToPng(svg));
    files.push(path);
  }
  return files;
}

/** A row a text, untouched ink first. */
function sheet(
  columns: readonly ComparedColumn[],
  about: { readonly written: readonly { readonly writings: readonly Writing[] }[]; readonly size: number; readonly about: string },
): string {
  const changed = new Set(
    columns.flatMap(({ writings }, c) =>
      writings.flatMap(({ difference }, i) => segmentsAfter(about.written[c]!.writings[i]!.segments, difference.sameTokens)),
    ),
  );
  const items = columns[0]!.writings.flatMap((_, i) =>
    columns.map(({ label, writings }, c) => {
      const { text, malformed, ended } = writings[i]!;
      const notes = [...(malformed > 0 ? [`${malformed} malformed`] : []), ...(ended ? [] : ["never ended"])];
      return {
        ink: about.written[c]!.writings[i]!.segments,
        caption: `${text}: ${label}${notes.length > 0 ? ` (${notes.join(", ")})` : ""}`,
      };
    }),
  );
  return inkSheet(items, {
    ...{ columns: columns.length, scale: about.size, background: "white", margin: 0.08, penUp: true },
    colour: (segment) => (changed.has(segment) ? "#c25400" : undefined),
    title: `Steered: ${[...new Set(columns[0]!.writings.map(({ text }) => text))].join(", ")}`,
    description: about.about,
  });
}

function describe(columns: readonly ComparedColumn[], files: readonly string[]): string {
  const rows = columns.flatMap(({ label, writings }, c) =>
    writings.map(({ text, tokens, malformed, ended, difference: { sameTokens, distance, length } }, i) => [
      ...[`"${text}"`, label, String(tokens.length) + (ended ? "" : ", never ended"), String(malformed)],
      ...(c === 0
        ? ["", "", ""]
        : [
            sameTokens === Math.max(tokens.length, columns[0]!.writings[i]!.tokens.length) ? "none" : `from token ${sameTokens}`,
            distance === null ? "" : distance.toFixed(3),
            length === null ? "" : length.toFixed(2),
          ]),
    ]),
  );
  const head = ["text", "feature", "tokens", "malformed", "changes", "distance", "length"];
  return `\n${table([head, ...rows])}\n\nsheet    ${files.join("  ")}`;
}

/** The texts in the model's characters, with a warning for each that had others. @throws UsageError for texts that it cannot write. */
function fitTexts(texts: readonly string[], { found, output }: { found: FoundModel; output: Output }): FittedText[] {
  if (texts.length === 0) throw new UsageError('Expected a text to write but found none, such as: pnpm cli sae steer "hello" --feature 18');
  const fitted = texts.map((text) => fitText(text, found.tokenizer));
  for (const line of fitted.flatMap(describeReplacements)) output.warn(`warning: ${line}`);
  const empty = fitted.find(({ written }) => written === "");
  if (empty) throw new UsageError(`Expected a text with characters of the model but found none in ${JSON.stringify(empty.text)}`);
  const room = found.model.config.contextBlockSize;
  const long = fitted.filter(({ written }) => [...written].length > room).map(({ written }) => `"${written}" (${[...written].length})`);
  if (long.length > 0)
    throw new UsageError(`Expected texts of at most ${room} characters, this model's limit, but found ${long.join(", ")}`);
  return fitted;
}

/** What the flags say, else what the run draws its own samples with. */
function settingsOf(flags: SteerFlags, { run, model }: FoundModel): WriteSettings {
  const own = run?.config.samples;
  const topK = flags.topK ?? own?.topK ?? 0;
  const { vocabSize, blockSize } = model.config;
  return {
    temperature: flags.temperature ?? own?.temperature ?? 1,
    topK: topK > 0 && topK < vocabSize ? topK : null,
    ...{ seed: flags.seed, samples: 1, cache: false },
    maxTokens: Math.min(flags.maxTokens ?? blockSize, blockSize),
  };
}

function near(latent: number, dSae: number): string {
  const names = Array.from({ length: dSae }, (_, i) => String(i));
  return `the nearest are ${nearest(String(latent), names).join(", ")}`;
}

function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}

function features(given: string): number[] {
  const found = given.split(",").map((part) => part.trim());
  const wrong = found.find((part) => !/^\d{1,8}$/.test(part));
  if (wrong !== undefined) throw new InvalidArgumentError(`Expected whole numbers with commas between but found "${wrong}".`);
  return [...new Set(found.map(Number))];
}

function numbers(given: string): number[] {
  const found = given.split(",").map((part) => part.trim());
  const wrong = found.find((part) => part === "" || !Number.isFinite(Number(part)));
  if (wrong !== undefined) throw new InvalidArgumentError(`Expected numbers with commas between but found "${wrong}".`);
  return [...new Set(found.map(Number))];
}
