import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type Split, tokenFilter } from "@cursive/cursive-model";
import { NoRowsError } from "@cursive/sae";
import { type BuildPhase, buildFeaturePages, type FeatureOverview, type FeaturePages, tokenTable } from "@cursive/sae/dashboard";
import { openDevice } from "@cursive/tensor";
import { type Command, InvalidArgumentError, Option } from "commander";
import { UsageError } from "../../errors.ts";
import { describeFolder, describeOverview, describeTokens } from "../../features/describe_features.ts";
import { distinctSequences } from "../../features/distinct_sequences.ts";
import { type ExportFormat, exportedFolder, exportFeatures, type FeatureFormat, featureFormats } from "../../features/feature_export.ts";
import { FeatureFolder, type FeatureFolderSize } from "../../features/feature_folder.ts";
import { featurePage } from "../../features/page_bundle.ts";
import { describeModel } from "../../run/find_model.ts";
import { listenForInterrupt } from "../../run/interrupt.ts";
import { describeSae, findSae, type LoadedSae, nameSae } from "../../sae/load_sae.ts";
import { describeWords, readWords, warnOfTrainedWords } from "../../sae/read_words.ts";
import type { TokenKind } from "../../sae/sae_config.ts";
import { tokenKinds } from "../../sae/sae_schema.ts";
import { chosen, rowSite } from "../../sae/sae_source.ts";
import { findSubject, type SubjectChoice } from "../../sae/sae_subject.ts";
import { wholeNumber } from "../../terminal/arguments.ts";
import { Output } from "../../terminal/output.ts";
import { clock } from "../../terminal/progress.ts";

interface FeaturesFlags extends SubjectChoice {
  readonly sae?: string;
  readonly name?: string;
  readonly hook?: string;
  readonly split: Split;
  readonly sequences: number;
  readonly tokens: readonly TokenKind[];
  readonly features?: readonly number[];
  readonly table?: readonly number[];
  readonly top: number;
  readonly ablations: number;
  readonly ablation: boolean;
  readonly seed: number;
  readonly format: FeatureFormat;
  readonly around?: number;
  readonly modelName?: string;
  readonly setName?: string;
  readonly creator?: string;
  readonly out?: string;
  readonly index?: true;
  readonly json?: true;
  readonly quiet?: true;
}

/** What is asked for unless flags say otherwise. */
const defaults = {
  ...{ runs: "runs", split: "test", sequences: 256, tokens: ["theta", "radius"] },
  ...{ top: 20, ablations: 16, ablation: true, seed: 0, format: "pages" },
} as const satisfies Partial<FeaturesFlags>;

/** `sae features`: pages that show what every feature is about. */
export function addSaeFeaturesCommand(sae: Command): void {
  sae
    .command("features")
    .description(
      "Look at every feature on held-out ink and write pages that open from disk, or files for Neuronpedia and SAEDashboard; or print a feature's strongest tokens.",
    )
    .argument("[sae]", "a file, or a run that trained it: its name, number or folder (default: the last one)")
    .option("--sae <sae>", "the same")
    .option("--name <name>", "which one of a run that trained several")
    .option("--runs <folder>", "where run folders are; those of autoencoders are in saes/ there", defaults.runs)
    .option("--run <run>", "a run whose model reads (default: the checkpoint that the autoencoder was trained on)")
    .addOption(new Option("--which <checkpoint>", "that run's best or last checkpoint").choices(["best", "last"]))
    .option("--checkpoint <file>", "a model's checkpoint instead")
    .option("--data <file>", "words to read: a word bank (zip or JSON; default: those that it was trained with)")
    .option("--hook <name>", "another hook than it was trained on")
    .addOption(new Option("--split <split>", "held-out words, or those trained on").choices(["test", "train"]).default(defaults.split))
    .option("--sequences <n>", "how many to read", wholeNumber(1, 1_000_000), defaults.sequences)
    .addOption(
      new Option("--tokens <kinds>", `kinds of tokens whose activations count, out of ${tokenKinds.join(", ")}`)
        .argParser(kinds)
        .default(defaults.tokens, defaults.tokens.join(",")),
    )
    .option("--features <numbers>", "pages of these only, with commas between, 10-19 for a range", numberList)
    .option("--table <numbers>", "print the strongest tokens of these and write nothing", numberList)
    .option("--top <n>", "strongest examples of each feature", wholeNumber(1, 1000), defaults.top)
    .option("--ablations <n>", "sequences that each feature is ablated in, at most", wholeNumber(1, 1_000_000), defaults.ablations)
    .option("--no-ablation", "measure no losses, which takes most of the time")
    .option("--seed <n>", "names the random choices of examples and sequences", wholeNumber(0, 0xffff_ffff), defaults.seed)
    .addOption(
      new Option(
        "--format <format>",
        "pages; neuronpedia: the tree that an instance imports, gzipped; neuronpedia-batches: SAEDashboard's batch-N.json; saedashboard: SaeVisData's JSON",
      )
        .choices([...featureFormats])
        .default(defaults.format),
    )
    .option(
      "--around <n>",
      "tokens before and after an example's place, in other formats than pages (default: 16)",
      wholeNumber(0, 1_000_000),
    )
    .option("--model-name <name>", "the model's name there (default: cursive-transformer)", nameOf(/^[A-Za-z0-9][\w.-]*$/))
    .option("--set-name <name>", "the autoencoder's set there (default: its hook and width, such as mlp-out-512)", nameOf(/^[\w-]+$/))
    .option("--creator <name>", "who made it, there; an instance of Neuronpedia wants a user's id (default: cursive)")
    .option(
      "--out <folder>",
      "where it goes (default: features, or the format's name, beside the autoencoder); its former self is replaced",
    )
    .option("--index", "keep the activation index, in delphi's layout, in index/ of the folder")
    .option("--json", "the overview and the folder's size, or the tables, as JSON on standard output")
    .option("--quiet", "nothing but warnings and errors")
    .addHelpText("after", examples)
    .action(async (asked: string | undefined, flags: FeaturesFlags) => run(asked, flags, new Output(flags)));
}

