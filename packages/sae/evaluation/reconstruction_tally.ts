import { ColumnMoments } from "./column_moments.ts";
import { type Estimate, oneMinus, Ratio } from "./ratio.ts";
import type { RowChunk } from "./row_chunks.ts";

/** How well rows x `[N, D]` come back as x̂, and from how many features f `[N, F]`. Everything is summed in float64. */
export interface ReconstructionMetrics {
  /** N: rows measured. */
  readonly rows: number;
  /** Sequences that they are of; 1 where rows came without labels. */
  readonly sequences: number;
  /** Mean number of features above 0. */
  readonly l0: Estimate;
  /** Mean of Σ_F f. */
  readonly l1: Estimate;
  /** Mean of ‖x̂ − x‖²: a sum over D. */
  readonly mse: Estimate;
  /** Fraction of variance explained, 1 − Σ‖x̂ − x‖² / Σ‖x − mean‖², the mean that of all rows: 0 for predicting the mean, 1 for x itself. */
  readonly fve: Estimate;
  /**
   * Mean over rows of 1 − ‖x̂ − x‖² / ‖x − mean‖², the mean that of the rows' chunk, which SAEBench reports under this name. One row near the mean can
   * make it anything; here to compare with others' numbers. Rows that are the mean are left out.
   */
  readonly legacyFve: number;
  /** Mean cosine of x and x̂; 0 where either is 0. */
  readonly cosine: Estimate;
  /** Mean ‖x‖ and mean ‖x̂‖. */
  readonly norm: { readonly input: number; readonly output: number };
  /** Mean ‖x̂‖ / ‖x‖ over rows that are not 0: below 1 where reconstructions shrink. */
  readonly normRatio: Estimate;
  /** γ = Σ‖x̂‖² / Σ x·x̂ (Rajamanoharan et al. 2024, eq. 10): below 1 where reconstructions shrink, 1 for ones of the right length. */
  readonly relativeBias: Estimate;
}

/** Sums over the rows of a sequence. */
interface Sums {
  rows: number;
  errors: number;
  outputs: number;
  products: number;
  cosines: number;
  ratios: number;
  ratioRows: number;
  l0: number;
  l1: number;
}

const noSums: Readonly<Sums> = {
  rows: 0,
  errors: 0,
  outputs: 0,
  products: 0,
  cosines: 0,
  ratios: 0,
  ratioRows: 0,
  l0: 0,
  l1: 0,
};

/** Adds up {@link ReconstructionMetrics} chunk by chunk. */
export class ReconstructionTally {
  readonly #moments: ColumnMoments;
  /** Near all rows, so that squares of distances from it are of the size of the spread: the first row. */
  #origin: Float64Array | undefined;
  readonly #perSequence: { readonly sums: Sums; readonly spread: ColumnSpread }[] = [];
  #label = Number.NaN;
  readonly #norms = { input: 0, output: 0 };
  readonly #legacy = { sum: 0, rows: 0 };

  constructor(width: number) {
    this.#moments = new ColumnMoments(width);
  }

  /** Mean row so far, `[D]`. */
  get mean(): Float64Array {
    return this.#moments.mean;
  }

  /** Adds a chunk's rows that are wanted: `reconstruction [R, D]` and `features [R, F]` of them all, flat. */
  add(chunk: RowChunk, made: { readonly reconstruction: Float32Array; readonly features: Float32Array }): void {
    const { data, width, count, wanted } = chunk;
    const moments = new ColumnMoments(width);
    moments.add(data.subarray(0, count * width), wanted);
    this.#moments.merge(moments);
    const mean = moments.mean;
    for (let row = 0; row < count; row++) if (wanted[row]) this.#addRow(chunk, { row, mean, ...made });
  }

