/** When latents fire: on which share of rows, how strongly, in how many sequences. */
export interface FeatureActivityMetrics {
  /** N: rows looked at. */
  readonly rows: number;
  /** 1/N: the least density above 0 that N rows can show. A latent of density 0 may fire more rarely than this. */
  readonly resolvable: number;
  /** `[F]`: share of rows on which a latent is above 0. */
  readonly density: readonly number[];
  /** `[F]`: mean activation where a latent fires; 0 where it never does. */
  readonly meanActivation: readonly number[];
  /** `[F]` */
  readonly maxActivation: readonly number[];
  /** `[F]`: firings a sequence in which a latent fires (SAEBench's `consistent_activation_heuristic`); 0 where it never does. */
  readonly firingsPerSequence: readonly number[];
  /** Latents that never fired. */
  readonly dead: number;
  /** Latents with a density above 1e-5; where N rows do not resolve that, those that fired. */
  readonly alive: number;
  /** Latents that fire on more than 1% and more than 10% of rows, and the share of all firings that are theirs. */
  readonly dense: {
    readonly over1Percent: { readonly latents: number; readonly shareOfFirings: number };
    readonly over10Percent: { readonly latents: number; readonly shareOfFirings: number };
  };
  readonly histogram: DensityHistogram;
}

/** How many latents have which density. */
export interface DensityHistogram {
  /** log10 of densities, ascending: bin i is from `edges[i]` up to before `edges[i + 1]`, the last one with its end. */
  readonly edges: readonly number[];
  /** Latents in each bin; those that never fired are in none. */
  readonly counts: readonly number[];
}

/** Adds up {@link FeatureActivityMetrics} from features `[n, F]`. */
export class FeatureActivity {
  readonly dSae: number;
  #rows = 0;
  readonly #firings: Float64Array;
  readonly #sums: Float64Array;
  readonly #max: Float64Array;
  /** Sequences in which a latent fired, and the place of the last of these, counted from 1. */
  readonly #sequences: Float64Array;
  readonly #lastSequence: Float64Array;
  #sequence = 0;
  #label = Number.NaN;

  constructor(dSae: number) {
    this.dSae = dSae;
    this.#firings = new Float64Array(dSae);
    this.#sums = new Float64Array(dSae);
    this.#max = new Float64Array(dSae);
    this.#sequences = new Float64Array(dSae);
    this.#lastSequence = new Float64Array(dSae);
  }

  /** Adds the first `sequences.length` rows of features, flat, if their flag in `wanted` is not 0; rows of a sequence come one after another. */
  add(
    features: ArrayLike<number>,
    { sequences, wanted }: { readonly sequences: ArrayLike<number>; readonly wanted?: ArrayLike<number | boolean> },
  ): void {
    const { dSae } = this;
    for (let row = 0; row < sequences.length; row++) {
      if (wanted && !wanted[row]) continue;
      if (sequences[row] !== this.#label) {
        this.#label = sequences[row]!;
        this.#sequence++;
      }
      this.#rows++;
      for (let f = 0; f < dSae; f++) {
        const value = features[row * dSae + f]!;
        if (!(value > 0)) continue;
        this.#firings[f]!++;
        this.#sums[f]! += value;
        if (value > this.#max[f]!) this.#max[f] = value;
        if (this.#lastSequence[f] === this.#sequence) continue;
        this.#lastSequence[f] = this.#sequence;
        this.#sequences[f]!++;
      }
    }
  }

  /** Rows so far. */
  get rows(): number {
    return this.#rows;
  }

  /** `[F]`: on how many rows each latent fired. */
  get firings(): Float64Array {
    return this.#firings.slice();
  }

  result(): FeatureActivityMetrics {
    const rows = this.#rows;
    const density = Array.from(this.#firings, (firings) => firings / rows);
    const firings = this.#firings.reduce((a, b) => a + b, 0);
    const over = (least: number): { latents: number; shareOfFirings: number } => {
      const theirs = this.#firings.filter((_, f) => density[f]! > least);
      return { latents: theirs.length, shareOfFirings: firings > 0 ? theirs.reduce((a, b) => a + b, 0) / firings : 0 };
    };
    return {
      rows,
      resolvable: 1 / rows,
      density,
      meanActivation: quotients(this.#sums, this.#firings),
      maxActivation: Array.from(this.#max),
      firingsPerSequence: quotients(this.#firings, this.#sequences),
      dead: density.filter((d) => d === 0).length,
      alive: density.filter((d) => d > 1e-5).length,
      dense: { over1Percent: over(0.01), over10Percent: over(0.1) },
      histogram: densityHistogram(density, { rows }),
    };
  }
}

/** Four bins a decade, from the decade of what N rows resolve up to 1. */
export function densityHistogram(density: ArrayLike<number>, { rows }: { readonly rows: number }): DensityHistogram {
  const [perDecade, decades] = [4, Math.max(1, Math.ceil(Math.log10(Math.max(rows, 1))))];
  const bins = perDecade * decades;
  const edges = Array.from({ length: bins + 1 }, (_, i) => i / perDecade - decades);
  const counts = new Array<number>(bins).fill(0);
  for (const value of Array.from(density)) {
    if (!(value > 0)) continue;
    const bin = Math.floor((Math.log10(value) + decades) * perDecade);
    counts[Math.min(bins - 1, Math.max(0, bin))]!++;
  }
  return { edges, counts };
}

/** a / b, 0 where b is. */
function quotients(a: Float64Array, b: Float64Array): number[] {
  return Array.from(a, (value, i) => (b[i]! > 0 ? value / b[i]! : 0));
}
