import { createRng, TensorError } from "@cursive/tensor";
import { type BinnedFactor, binFactor, type Factor, type FactorBin, MISSING } from "./factor.ts";
import { clauseOf, labelOf } from "./tuning_label.ts";

/** A bin of a factor, and what a latent does there. */
export interface TunedBin extends FactorBin {
  /** Rows in it. */
  readonly rows: number;
  /** Rows in it on which the latent fires. */
  readonly firings: number;
  /** Mean activation over all its rows, silent ones included; 0 if it has none. */
  readonly mean: number;
}

/** How a latent is tuned to one factor. */
export interface FactorTuning {
  readonly name: string;
  readonly kind: Factor["kind"];
  /** The tuning curve; of an angle, the rose. */
  readonly bins: readonly TunedBin[];
  /** Mutual information of the factor's bin and the activation's level, as counted; never exactly 0 in finite data. */
  readonly bits: number;
  /** The same where activations are shuffled over the rows: mean and standard deviation. */
  readonly shuffled: { readonly mean: number; readonly deviation: number };
  /** (bits − mean) / deviation of the shuffled; 0 where these do not vary. */
  readonly z: number;
  /** Share of the activation's entropy that the factor tells beyond chance, 0 to 1. */
  readonly share: number;
  /** What it prefers, in words, such as `theta 142° ± 9`; null unless that is certain and narrow. */
  readonly clause: string | null;
}

/** How a latent is tuned. */
export interface LatentTuning {
  /** In the order they were given. */
  readonly factors: readonly FactorTuning[];
  /** Clauses, most telling first, such as `theta 142° ± 9, pen down`; null if there are none. */
  readonly label: string | null;
}

/** Options of {@link Tuning}. */
export interface TuningOptions {
  /** Levels of activation above 0, each of equally many firings. Default 4. */
  readonly levels?: number;
  /** Default 20. */
  readonly shuffles?: number;
  /** Default 0. */
  readonly seed?: number;
  /** The least `z` and `share` of a factor that gets into the label. Defaults 6 and 0.01. */
  readonly leastZ?: number;
  readonly leastShare?: number;
  /** The most clauses of a label. Default 3. */
  readonly clauses?: number;
}

/** Rows on which a latent fires, and how strongly. */
export interface RowFirings {
  /** Numbers of rows, each once. */
  readonly rows: ArrayLike<number>;
  readonly activations: ArrayLike<number>;
}

/**
 * What latents are tuned to: curves, selectivity in bits, a label. Chance is measured by shuffling, with the same shuffles for every
 * latent. They take rows as independent of each other, which neighbours in a word are not, so what counts as certain is set high (`leastZ`).
 *
 * @example
 * ```ts
 * const tuning = new Tuning([
 *   { name: "theta", kind: "angle", values: directions },
 *   { name: "pen", kind: "class", values: pens, labels: ["up", "down"] },
 * ]);
 * const { label } = tuning.of({ rows: rowNumbers(firings, places), activations: firings.activations }); // "theta 142° ± 9, pen down"
 * ```
 */
export class Tuning {
  readonly #options: Required<TuningOptions>;
  readonly #factors: readonly BinnedFactor[];
  /** Of each factor, its codes shuffled among the rows that have one. */
  readonly #shuffled: readonly (readonly Uint8Array[])[];

  /** @throws TensorError unless factors have as many values as each other. */
  constructor(factors: readonly Factor[], options: TuningOptions = {}) {
    this.#options = { levels: 4, shuffles: 20, seed: 0, leastZ: 6, leastShare: 0.01, clauses: 3, ...options };
    const other = factors.find(({ values }) => values.length !== factors[0]!.values.length);
    if (other)
      throw new TensorError(`Expected ${factors[0]!.values.length} values of '${other.name}', one a row, but found ${other.values.length}`);
    this.#factors = factors.map(binFactor);
    const { shuffles, seed } = this.#options;
    this.#shuffled = this.#factors.map(({ codes, factor }) =>
      Array.from({ length: shuffles }, (_, i) => shuffledCodes(codes, createRng(seed, "tuning", factor.name, i))),
    );
  }

  /** @throws TensorError for a row that is not there. */
  of({ rows, activations }: RowFirings): LatentTuning {
    const { leastZ, leastShare, clauses } = this.#options;
    const total = this.#factors[0]?.codes.length ?? 0;
    for (let i = 0; i < rows.length; i++)
      if (!(rows[i]! < total)) throw new TensorError(`Expected a row below ${total} but found ${rows[i]}`);
    const factors = this.#factors.map((binned, i): FactorTuning => {
      const shuffled = this.#shuffled[i]!;
      const known = knownFirings({ rows, activations }, binned.codes);
      const levels = levelsOf(known.activations, this.#options.levels);
      const bitsOf = (codes: Uint8Array): number => mutualInformation({ ...known, levels, codes }, binned.occupancy);
      const bits = bitsOf(binned.codes);
      const nulls = shuffled.map(bitsOf);
      const mean = nulls.reduce((a, b) => a + b, 0) / Math.max(1, nulls.length);
      const deviation = Math.sqrt(nulls.reduce((sum, b) => sum + (b - mean) ** 2, 0) / Math.max(1, nulls.length - 1));
      const z = deviation > 0 ? (bits - mean) / deviation : 0;
      const entropy = levelEntropy(levels, sum(binned.occupancy));
      const share = entropy > 0 ? Math.max(0, bits - mean) / entropy : 0;
      const isCertain = z >= leastZ && share >= leastShare;
      return {
        name: binned.factor.name,
        kind: binned.factor.kind,
        bins: tunedBins(binned, known),
        bits,
        shuffled: { mean, deviation },
        z,
        share,
        clause: isCertain ? clauseOf(binned, known) : null,
      };
    });
    const telling = factors.filter(({ clause }) => clause !== null).toSorted((a, b) => b.share - a.share);
    return {
      factors,
      label: labelOf(
        telling.map(({ clause }) => clause!),
        { most: clauses },
      ),
    };
  }
}

