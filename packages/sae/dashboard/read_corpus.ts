import { readingPath, type StrokeTokenizer, type Transformer } from "@cursive/cursive-model";
import { capture, type HostTensor, noGrad, type Tensor } from "@cursive/tensor";
import { type ActivationIndexInfo, ActivationIndexWriter, type IndexFiles } from "../analysis/activation_index.ts";
import { NoRowsError } from "../data/no_rows_error.ts";
import { FeatureActivity, type FeatureActivityMetrics } from "../evaluation/feature_activity.ts";
import { type ReconstructionMetrics, ReconstructionTally } from "../evaluation/reconstruction_tally.ts";
import { type SequenceBatches, sequencePieces } from "../evaluation/sequences.ts";
import type { SparseAutoencoder } from "../sae.ts";
import { inkLength, longestOf, type ReadSequence, sequenceAt } from "./corpus.ts";
import { RowColumns } from "./row_columns.ts";

/** What one pass over the sequences leaves in memory; where features fire is in the index. */
export interface ReadCorpus {
  readonly sequences: readonly ReadSequence[];
  readonly columns: RowColumns;
  readonly index: ActivationIndexInfo;
  readonly activity: FeatureActivityMetrics;
  readonly reconstruction: ReconstructionMetrics;
  /** `[D]`: mean activation. */
  readonly mean: readonly number[];
}

/** Options of {@link readCorpus}. */
export interface ReadCorpusOptions {
  readonly model: Transformer;
  /** TransformerLens's name of a site with a vector a stroke token. */
  readonly site: string;
  readonly tokenizer: StrokeTokenizer;
  readonly batches: SequenceBatches;
  /** 1 for each token id whose place is a row, `[V]`. */
  readonly keep: ArrayLike<number>;
  /** Where the index goes. */
  readonly files: IndexFiles;
  /** Sequences on the GPU at once. Default 8. */
  readonly pieceSize?: number;
  readonly signal?: AbortSignal;
  readonly onSequences?: (done: number) => void;
}

/**
 * Runs the model over sequences once: writes down where features fire, and what each row is about, which letter it writes included. Memory
 * holds a piece's activations, the sequences' tokens and some 80 bytes a row.
 */
export async function readCorpus(sae: SparseAutoencoder, options: ReadCorpusOptions): Promise<ReadCorpus> {
  const { model, tokenizer, keep, files } = options;
  const { padToken } = tokenizer;
  const { dSae, dIn } = sae.config;
  const writer = new ActivationIndexWriter(files, { dSae, about: { hook: options.site } });
  const [activity, reconstruction, columns] = [new FeatureActivity(dSae), new ReconstructionTally(dIn), new RowColumns(tokenizer)];
  const sequences: ReadSequence[] = [];
  const step = passStep(sae, options);
  try {
    for (const piece of sequencePieces(options)) {
      const { activation, features, reconstructed, patterns } = await step(piece.tokens, piece.context);
      const [x, f, y, ...maps] = (await Promise.all([activation, features, reconstructed, ...patterns].map((t) => t.data()))) as [
        Float32Array,
        Float32Array,
        Float32Array,
        ...Float32Array[],
      ];
      const [length, characters] = [piece.tokens.shape[1]!, piece.context.shape[1]!];
      const rows = piece.count * length;
      const wanted = new Uint8Array(rows);
      for (let row = 0; row < piece.count; row++) {
        const read = sequenceAt(piece, { row, tokenizer, keep });
        const sizes = { row, heads: model.config.nHead, length, characters };
        const letters = lettersOf(read, maps, { ...sizes, ink: inkLength(read.tokens, tokenizer) });
        const sequence = { ...read, letters };
        const places = read.tokens.flatMap((token, place) => (keep[token] ? [place] : []));
        for (const place of places) wanted[row * length + place] = 1;
        columns.add(sequence, places);
        await writer.add(picked(f, { first: row * length, places, width: dSae }), {
          sequences: places.map(() => piece.first + row),
          positions: places,
        });
        sequences.push(sequence);
      }
      const labels = Float64Array.from({ length: rows }, (_, row) => piece.first + Math.floor(row / length));
      const about = { sequences: labels, wanted };
      activity.add(f, about);
      reconstruction.add({ data: x, width: dIn, count: rows, ...about }, { features: f, reconstruction: y });
    }
  } finally {
    step.destroy();
  }
  if (activity.rows === 0) throw new NoRowsError(`Expected tokens that are kept but found none in ${sequences.length} sequences`);
  return {
    ...{ sequences, columns, index: await writer.finish({ tokens: filledUp(sequences, { padToken }) }), activity: activity.result() },
    ...{ reconstruction: reconstruction.result(), mean: Array.from(reconstruction.mean) },
  };
}

/** All sequences `[S, T]`, each filled up to the longest. */
function filledUp(sequences: readonly ReadSequence[], { padToken }: { readonly padToken: number }): HostTensor {
  const length = longestOf(sequences);
  const data = new Int32Array(sequences.length * length).fill(padToken);
  for (const [i, { tokens }] of sequences.entries()) data.set(tokens, i * length);
  return { shape: [sequences.length, length], dtype: "i32", data };
}

/** The site's activation, features, reconstruction, and the cross-attention patterns of all blocks. */
function passStep(sae: SparseAutoencoder, { model, site }: Pick<ReadCorpusOptions, "model" | "site">) {
  const patterns = Array.from({ length: model.config.nLayer }, (_, l) => `blocks.${l}.cross_attn.hook_pattern`);
  const { name } = model.hookSites.find(site);
  return capture((tokens: Tensor, context: Tensor) =>
    noGrad(() => {
      const budget = Number.POSITIVE_INFINITY; // as many sequences as were asked for
      const { cache } = model.runWithCache(tokens, context, { namesFilter: [name, ...patterns], budget });
      const found = cache.get(name);
      const activation = found.reshape([found.shape[0]! * found.shape[1]!, sae.config.dIn]); // (b T, D)
      const features = sae.encode(activation);
      return { activation, features, reconstructed: sae.decode(features), patterns: patterns.map((pattern) => cache.get(pattern)) };
    }),
  );
}

/** Which character each token writes, by the attention of all blocks' heads `[b, H, T, S]`; −1 for what is no ink, or where there is no text. */
function lettersOf(
  { tokens, context }: Omit<ReadSequence, "letters">,
  patterns: readonly Float32Array[],
  { row, heads, length, characters, ink }: { row: number; heads: number; length: number; characters: number; ink: number },
): number[] {
  const padding = context.indexOf(0);
  const real = padding < 0 ? characters : padding;
  if (real === 0 || ink === 0) return tokens.map(() => -1);
  const maps = patterns.flatMap((pattern) =>
    Array.from({ length: heads }, (_, head) => {
      const start = (row * heads + head) * length * characters;
      return { weights: pattern.subarray(start, start + ink * characters), rows: ink, keys: characters, real };
    }),
  );
  const path = readingPath(maps);
  return tokens.map((_, place) => path[place] ?? -1);
}

/** The features of some places of a sequence whose first row is `first`. */
function picked(
  features: Float32Array,
  { first, places, width }: { readonly first: number; readonly places: readonly number[]; readonly width: number },
): Float32Array {
  const rows = new Float32Array(places.length * width);
  for (const [i, place] of places.entries()) rows.set(features.subarray((first + place) * width, (first + place + 1) * width), i * width);
  return rows;
}