const examples = `
Each feature gets a page: its activations, what it is tuned to with a label, its effect on logits and losses, which letters drive it, features
like it, and examples drawn on ink. Open index.html of the folder; it needs no server and no network.

Examples:
  pnpm cli sae features                          all features of the last autoencoder, on 256 sequences
  pnpm cli sae features 3 --name k-8 --out pages
  pnpm cli sae features --features 18,40-49 --sequences 1000
  pnpm cli sae features --no-ablation            sooner done
  pnpm cli sae features --table 18               the notebook's token table of feature 18
  pnpm cli sae features --format neuronpedia     what an instance of Neuronpedia imports
  pnpm --silent cli sae features --json | jq '.overview.features[] | select(.label) | [.index, .label]'`;

/**
 * Writes the pages of the autoencoder that a run has just trained, into the run's folder, as `sae features` does by itself. That they cannot be
 * written takes nothing from the run, so it is only said.
 *
 * @throws Interrupted when stopped; the run is whole without its pages.
 */
export async function addFeaturePages(run: string, output: Output): Promise<void> {
  try {
    const onWritten = (written: WrittenPages): void => {
      const { path, index, size, seconds } = written;
      output.event("features", { path, index, size, seconds });
      output.say(describeWritten(written));
    };
    await lookAtFeatures(run, { flags: defaults, output, onWritten });
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    output.warn(`note: there are no pages of features: ${error.message}`);
  }
}

async function run(argument: string | undefined, flags: FeaturesFlags, output: Output): Promise<void> {
  if (argument !== undefined && flags.sae !== undefined) throw new UsageError("Expected one autoencoder but found two, one after --sae");
  if (flags.table && flags.out !== undefined) throw new UsageError("Expected --table or --out but found both: a table writes nothing");
  if (flags.table && flags.features) throw new UsageError("Expected --table or --features but found both");
  if (flags.table && flags.format !== "pages") throw new UsageError("Expected --table or --format but found both");
  if (flags.index && flags.format !== "pages") throw new UsageError("Expected --index with pages but found it with another --format");
  const onWritten = (written: WrittenPages): void => output.result(written, describeWritten(written));
  await lookAtFeatures(argument ?? flags.sae, { flags, output, onWritten });
}

/** A folder of pages that was written. */
interface WrittenPages {
  readonly path: string;
  readonly index: string;
  readonly size: FeatureFolderSize;
  readonly seconds: number;
  readonly overview: FeatureOverview;
}

function describeWritten({ path, index, size, seconds, overview }: WrittenPages): string {
  return `${describeOverview(overview)}\n${describeFolder(path, size)}\ndone     in ${clock(seconds)}; open ${pathToFileURL(index).href}`;
}

interface LookOptions {
  readonly flags: FeaturesFlags;
  readonly output: Output;
  readonly onWritten: (written: WrittenPages) => void;
}

