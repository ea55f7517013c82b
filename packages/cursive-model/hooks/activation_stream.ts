import { type CompileProgress, capture, HookError, type HostTensor, noGrad, type Tensor, tensor } from "@cursive/tensor";
import { type Split, WordDataset } from "../data/dataset.ts";
import type { Transformer } from "../transformer.ts";
import type { NamesFilter } from "./select.ts";
import type { HookSite } from "./sites.ts";

/** A batch of sequences for {@link activations}. */
export interface TokenBatch {
  /** `[B, T]`, i32 */
  readonly tokens: HostTensor;
  /** `[B, S]`, i32 */
  readonly context: HostTensor;
}

/** Batches in a row, or by number: then `undefined` is the end. */
export type TokenBatches = Iterable<TokenBatch> | AsyncIterable<TokenBatch> | ((batch: number) => TokenBatch | undefined);

/** Options of {@link activations}. */
export interface ActivationStreamOptions {
  /** Which activations: those that have a vector a stroke token. Heads are laid side by side. */
  readonly sites: NamesFilter;
  /** Sequences that go through the model at once, which bounds the memory. Default 16. */
  readonly chunk?: number;
  /** 1 for each token id whose place counts, `[V]`; see {@link tokenFilter}. Default: all do. */
  readonly keep?: ArrayLike<number>;
  /** Where to go on: the {@link ActivationChunk.next} of the last chunk that was used. Default: at the start. */
  readonly from?: StreamPlace;
  /** With a dataset: sequences a batch. Default 32. */
  readonly batchSize?: number;
  /** With a dataset: which words. Default `"train"`. */
  readonly split?: Split;
  /** With a dataset: batches in all, those before `from` included. Default: without end. */
  readonly batches?: number;
  readonly signal?: AbortSignal;
  /** Called while shaders compile. */
  readonly onCompile?: CompileProgress;
}

/** A place in a stream, plain enough for a checkpoint. */
export interface StreamPlace {
  /** Counts batches from 0. */
  readonly batch: number;
  /** Counts the batch's sequences from 0. */
  readonly sequence: number;
}

/** Activations of some sequences. */
export class ActivationChunk {
  /** Where it begins. */
  readonly place: StreamPlace;
  /** Where the stream goes on after it. */
  readonly next: StreamPlace;
  /** b: its sequences. */
  readonly sequences: number;
  /** T: tokens a sequence. Row i of what follows is token i mod T of sequence ⌊i / T⌋. */
  readonly length: number;
  /** `[b · T]`: the token each row is at. */
  readonly tokens: Int32Array;
  /** `[b · S]`: the texts' characters. */
  readonly context: Int32Array;
  /** The rows that count, ascending. */
  readonly kept: Int32Array<ArrayBuffer>;
  /** `[b · T, D]` by TransformerLens's names: good until the next chunk is asked for. */
  readonly activations: Readonly<Record<string, Tensor>>;

  constructor(parts: Omit<ActivationChunk, "rows">) {
    this.place = parts.place;
    this.next = parts.next;
    this.sequences = parts.sequences;
    this.length = parts.length;
    this.tokens = parts.tokens;
    this.context = parts.context;
    this.kept = parts.kept;
    this.activations = parts.activations;
  }

  /** The rows that count, `[n, D]`, in memory of their own: good for as long as anybody holds them. @throws HookError for a site not asked for. */
  rows(site: string): Tensor {
    const all = this.activations[site];
    if (!all) throw new HookError(`Expected one of ${Object.keys(this.activations).join(", ")} but found '${site}'`);
    if (this.kept.length === 0) return all.narrow(0, { start: 0, length: 0 }).clone();
    return all.indexSelect(tensor(this.kept, { device: all.device }), { axis: 0 });
  }
}

type Step = (tokens: HostTensor, context: HostTensor) => Promise<Record<string, Tensor>>;

/**
 * Activations of any sites, chunk by chunk, on the GPU: what autoencoders are trained on. The model runs as a captured step that ends
 * after the last site; the next chunk's tokens are drawn while the GPU works. What comes depends on the model, the batches and the chunk size, and on
 * nothing else, so a stream that goes on from a place gives what the unbroken one would have given.
 *
 * @example
 * ```ts
 * const keep = tokenFilter(dataset.tokenizer);
 * for await (const chunk of activations(model, dataset, { sites: "blocks.0.hook_mlp_out", keep })) {
 *   const x = chunk.rows("blocks.0.hook_mlp_out"); // [n, 64]
 *   saved = chunk.next; // to go on here: { from: saved }
 * }
 * ```
 * @throws HookError for an unknown site, or one that has no vector a stroke token.
 * @throws The reason of `signal`, if it asks to stop.
 */