/** Only the firings on rows that have a value. */
function knownFirings({ rows, activations }: RowFirings, codes: Uint8Array): { rows: Uint32Array; activations: Float64Array } {
  const known = Array.from(rows, (_, i) => i).filter((i) => codes[rows[i]!] !== MISSING);
  return { rows: Uint32Array.from(known, (i) => rows[i]!), activations: Float64Array.from(known, (i) => activations[i]!) };
}

/** A level from 0 on for each firing, by its rank; equal activations may come apart. */
function levelsOf(activations: Float64Array, count: number): Uint8Array {
  const order = Uint32Array.from(activations.keys()).sort((a, b) => activations[a]! - activations[b]! || a - b);
  const levels = new Uint8Array(activations.length);
  for (const [rank, i] of order.entries()) levels[i] = Math.floor((rank * count) / order.length);
  return levels;
}

/** I(bin; level) in bits, over rows that have a bin; level 0 of the table is silence. */
function mutualInformation(
  { rows, levels, codes }: { readonly rows: Uint32Array; readonly levels: Uint8Array; readonly codes: Uint8Array },
  occupancy: readonly number[],
): number {
  const bins = occupancy.length;
  const table = Array.from({ length: 1 + levels.reduce((a, b) => Math.max(a, b + 1), 0) }, () => new Float64Array(bins));
  table[0]!.set(occupancy);
  for (let i = 0; i < rows.length; i++) {
    const code = codes[rows[i]!]!;
    table[0]![code]!--;
    table[levels[i]! + 1]![code]!++;
  }
  const total = sum(occupancy);
  let bits = 0;
  for (const row of table) {
    const ofRow = row.reduce((a, b) => a + b, 0);
    for (const [code, count] of row.entries())
      if (count > 0) bits += (count / total) * Math.log2((count * total) / (ofRow * occupancy[code]!));
  }
  return Math.max(0, bits); // rounding may leave −1e-17
}

function levelEntropy(levels: Uint8Array, total: number): number {
  const counts = new Map<number, number>([[-1, total - levels.length]]);
  for (const level of levels) counts.set(level, (counts.get(level) ?? 0) + 1);
  return [...counts.values()].reduce((bits, count) => (count > 0 ? bits - (count / total) * Math.log2(count / total) : bits), 0);
}

function tunedBins({ bins, codes, occupancy }: BinnedFactor, { rows, activations }: RowFirings): TunedBin[] {
  const [firings, sums] = [new Float64Array(bins.length), new Float64Array(bins.length)];
  for (let i = 0; i < rows.length; i++) {
    const code = codes[rows[i]!]!;
    firings[code]!++;
    sums[code]! += activations[i]!;
  }
  return bins.map((bin, k) => ({
    ...bin,
    rows: occupancy[k]!,
    firings: firings[k]!,
    mean: occupancy[k]! > 0 ? sums[k]! / occupancy[k]! : 0,
  }));
}

/** The codes in another order; rows without one stay without. */
function shuffledCodes(codes: Uint8Array, rng: ReturnType<typeof createRng>): Uint8Array {
  const shuffled = codes.slice();
  const known = Uint32Array.from(codes.keys()).filter((row) => codes[row] !== MISSING);
  for (let i = known.length - 1; i > 0; i--) {
    const [a, b] = [known[i]!, known[rng.integer(i + 1)]!];
    [shuffled[a], shuffled[b]] = [shuffled[b]!, shuffled[a]!];
  }
  return shuffled;
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