async function lookAtFeatures(sae: string | undefined, { flags, output, onWritten }: LookOptions): Promise<void> {
  using device = await openDevice();
  const loaded = await findSae({ runs: flags.runs, sae, name: flags.name });
  const outside = [...(flags.features ?? []), ...(flags.table ?? [])].find((feature) => feature >= loaded.config.dSae);
  if (outside !== undefined) throw new UsageError(`Expected features below ${loaded.config.dSae} but found ${outside} in ${loaded.path}`);
  output.say(`sae      ${describeSae(loaded)}`);
  const { build, layers } = await prepare(loaded, { flags, output });
  output.say(`adapter  ${device.name}${device.isSoftware ? " (software)" : ""}`);
  const interruption = listenForInterrupt((text) => output.warn(text.replace("saving", "nothing is kept")));
  try {
    if (flags.table) return await printTables(flags.table, { build, output, signal: interruption.signal });
    const { format } = flags;
    if (format !== "pages") return await writeExport(loaded, { flags, format, build, layers, output, signal: interruption.signal });
    onWritten(await writePages(loaded, { flags, build, output, signal: interruption.signal }));
  } finally {
    output.endProgress();
    interruption.stop();
  }
}

/** Looks at features; what a command needs besides. */
type Build = (
  options: Pick<Parameters<typeof buildFeaturePages>[1], "features" | "ablations" | "attributions" | "files" | "signal">,
) => Promise<FeaturePages>;

/** Finds model and words, and says how to look at features in them. */
async function prepare(
  loaded: LoadedSae,
  { flags, output }: { readonly flags: FeaturesFlags; readonly output: Output },
): Promise<{ build: Build /** Blocks of the model. */; layers: number }> {
  const subject = await findSubject(loaded, flags);
  const { found, config, data } = subject;
  const { name: hook, width } = rowSite(subject, flags.hook ?? loaded.origin.hook);
  if (width !== loaded.config.dIn) throw new UsageError(`Expected activations ${loaded.config.dIn} wide but found ${hook}, ${width} wide`);
  const words = readWords(loaded, { subject, split: flags.split });
  const kind = describeWords(words);
  output.say(`model    ${describeModel(found)}`);
  output.say(`data     ${config.data.source}: ${flags.sequences} sequences of ${kind}, tokens ${flags.tokens.join(", ")}`);
  warnOfTrainedWords(words, { loaded, output });
  const progress = new Progress(output, flags.sequences);
  const none = `Expected tokens of the kinds ${flags.tokens.join(",")} but found none in the words (--tokens)`;
  const build: Build = (options) =>
    buildFeaturePages(loaded.sae, {
      ...{ model: found.model, hook, tokenizer: found.tokenizer, seed: flags.seed, examples: { top: flags.top } },
      batches: distinctSequences(data.dataset, { split: flags.split, count: flags.sequences }),
      keep: tokenFilter(found.tokenizer, chosen(flags.tokens)),
      about: { title: nameSae(loaded), words: `${config.data.source}, ${kind}`, createdAt: new Date().toISOString() },
      onProgress: (phase, { done, total }) => progress.at(phase, { done, total }),
      ...options,
    }).catch((error: unknown) => {
      throw error instanceof NoRowsError ? new UsageError(none) : error;
    });
  return { build, layers: found.model.config.nLayer };
}

async function printTables(
  features: readonly number[],
  { build, output, signal }: { readonly build: Build; readonly output: Output; readonly signal: AbortSignal },
): Promise<void> {
  const pages = await build({ features, ablations: 0, attributions: 0, signal });
  const { tokenizer } = await pages.overview();
  const tables = await Promise.all(
    features.map(async (feature) => ({ feature, rows: await tokenTable(await pages.page(feature), { source: pages, tokenizer }) })),
  );
  output.endProgress();
  output.result({ tables }, tables.map(({ feature, rows }) => describeTokens(feature, rows)).join("\n\n"));
}

async function writePages(
  loaded: LoadedSae,
  about: {
    readonly flags: FeaturesFlags;
    readonly build: Build;
    readonly output: Output;
    readonly signal: AbortSignal;
  },
): Promise<WrittenPages> {
  const { flags, build, output, signal } = about;
  const began = performance.now();
  await using folder = await FeatureFolder.create(flags.out ?? defaultFolder(loaded));
  const html = await featurePage();
  const pages = await build({
    features: flags.features,
    ablations: flags.ablation ? flags.ablations : 0,
    files: folder.indexFiles({ isKept: flags.index ?? false }),
    signal,
  });
  const overview = await pages.overview();
  const total = overview.features.length;
  await folder.write(pages, { html, signal, onPages: (done) => output.progress(`writing pages ${done}/${total}`) });
  const size = await folder.finish();
  output.endProgress();
  const index = join(folder.path, "index.html");
  return { path: folder.path, index, size, seconds: (performance.now() - began) / 1000, overview };
}

