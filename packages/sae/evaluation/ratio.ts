/** A figure with what is needed to judge it. */
export interface Estimate {
  /** NaN where nothing was measured. */
  readonly value: number;
  /**
   * How far `value` would vary over other draws of as many sequences. Tokens of one sequence depend on each other, so sequences are what is
   * counted. NaN for fewer than two of them.
   */
  readonly standardError: number;
}

/**
 * A ratio of two sums over sequences, in float64: a mean (of sums and counts), a share of variance, a score. The same sequences in the same
 * order give the same bits.
 *
 * The standard error is that of a ratio estimator (W. Cochran, "Sampling Techniques", 1977, section 6.4): with a, b the sums of m sequences and
 * r = Σa/Σb, it is √(m/(m−1) · Σ(a − r·b)²) / |Σb|.
 *
 * @example
 * ```ts
 * const mse = new Ratio();
 * mse.add(12.5, 10); // 10 rows of a sequence, whose squared errors add up to 12.5
 * mse.estimate().value; // 1.25
 * ```
 */
export class Ratio {
  readonly #numerators: number[] = [];
  readonly #denominators: number[] = [];

  /** Adds a sequence's sums. */
  add(numerator: number, denominator: number): void {
    this.#numerators.push(numerator);
    this.#denominators.push(denominator);
  }

  estimate(): Estimate {
    const sequences = this.#numerators.length;
    const below = sum(this.#denominators);
    const value = sum(this.#numerators) / below;
    const squares = sum(this.#numerators.map((a, i) => (a - value * this.#denominators[i]!) ** 2));
    const standardError = sequences < 2 ? Number.NaN : Math.sqrt((sequences / (sequences - 1)) * squares) / Math.abs(below);
    return { value, standardError };
  }
}

/** 1 − r, where r was estimated. */
export function oneMinus({ value, standardError }: Estimate): Estimate {
  return { value: 1 - value, standardError };
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
