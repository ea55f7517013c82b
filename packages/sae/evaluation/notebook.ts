import type { Device } from "@cursive/tensor";
import { encodedChunks } from "./encoded_chunks.ts";
import type { SequenceOptions, SpliceableModel } from "./sequences.ts";
import { siteRows } from "./site_rows.ts";
import type { Codec } from "./splice.ts";
import { spliceLosses, type Variant } from "./splice_losses.ts";

/** What the notebook's functions need. */
export interface NotebookOptions extends SequenceOptions {
  readonly model: SpliceableModel;
  readonly device?: Device;
}

/** What {@link getReconsLoss} gives, under the notebook's names. */
export interface ReconsLoss {
  /** (zero_abl_loss − recons_loss) / (zero_abl_loss − loss) */
  readonly score: number;
  readonly loss: number;
  readonly recons_loss: number;
  readonly zero_abl_loss: number;
}

/** What {@link getFreqs} gives. */
export interface Freqs {
  /** `[F]`: share of rows on which each latent is above 0. */
  readonly freqs: readonly number[];
  /** Share of latents with a frequency of exactly 0. The notebook prints it as "Num dead". */
  readonly frac_dead: number;
  readonly histogram: FreqHistogram;
}

/** The notebook's histogram of log10(freq + 10^−6.5): latents that never fire stand at −6.5. */
export interface FreqHistogram {
  /** 51, from the least value to the greatest; half of one to either side where all are equal. */
  readonly edges: readonly number[];
  /** 50 */
  readonly counts: readonly number[];
}

/**
 * The notebook's `get_recons_loss`, which took 5 batches of 64 sequences: the mean over batches of each batch's mean loss, with the activation
 * as it is, with its reconstruction, and with zeros in its place.
 *
 * With its flaws: padding counts, both as a target and as a place to reconstruct; zeros are no fair baseline, for a model that sees them does
 * worse than one that guesses; the notebook gave it sequences that the autoencoder was trained on. Beside it stands `measureModelEffect`.
 */
export async function getReconsLoss(sae: Codec, options: NotebookOptions): Promise<ReconsLoss> {
  const batches: Record<"original" | "sae" | "zero", number[]>[] = [];
  for await (const { batch, targets, losses } of spliceLosses(sae, { ...options, kl: false })) {
    batches[batch] ??= { original: [], sae: [], zero: [] };
    for (const name of ["original", "sae", "zero"] as const)
      batches[batch][name].push(...losses.get(name)!.filter((_, place) => targets[place]! >= 0));
  }
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  const of = (name: Exclude<Variant, "mean">): number => mean(batches.map((losses) => mean(losses[name])));
  return reconsLoss({ loss: of("original"), recons_loss: of("sae"), zero_abl_loss: of("zero") });
}

/** The three losses with their score. */
export function reconsLoss(losses: Omit<ReconsLoss, "score">): ReconsLoss {
  const { loss, recons_loss, zero_abl_loss } = losses;
  return { score: (zero_abl_loss - recons_loss) / (zero_abl_loss - loss), ...losses };
}

/** The notebook's `get_freqs`, which took 25 batches of 64 sequences: on which share of all rows, padding included, each latent is above 0. */
export async function getFreqs(sae: Codec, options: NotebookOptions & { readonly chunkRows?: number }): Promise<Freqs> {
  let firings = new Float64Array();
  let rows = 0;
  const chunks = encodedChunks(sae, siteRows(options.model, options), options);
  for await (const { chunk, features } of chunks) {
    const dSae = features.length / (chunk.data.length / chunk.width);
    if (firings.length === 0) firings = new Float64Array(dSae);
    for (let i = 0; i < chunk.count * dSae; i++) if (features[i]! > 0) firings[i % dSae]!++;
    rows += chunk.count;
  }
  return freqs(Array.from(firings, (count) => count / rows));
}

/** Frequencies with what the notebook makes of them. */
export function freqs(frequencies: readonly number[]): Freqs {
  return {
    freqs: frequencies,
    frac_dead: frequencies.filter((freq) => freq === 0).length / frequencies.length,
    histogram: histogram(frequencies.map((freq) => Math.log10(freq + 10 ** -6.5))),
  };
}

const BINS = 50;

/** As `numpy.histogram`, which the notebook's plot goes by. */
function histogram(values: readonly number[]): FreqHistogram {
  const least = values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const most = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const [first, last] = least === most ? [least - 0.5, most + 0.5] : [least, most];
  const width = (last - first) / BINS;
  const edges = Array.from({ length: BINS + 1 }, (_, i) => (i === BINS ? last : first + i * width));
  const counts = new Array<number>(BINS).fill(0);
  for (const value of values) {
    let bin = Math.min(BINS - 1, Math.floor((value - first) / width));
    if (value < edges[bin]!)
      bin--; // rounding has put it on the wrong side of an edge
    else if (bin < BINS - 1 && value >= edges[bin + 1]!) bin++;
    counts[bin]!++;
  }
  return { edges, counts };
}