/** Writes the features for another program, which asks for no losses and letters. */
async function writeExport(
  loaded: LoadedSae,
  about: {
    readonly flags: FeaturesFlags;
    readonly format: ExportFormat;
    readonly build: Build;
    readonly layers: number;
    readonly output: Output;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { flags, format, build, layers, output, signal } = about;
  const began = performance.now();
  await using folder = await FeatureFolder.create(flags.out ?? defaultFolder(loaded, format), exportedFolder(format));
  const files = folder.indexFiles({ isKept: false });
  const pages = await build({ features: flags.features, ablations: 0, attributions: 0, files, signal });
  const decoder = (await loaded.sae.stateDict()).get("W_dec")!;
  const { around, modelName: model, setName: set, creator } = flags;
  const onFeatures = (done: number, total: number): void => output.progress(`writing features ${done}/${total}`);
  const options = { decoder, modelLayers: layers, around, model, set, creator };
  for await (const [name, content] of exportFeatures(pages, { ...options, format, signal, onFeatures })) await folder.put(name, content);
  const size = await folder.finish();
  const overview = await pages.overview();
  output.endProgress();
  const seconds = (performance.now() - began) / 1000;
  const text = `${describeOverview(overview)}\n${describeFolder(folder.path, size)}\ndone     in ${clock(seconds)}`;
  output.result({ path: folder.path, format, size, seconds, overview }, text);
}

/**
 * `features`, or a format's name, in the folder of the run, with the name where there are several; beside a file that no run holds, in the
 * working folder.
 */
function defaultFolder(loaded: LoadedSae, folder = "features"): string {
  const [run, name] = nameSae(loaded).split(":");
  if (run !== loaded.origin.trainedBy) return resolve(folder);
  return join(dirname(loaded.path), name === undefined ? folder : `${folder}-${name}`);
}

/** Tells how far each part of the work is, and what is left of it. */
class Progress {
  readonly #output: Output;
  readonly #sequences: number;
  #phase: BuildPhase | undefined;
  #began = { time: 0, done: 0 };

  constructor(output: Output, sequences: number) {
    this.#output = output;
    this.#sequences = sequences;
  }

  at(phase: BuildPhase, { done, total }: { readonly done: number; readonly total: number | null }): void {
    const all = total ?? this.#sequences;
    const now = performance.now();
    if (phase !== this.#phase) {
      this.#phase = phase;
      this.#began = { time: now, done };
    }
    const { time, done: first } = this.#began;
    const left = done > first ? `, ${clock(((now - time) / (done - first) / 1000) * (all - done))} left` : "";
    this.#output.progress(`${phases[phase](done, all)}${left}`);
  }
}

const phases: Readonly<Record<BuildPhase, (done: number, total: number) => string>> = {
  reading: (done, total) => `reading ${done}/${total} sequences`,
  measuring: (done, total) => `measuring the loss with reconstructions ${done}/${total} sequences`,
  tuning: (done, total) => `looking at what features are tuned to ${done}/${total}`,
  ablating: (done, total) => `ablating features ${done}/${total} times`,
  attributing: (done, total) => `attributing features to letters ${done}/${total} sequences`,
};

/** `18,40-49` */
function numberList(given: string): number[] {
  return given.split(",").flatMap((part) => {
    const found = /^\s*(\d{1,7})(?:-(\d{1,7}))?\s*$/.exec(part);
    const [first, last] = [Number(found?.[1]), Number(found?.[2] ?? found?.[1])];
    if (!found || last < first) throw new InvalidArgumentError(`Expected numbers of features such as 18 or 18,40-49 but found "${given}".`);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

/** A name that can be part of a path and of an address. */
function nameOf(pattern: RegExp): (given: string) => string {
  return (given) => {
    if (!pattern.test(given)) throw new InvalidArgumentError(`Expected a name of letters, digits and dashes but found "${given}".`);
    return given;
  };
}

function kinds(given: string): TokenKind[] {
  const found = given.split(",").map((kind) => kind.trim());
  const unknown = found.find((kind) => !(tokenKinds as readonly string[]).includes(kind));
  if (unknown !== undefined) throw new InvalidArgumentError(`Expected kinds out of ${tokenKinds.join(", ")} but found "${unknown}".`);
  return found as TokenKind[];
}