  #addRow(
    { data, width, sequences }: RowChunk,
    at: { row: number; mean: Float64Array; reconstruction: Float32Array; features: Float32Array },
  ): void {
    const { row, mean, reconstruction, features } = at;
    const [start, latents] = [row * width, features.length / (data.length / width)];
    const { sums, spread } = this.#sequence(sequences[row]!, data.subarray(start, start + width));
    spread.add(data, start);
    let [error, input, output, product, fromMean, l0, l1] = [0, 0, 0, 0, 0, 0, 0];
    for (let d = 0; d < width; d++) {
      const [x, y] = [data[start + d]!, reconstruction[start + d]!];
      error += (y - x) ** 2;
      input += x * x;
      output += y * y;
      product += x * y;
      fromMean += (x - mean[d]!) ** 2;
    }
    for (let f = row * latents; f < (row + 1) * latents; f++) {
      const value = features[f]!;
      if (value > 0) l0++;
      l1 += Math.abs(value);
    }
    const [inputNorm, outputNorm] = [Math.sqrt(input), Math.sqrt(output)];
    sums.rows++;
    sums.errors += error;
    sums.outputs += output;
    sums.products += product;
    sums.l0 += l0;
    sums.l1 += l1;
    if (input > 0 && output > 0) sums.cosines += product / (inputNorm * outputNorm);
    if (input > 0) {
      sums.ratios += outputNorm / inputNorm;
      sums.ratioRows++;
    }
    this.#norms.input += inputNorm;
    this.#norms.output += outputNorm;
    if (fromMean > 0) {
      this.#legacy.sum += 1 - error / fromMean;
      this.#legacy.rows++;
    }
  }

  /** The sums of a sequence; rows of one come one after another. */
  #sequence(label: number, first: Float32Array): { sums: Sums; spread: ColumnSpread } {
    if (label !== this.#label || this.#perSequence.length === 0) {
      this.#origin ??= Float64Array.from(first);
      this.#perSequence.push({ sums: { ...noSums }, spread: new ColumnSpread(this.#origin) });
      this.#label = label;
    }
    return this.#perSequence.at(-1)!;
  }

  result(): ReconstructionMetrics {
    const rows = this.#moments.count;
    const mean = this.#moments.mean;
    const ratioOf = (numerator: (s: Sums) => number, denominator: (s: Sums) => number = (s) => s.rows): Estimate => {
      const ratio = new Ratio();
      for (const { sums } of this.#perSequence) ratio.add(numerator(sums), denominator(sums));
      return ratio.estimate();
    };
    const unexplained = new Ratio();
    for (const { sums, spread } of this.#perSequence) unexplained.add(sums.errors, spread.around(mean));
    const total = this.#moments.totalSquares;
    const errors = this.#perSequence.reduce((sum, { sums }) => sum + sums.errors, 0);
    return {
      rows,
      sequences: this.#perSequence.length,
      l0: ratioOf((s) => s.l0),
      l1: ratioOf((s) => s.l1),
      mse: ratioOf((s) => s.errors),
      // The value with the variance of the moments, which is the exacter one; around it the sequences vary as the ratio does.
      fve: { ...oneMinus(unexplained.estimate()), value: 1 - errors / total },
      legacyFve: this.#legacy.sum / this.#legacy.rows,
      cosine: ratioOf((s) => s.cosines),
      norm: { input: this.#norms.input / rows, output: this.#norms.output / rows },
      normRatio: ratioOf(
        (s) => s.ratios,
        (s) => s.ratioRows,
      ),
      relativeBias: ratioOf(
        (s) => s.outputs,
        (s) => s.products,
      ),
    };
  }
}

/** A sequence's rows around any centre that is only known in the end. */
class ColumnSpread {
  readonly #origin: Float64Array;
  readonly #sum: Float64Array;
  #squares = 0;
  #rows = 0;

  constructor(origin: Float64Array) {
    this.#origin = origin;
    this.#sum = new Float64Array(origin.length);
  }

  add(data: Float32Array, start: number): void {
    for (let d = 0; d < this.#origin.length; d++) {
      const apart = data[start + d]! - this.#origin[d]!;
      this.#sum[d]! += apart;
      this.#squares += apart * apart;
    }
    this.#rows++;
  }

  /** Σ ‖x − centre‖² */
  around(centre: Float64Array): number {
    let squares = this.#squares;
    for (let d = 0; d < centre.length; d++) {
      const shift = centre[d]! - this.#origin[d]!;
      squares += shift * (this.#rows * shift - 2 * this.#sum[d]!);
    }
    return squares;
  }
}
