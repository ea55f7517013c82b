import { createHash } from "node:crypto";
import { activations, StrokeTokenizer, tokenFilter } from "@cursive/cursive-model";
import {
  type ActivationStream,
  ArrayStream,
  LiveSites,
  MixingBuffer,
  type ResumableStream,
  type RowSource,
  ShardSource,
  SiteStreams,
  SiteTee,
} from "@cursive/sae";
import type { CompileProgress, HostTensor } from "@cursive/tensor";
import { oneLine, UsageError } from "../errors.ts";
import { describeModel } from "../run/find_model.ts";
import { type ModelWithData, openModelWithData } from "../run/model_data.ts";
import { type ActivationOrigin, activationOrigin } from "./activation_origin.ts";
import type { SaeRunConfig, TokenKind } from "./sae_config.ts";
import { tokenKinds } from "./sae_schema.ts";
import { openCache } from "./shard_files.ts";
import { WantedRows } from "./wanted_rows.ts";

/** A hook that has a vector for each stroke token. */
export interface RowSite {
  /** TransformerLens' name. */
  readonly name: string;
  /** D */
  readonly width: number;
}

/** Activations to train on. */
export interface SaeSource {
  /** Where they are, in the order of the configuration's hooks. Of several the stream has batches by name, of one that one's alone. */
  readonly sites: readonly RowSite[];
  /** Rows of a batch. */
  readonly batchRows: number;
  /** What they are of. */
  readonly origin: ActivationOrigin;
  /** SHA-256 of everything that the activations depend on. */
  readonly hash: string;
  /** For people, a line each. */
  readonly lines: readonly string[];
  /** Opens the stream, at its start. */
  open(): Promise<ActivationStream>;
}

/** Told how long work goes, and asked whether to stop. */
export interface SourceOptions {
  readonly say: (text: string) => void;
  readonly signal: AbortSignal;
}

/** The activations of a model as it reads, at all hooks in one pass. @throws UsageError for a model, words or a hook that are not there. */
export async function liveSource(config: SaeRunConfig, { say, signal }: SourceOptions): Promise<SaeSource> {
  const { source, data } = config;
  const subject = await openModelWithData({ runs: "", checkpoint: source.checkpoint ?? undefined, data: source.data ?? undefined });
  const { model, tokenizer } = subject.found;
  const sites = rowSites(subject, source.hooks);
  checkStorage(config, sites);
  const { dataset } = subject.data;
  const keep = tokenFilter(tokenizer, chosen(data.tokens));
  const onCompile: CompileProgress = (done, total, what) => say(`compiling ${what} of the model ${done}/${total}`);
  const names = sites.map(({ name }) => name);
  const mixedSites = (): ResumableStream[] => {
    const live = new LiveSites(model, { dataset, sites: names, split: data.split, keep, chunk: data.chunk, onCompile });
    const tee = new SiteTee(new WantedRows(live, { place: "the words" }));
    return names.map((name) => mixed(tee.of(name), config));
  };
  const sequenceSites = async (): Promise<ResumableStream[]> => {
    const arrays = await wholeSequences(subject, { config, sites, signal, say, onCompile });
    const options = { groupRows: dataset.maxLength, groupsPerBatch: data.batchSequences!, seed: config.seed };
    return arrays.map((array) => new ArrayStream(array, options));
  };
  const batchRows = data.batchRows ?? data.batchSequences! * dataset.maxLength;
  return {
    sites,
    batchRows,
    origin: activationOrigin(subject, data.split),
    hash: subject.hash,
    lines: [
      `model    ${describeModel(subject.found)}`,
      ...sites.map(({ name, width }) => `hook     ${name}, ${width} wide`),
      `rows     ${describeRows(config, batchRows)}, ${subject.config.data.source}, ${data.split === "train" ? "words trained on" : "held-out words"}`,
    ],
    open: async () => {
      const streams = data.batchSequences === null ? mixedSites() : await sequenceSites();
      return streams.length === 1 ? streams[0]! : new SiteStreams(Object.fromEntries(streams.map((stream, i) => [names[i]!, stream])));
    },
  };
}

