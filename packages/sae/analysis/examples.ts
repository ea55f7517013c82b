import { createRng, type Rng } from "@cursive/tensor";
import type { ActivationIndex, LatentFirings } from "./activation_index.ts";

/** A place in the corpus and what a latent does there. */
export interface Example {
  readonly sequence: number;
  readonly position: number;
  /** 0 where it is silent. */
  readonly activation: number;
}

/** Examples out of one band of activations. */
export interface ExampleBand {
  /** The band holds activations above `from`, up to `to`; by rank, those from the least to the greatest of its share. */
  readonly from: number;
  readonly to: number;
  /** Share of the latent's firings that lie in it. */
  readonly share: number;
  readonly examples: readonly Example[];
}

/** Examples of one latent. Drawn ones are uniform, without repeats, and strongest first. */
export interface LatentExamples {
  readonly latent: number;
  /** On how many rows it fires, of how many. */
  readonly firings: number;
  readonly rows: number;
  /** 0 if it never fires. */
  readonly max: number;
  /** The strongest firings of all; of equals the first in the corpus. */
  readonly top: readonly Example[];
  /** From the strongest band down. */
  readonly bands: readonly ExampleBand[];
  /** Drawn from all firings. */
  readonly random: readonly Example[];
  /** Drawn from firings of at most `nearZeroShare` of the greatest. */
  readonly nearZero: readonly Example[];
  /** Drawn from the rows on which it does not fire, in their order. */
  readonly silent: readonly Example[];
}

/** Options of {@link latentExamples}. */
export interface ExampleOptions {
  /** Default 20. */
  readonly top?: number;
  /** Take from each sequence its strongest place only, for `top`. Default false. */
  readonly onePerSequence?: boolean;
  /** Default 10. */
  readonly bands?: number;
  /** `"value"` cuts (0, max] into equal intervals, as SAEDashboard does; `"rank"` gives each band as many firings. Default `"value"`. */
  readonly bandsBy?: "value" | "rank";
  /** Examples of each band. Default 5. */
  readonly perBand?: number;
  /** How many of `random`, `nearZero` and `silent` each. Default 10. */
  readonly drawn?: number;
  /** Default 0.05. */
  readonly nearZeroShare?: number;
  /** Default 0. What is drawn depends on it and the latent's number. */
  readonly seed?: number;
}

/**
 * Where a latent fires most, and what that leaves out: bands of lesser activations, firings as they come, faint ones, and silence. The top
 * is exact, over the whole corpus.
 *
 * @example
 * ```ts
 * const { top, bands } = await latentExamples(index, 18, { top: 20, onePerSequence: true });
 * ```
 */
export async function latentExamples(index: ActivationIndex, latent: number, options: ExampleOptions = {}): Promise<LatentExamples> {
  const { top = 20, onePerSequence = false, drawn = 10, nearZeroShare = 0.05, seed = 0 } = options;
  const firings = await index.firings(latent);
  const ranked = rankedExamples(firings);
  const max = ranked[0]?.activation ?? 0;
  const rng = createRng(seed, "examples", latent);
  const nearZero = ranked.slice(countAbove(ranked, max * nearZeroShare));
  return {
    latent,
    firings: ranked.length,
    rows: index.info.rows,
    max,
    top: (onePerSequence ? strongestOfSequences(ranked) : ranked).slice(0, top),
    bands: bandsOf(ranked, { ...options, rng }),
    random: draw(ranked, { count: drawn, rng }),
    nearZero: draw(nearZero, { count: drawn, rng }),
    silent: await drawSilent(index, firings, { count: drawn, rng }),
  };
}

/** Strongest first; of equals the first in the corpus. */
function rankedExamples({ sequences, positions, activations }: LatentFirings): Example[] {
  const order = Uint32Array.from(activations.keys()).sort((a, b) => activations[b]! - activations[a]! || a - b);
  return Array.from(order, (i) => ({ sequence: sequences[i]!, position: positions[i]!, activation: activations[i]! }));
}

function strongestOfSequences(ranked: readonly Example[]): Example[] {
  const seen = new Set<number>();
  return ranked.filter(({ sequence }) => !seen.has(sequence) && seen.add(sequence));
}

function bandsOf(ranked: readonly Example[], options: ExampleOptions & { readonly rng: Rng }): ExampleBand[] {
  const { bands = 10, bandsBy = "value", perBand = 5, rng } = options;
  const max = ranked[0]?.activation;
  if (max === undefined) return [];
  return Array.from({ length: bands }, (_, i) => {
    const [high, low] = [1 - i / bands, 1 - (i + 1) / bands];
    // the last value band reaches down to exactly 0, whatever its edges round to
    const [from, to] = [i + 1 === bands ? 0 : max * low, max * high];
    const range =
      bandsBy === "value"
        ? [i === 0 ? 0 : countAbove(ranked, to), countAbove(ranked, from)]
        : [Math.round((i * ranked.length) / bands), Math.round(((i + 1) * ranked.length) / bands)];
    const members = ranked.slice(...range);
    const edges = bandsBy === "value" ? { from, to } : { from: members.at(-1)?.activation ?? 0, to: members[0]?.activation ?? 0 };
    return { ...edges, share: members.length / ranked.length, examples: draw(members, { count: perBand, rng }) };
  });
}

/** How many are above a limit: they stand in front. */
function countAbove(ranked: readonly Example[], limit: number): number {
  let [low, high] = [0, ranked.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ranked[middle]!.activation > limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** So many of them, or all, in the order that they have. */
function draw(from: readonly Example[], { count, rng }: { readonly count: number; readonly rng: Rng }): Example[] {
  return drawNumbers(from.length, { count, rng }).map((i) => from[i]!);
}

/** `count` different numbers below n, ascending, each set equally likely (Floyd's algorithm): as many draws as numbers. */
function drawNumbers(n: number, { count, rng }: { readonly count: number; readonly rng: Rng }): number[] {
  const chosen = new Set<number>();
  for (let last = Math.max(0, n - count); last < n; last++) {
    const number = rng.integer(last + 1);
    chosen.add(chosen.has(number) ? last : number);
  }
  return [...chosen].sort((a, b) => a - b);
}

/** Rows without a firing: the k-th of them is found among all rows by counting the firings before it. */
async function drawSilent(
  index: ActivationIndex,
  { sequences, positions }: LatentFirings,
  options: { readonly count: number; readonly rng: Rng },
): Promise<Example[]> {
  const examples: Example[] = [];
  for (const number of drawNumbers(index.info.rows - sequences.length, options)) {
    // number + (firings before it) is the row; both grow with the row, so halving finds it
    let [low, high] = [0, sequences.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const { sequence, position } = await index.place(number + middle);
      const fires = sequence > sequences[middle]! || (sequence === sequences[middle]! && position >= positions[middle]!);
      if (fires) low = middle + 1;
      else high = middle;
    }
    examples.push({ ...(await index.place(number + low)), activation: 0 });
  }
  return examples;
}
