import { StrokeTokenizer } from "@cursive/cursive-model";
import { type HostTensor, readSafetensors } from "@cursive/tensor";
import { oneLine, RunFailed } from "../errors.ts";
import { table } from "../terminal/table.ts";
import { ActivationStats } from "./activation_stats.ts";
import { type CacheAbout, type OpenCache, openCache } from "./shard_files.ts";

/** Rows of one kind. */
export interface KindShare {
  readonly kind: string;
  readonly rows: number;
  readonly share: number;
  readonly meanNorm: number;
}

/** What cached activations are like. */
export interface CacheStats {
  readonly path: string;
  readonly about: CacheAbout;
  readonly rows: number;
  readonly dIn: number;
  /** E‖x‖. */
  readonly meanNorm: number;
  /** √D / E‖x‖: what training multiplies activations with under `activationScale: "sqrt-width"`. */
  readonly scale: number;
  /** ‖x̄‖. */
  readonly normOfMean: number;
  /** E‖x − x̄‖²: what an autoencoder of FVE 0 leaves. */
  readonly totalVariance: number;
  /** (Σλ)² / Σλ² of the dimensions' variances λ: over how many of them the variance is spread. */
  readonly effectiveDimensions: number;
  readonly mean: readonly number[];
  readonly variance: readonly number[];
  readonly kinds: readonly KindShare[];
}

/** Reads a cache, a shard at a time. @throws UsageError for a folder that is none; RunFailed for a damaged shard. */
export async function describeCache(folder: string, onRows: (done: number, total: number) => void): Promise<CacheStats> {
  const cache = await openCache(folder);
  const { index, about, path } = cache;
  const tokenizer = new StrokeTokenizer(about.tokenizer);
  const all = new ActivationStats(index);
  const byKind = new Map<string, { rows: number; norms: number }>();
  for await (const { rows, tokens } of shards(cache)) {
    all.add(rows);
    for (const [i, token] of tokens.entries()) {
      const kind = kindOf(tokenizer, token);
      const sum = byKind.get(kind) ?? { rows: 0, norms: 0 };
      sum.rows++;
      sum.norms += Math.hypot(...rows.subarray(i * index.dIn, (i + 1) * index.dIn));
      byKind.set(kind, sum);
    }
    onRows(all.rows, index.rows);
  }
  const { meanNorm } = all;
  const mean = [...all.mean];
  const variance = [...all.variance];
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  const totalVariance = sum(variance);
  return {
    ...{ path, about, rows: index.rows, dIn: index.dIn, meanNorm, scale: Math.sqrt(index.dIn) / meanNorm },
    ...{ normOfMean: Math.hypot(...mean), totalVariance },
    effectiveDimensions: totalVariance ** 2 / sum(variance.map((v) => v * v)),
    ...{ mean, variance },
    kinds: [...byKind]
      .map(([kind, { rows, norms }]) => ({ kind, rows, share: rows / index.rows, meanNorm: norms / rows }))
      .sort((a, b) => b.rows - a.rows),
  };
}

/** The figures for people. */
export function cacheStatsText(stats: CacheStats): string {
  const { about, rows, dIn, meanNorm, scale, normOfMean, totalVariance, effectiveDimensions, variance, kinds } = stats;
  const number = (value: number): string => value.toPrecision(4);
  const spread = variance.toSorted((a, b) => a - b);
  const lines = [
    `hook      ${about.hook} of ${about.run ?? about.checkpoint}, step ${about.step}`,
    `rows      ${rows.toLocaleString("en")} of ${dIn}, from ${about.sequences} sequences of ${about.length} ${about.split === "train" ? "of words trained on" : "of held-out words"}`,
    `norm      E‖x‖ ${number(meanNorm)}; times ${number(scale)} it is √D = ${number(Math.sqrt(dIn))}`,
    `mean      ‖x̄‖ ${number(normOfMean)}`,
    `variance  E‖x − x̄‖² ${number(totalVariance)}; of a dimension ${number(spread[0]!)} to ${number(spread.at(-1)!)}, median ${number(spread[spread.length >> 1]!)}; ` +
      `spread over ${effectiveDimensions.toFixed(1)} of ${dIn}`,
  ];
  const kindRows = kinds.map(({ kind, rows, share, meanNorm }) => [
    ...[kind, rows.toLocaleString("en"), (100 * share).toFixed(1), number(meanNorm)],
  ]);
  return `${lines.join("\n")}\n\n${table([["kind of token", "rows", "%", "E‖x‖"], ...kindRows])}`;
}

function kindOf(tokenizer: StrokeTokenizer, token: number): string {
  const meaning = tokenizer.meaning(token);
  if (meaning.kind === "radius") return meaning.pen ? "length (pen down)" : "length (pen up)";
  return meaning.kind === "theta" ? "direction" : meaning.kind.toUpperCase();
}

async function* shards({ files, index, path }: OpenCache): AsyncGenerator<{ rows: Float32Array; tokens: Int32Array }> {
  for (const { file, rows } of index.shards) {
    let tensors: ReadonlyMap<string, HostTensor>;
    try {
      tensors = readSafetensors(await files.read(file)).tensors;
    } catch (error) {
      throw new RunFailed(`Expected a whole shard ${file} in ${path} but found: ${oneLine(error)}`);
    }
    const [values, tokens] = [tensors.get("activations"), tensors.get("token")];
    if (values?.shape.join() !== `${rows},${index.dIn}` || tokens?.shape.join() !== `${rows}`)
      throw new RunFailed(`Expected ${rows} rows of ${index.dIn} and their tokens in ${file} of ${path} but found others`);
    yield { rows: values.data as Float32Array, tokens: tokens.data as Int32Array };
  }
}