export async function* activations(
  model: Transformer,
  source: WordDataset | TokenBatches,
  options: ActivationStreamOptions,
): AsyncGenerator<ActivationChunk, void, undefined> {
  const { chunk = 16, from = { batch: 0, sequence: 0 }, keep, signal } = options;
  if (!Number.isInteger(chunk) || chunk < 1) throw new RangeError(`Expected chunks of 1 sequence or more but found ${chunk}`);
  const sites = rowSites(model, options.sites);
  const step = stepOf(model, sites, options);
  try {
    for await (const { index, batch } of numbered(source, { ...options, start: from.batch })) {
      const [size, length] = batch.tokens.shape as [number, number];
      let sequence = index === from.batch ? from.sequence : 0;
      for (; sequence < size; sequence += chunk) {
        signal?.throwIfAborted();
        const end = Math.min(size, sequence + chunk);
        const [tokens, context] = [rowsOf(batch.tokens, sequence, end), rowsOf(batch.context, sequence, end)];
        const values = await step(tokens, context);
        const ids = tokens.data as Int32Array;
        yield new ActivationChunk({
          place: { batch: index, sequence },
          next: end < size ? { batch: index, sequence: end } : { batch: index + 1, sequence: 0 },
          sequences: end - sequence,
          length,
          tokens: ids,
          context: context.data as Int32Array,
          kept: keptRows(ids, keep),
          activations: values,
        });
      }
    }
  } finally {
    step.destroy();
  }
}

/** The sites that a filter means, if each has a vector for every stroke token. */
function rowSites(model: Transformer, filter: NamesFilter): HookSite[] {
  const sites = model.hookSites.select(filter);
  const other = sites.find(({ axes }) => axes[0] !== "B" || axes[1] !== "T");
  if (other)
    throw new HookError(
      `Expected sites with a vector for each stroke token, [B, T, ..], but found ${other.name} [${other.axes.join(", ")}]`,
    );
  return sites;
}

function stepOf(model: Transformer, sites: readonly HookSite[], options: ActivationStreamOptions): Step & { destroy(): void } {
  const names = sites.map(({ name }) => name);
  const isWhole = sites.some(({ layer }) => layer === null);
  const stopAtLayer = isWhole ? undefined : 1 + Math.max(...sites.map(({ layer }) => layer!));
  return capture(
    (tokens: Tensor, context: Tensor) =>
      noGrad(() => {
        const { cache } = model.runWithCache(tokens, context, { namesFilter: names, stopAtLayer, budget: Number.POSITIVE_INFINITY });
        const rows = tokens.size;
        return Object.fromEntries([...cache].map(([name, value]) => [name, value.reshape([rows, value.size / rows])]));
      }),
    { device: model.lm_head.weight.device, onCompile: options.onCompile },
  );
}

/** Batches with their numbers, from `start` on. */
async function* numbered(
  source: WordDataset | TokenBatches,
  options: ActivationStreamOptions & { readonly start: number },
): AsyncGenerator<{ index: number; batch: TokenBatch }> {
  const { start } = options;
  if (source instanceof WordDataset || typeof source === "function") {
    const batchAt = typeof source === "function" ? source : datasetBatches(source, options);
    for (let index = start; ; index++) {
      const batch = batchAt(index);
      if (!batch) return;
      yield { index, batch };
    }
  }
  let index = 0;
  for await (const batch of source) {
    if (index >= start) yield { index, batch };
    index++;
  }
}

/** A dataset's batches by number, the same that training on it sees. */
export function datasetBatches(
  dataset: WordDataset,
  options: Pick<ActivationStreamOptions, "batchSize" | "split" | "batches"> = {},
): (batch: number) => TokenBatch | undefined {
  const { batchSize = 32, split = "train", batches = Number.POSITIVE_INFINITY } = options;
  return (step) => {
    if (step >= batches) return undefined;
    const { tokens, context } = dataset.batch({ step, batchSize, split });
    return {
      tokens: { shape: [batchSize, dataset.maxLength], dtype: "i32", data: tokens },
      context: { shape: [batchSize, dataset.contextLength], dtype: "i32", data: context },
    };
  };
}

function rowsOf({ shape, dtype, data }: HostTensor, start: number, end: number): HostTensor {
  const width = shape[1]!;
  return { shape: [end - start, width], dtype, data: data.subarray(start * width, end * width) };
}

function keptRows(tokens: Int32Array, keep: ArrayLike<number> | undefined): Int32Array<ArrayBuffer> {
  const rows = Int32Array.from(tokens.keys());
  return keep ? rows.filter((row) => keep[tokens[row]!]) : rows;
}
