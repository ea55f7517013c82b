import { createHash } from "node:crypto";
import { activations, StrokeTokenizer, tokenFilter } from "@cursive/cursive-model";
import { type ActivationStream, ArrayStream, LiveRows, MixingBuffer, type RowSource, ShardSource } from "@cursive/sae";
import type { HostTensor } from "@cursive/tensor";
import { oneLine, UsageError } from "../errors.ts";
import { describeModel } from "../run/find_model.ts";
import { type ModelWithData, openModelWithData } from "../run/model_data.ts";
import type { SaeRunConfig, TokenKind } from "./sae_config.ts";
import { tokenKinds } from "./sae_schema.ts";
import { openCache } from "./shard_files.ts";
import { WantedRows } from "./wanted_rows.ts";

/** Activations to train on. */
export interface SaeSource {
  /** TransformerLens' name. */
  readonly site: string;
  /** D */
  readonly dIn: number;
  /** Rows of a batch. */
  readonly batchRows: number;
  /** The model's checkpoint. */
  readonly checkpoint: string;
  readonly run: string | null;
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

/** The activations of a model as it reads. @throws UsageError for a model, words or a hook that are not there. */
export async function liveSource(config: SaeRunConfig, { say, signal }: SourceOptions): Promise<SaeSource> {
  const { source, data } = config;
  const subject = await openModelWithData({ runs: "", checkpoint: source.checkpoint ?? undefined, data: source.data ?? undefined });
  const { model, tokenizer } = subject.found;
  const { name: site, width: dIn } = rowSite(subject, source.hook);
  const { dataset } = subject.data;
  const keep = tokenFilter(tokenizer, chosen(data.tokens));
  const onCompile = (done: number, total: number): void => say(`compiling shaders of the model ${done}/${total}`);
  const live = (): RowSource =>
    new WantedRows(new LiveRows(model, { dataset, site, split: data.split, keep, chunk: data.chunk, onCompile }), { place: "the words" });
  const read = (): Promise<HostTensor> => wholeSequences(subject, { config, site, dIn, signal, say, onCompile });
  const batchRows = data.batchRows ?? data.batchSequences! * dataset.maxLength;
  return {
    site,
    dIn,
    batchRows,
    checkpoint: subject.found.path,
    run: subject.found.run?.name ?? null,
    hash: subject.hash,
    lines: [
      `model    ${describeModel(subject.found)}`,
      `hook     ${site}, ${dIn} wide`,
      `rows     ${describeRows(config, batchRows)}, ${subject.config.data.source}, ${data.split === "train" ? "words trained on" : "held-out words"}`,
    ],
    open: async () =>
      data.batchSequences === null
        ? mixed(live(), config)
        : new ArrayStream(await read(), { groupRows: dataset.maxLength, groupsPerBatch: data.batchSequences, seed: config.seed }),
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
  return {
    site: about.hook,
    dIn: index.dIn,
    batchRows: data.batchRows!,
    checkpoint: about.checkpoint,
    run: about.run,
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
export function rowSite(
  { found: { model } }: Pick<ModelWithData, "found">,
  hook: string,
): { readonly name: string; readonly width: number } {
  try {
    const { name, axes } = model.hookSites.find(hook);
    const { shape } = model.hookTable().find((row) => row.name === name)!;
    if (axes[0] === "B" && axes[1] === "T") return { name, width: shape.slice(2).reduce((a, b) => a * b, 1) };
    throw new UsageError(`Expected a hook with a vector for each stroke token, [B, T, …], but found ${name} [${axes.join(", ")}]`);
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError(oneLine(error));
  }
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

/** The notebook's data: all activations of a fixed number of sequences, in main memory, `[sequences · T, D]`. */
async function wholeSequences(
  { found: { model }, data: { dataset } }: ModelWithData,
  about: { config: SaeRunConfig; site: string; dIn: number; onCompile: (done: number, total: number) => void } & SourceOptions,
): Promise<HostTensor> {
  const { config, site, dIn, signal, say, onCompile } = about;
  const { split, chunk, sequences } = config.data;
  const total = sequences!;
  const size = dataset.maxLength * dIn;
  const data = new Float32Array(total * size);
  let read = 0;
  for await (const piece of activations(model, dataset, { sites: site, split, chunk, batchSize: chunk, signal, onCompile })) {
    const values = (await piece.activations[site]!.data()) as Float32Array;
    data.set(values.subarray(0, (total - read) * size), read * size);
    read += piece.sequences;
    say(`reading activations ${Math.min(read, total)}/${total} sequences`);
    if (read >= total) break;
  }
  return { shape: [total * dataset.maxLength, dIn], dtype: "f32", data };
}