/** Activations out of a cache; the model is not needed. @throws UsageError for a folder that is none. */
export async function cachedSource(config: SaeRunConfig): Promise<SaeSource> {
  const { path, files, index, about } = await openCache(config.source.activations!);
  const { data } = config;
  if (index.rows < data.batchRows!)
    throw new UsageError(`Expected at least ${data.batchRows} rows (data.batchRows) but found ${index.rows} in ${path}`);
  const missing = data.tokens.filter((kind) => !about.tokens.includes(kind));
  if (missing.length > 0)
    throw new UsageError(`Expected rows of ${data.tokens.join(",")} (data.tokens) but found ${about.tokens.join(",")} in ${path}`);
  const keep = tokenFilter(new StrokeTokenizer(about.tokenizer), chosen(data.tokens));
  const isAll = about.tokens.every((kind) => data.tokens.includes(kind as TokenKind));
  const mask = isAll ? undefined : ({ token }: Readonly<Record<string, Int32Array>>) => token!.map((id) => keep[id]!);
  const { checkpoint, run, modelHash, bank, split, wordsHash } = about;
  const sites = [{ name: about.hook, width: index.dIn }];
  checkStorage(config, sites);
  return {
    sites,
    batchRows: data.batchRows!,
    origin: { checkpoint, run, modelHash, bank, split, wordsHash },
    hash: createHash("sha256").update(JSON.stringify(index)).digest("hex"),
    lines: [
      `cache    ${path}: ${index.rows.toLocaleString("en")} rows of ${about.run ?? about.checkpoint}, step ${about.step}`,
      `hook     ${about.hook}, ${index.dIn} wide`,
      `rows     ${describeRows(config, data.batchRows!)}`,
    ],
    open: async () => {
      const rows = new ShardSource(files, index, { epochs: Number.POSITIVE_INFINITY, shuffleSeed: config.seed, mask });
      return mixed(new WantedRows(rows, { place: path }), config);
    },
  };
}

/** A hook that has a vector for each stroke token. */
export function rowSite({ found: { model } }: Pick<ModelWithData, "found">, hook: string): RowSite {
  try {
    const { name, axes } = model.hookSites.find(hook);
    const { shape } = model.hookTable().find((row) => row.name === name)!;
    if (axes[0] === "B" && axes[1] === "T") return { name, width: shape.slice(2).reduce((a, b) => a * b, 1) };
    throw new UsageError(`Expected a hook with a vector for each stroke token, [B, T, …], but found ${name} [${axes.join(", ")}]`);
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError(oneLine(error));
  }
}

/** Hooks that are each another's. @throws UsageError for one under two of its names, and as {@link rowSite}. */
function rowSites(subject: Pick<ModelWithData, "found">, hooks: readonly string[]): RowSite[] {
  const sites = hooks.map((hook) => rowSite(subject, hook));
  const twice = sites.findIndex(({ name }, i) => sites.findIndex((site) => site.name === name) !== i);
  if (twice >= 0) throw new UsageError(`Expected source.hooks that differ but found ${hooks[twice]}, which is ${sites[twice]!.name} again`);
  return sites;
}

/** @throws UsageError for rows that cannot wait as halves, which go by twos. */
function checkStorage({ data }: SaeRunConfig, sites: readonly RowSite[]): void {
  const odd = sites.find(({ width }) => width % 2 === 1);
  if (data.storage === "f16" && odd)
    throw new UsageError(`Expected data.storage f32 for rows of an odd width, such as the ${odd.width} of ${odd.name}, but found f16`);
}

/** Which kinds of tokens are wanted, one flag each. */
export function chosen(kinds: readonly TokenKind[]): Record<TokenKind, boolean> {
  return Object.fromEntries(tokenKinds.map((kind) => [kind, kinds.includes(kind)])) as Record<TokenKind, boolean>;
}

function mixed(source: RowSource, { data, seed }: SaeRunConfig): MixingBuffer {
  return new MixingBuffer(source, { batchRows: data.batchRows!, bufferRows: data.bufferRows!, storage: data.storage, seed });
}

function describeRows({ data }: SaeRunConfig, batchRows: number): string {
  const { tokens, bufferRows, batchSequences, sequences } = data;
  const count = (n: number): string => n.toLocaleString("en");
  return batchSequences === null
    ? `${count(batchRows)} a step out of ${count(bufferRows!)} that are mixed, tokens ${tokens.join(", ")}`
    : `${count(batchRows)} a step: ${batchSequences} whole sequences out of the same ${count(sequences!)}, padding included`;
}

/** The notebook's data: all activations of a fixed number of sequences, in main memory, `[sequences · T, D]` at each site. */
async function wholeSequences(
  { found: { model }, data: { dataset } }: ModelWithData,
  about: { config: SaeRunConfig; sites: readonly RowSite[]; onCompile: CompileProgress } & SourceOptions,
): Promise<HostTensor[]> {
  const { config, sites, signal, say, onCompile } = about;
  const { split, chunk, sequences } = config.data;
  const total = sequences!;
  const rows = total * dataset.maxLength;
  const arrays = sites.map(({ width }) => new Float32Array(rows * width));
  const names = sites.map(({ name }) => name);
  let read = 0;
  for await (const piece of activations(model, dataset, { sites: names, split, chunk, batchSize: chunk, signal, onCompile })) {
    for (const [i, { name, width }] of sites.entries()) {
      const values = (await piece.activations[name]!.data()) as Float32Array;
      const size = dataset.maxLength * width;
      arrays[i]!.set(values.subarray(0, (total - read) * size), read * size);
    }
    read += piece.sequences;
    say(`reading activations ${Math.min(read, total)}/${total} sequences`);
    if (read >= total) break;
  }
  return sites.map(({ width }, i) => ({ shape: [rows, width], dtype: "f32", data: arrays[i]! }));
}
