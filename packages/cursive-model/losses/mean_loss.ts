/** A mean loss with what is needed to judge it. */
export interface LossMeasure {
  /** Mean cross-entropy a target, in nats. NaN where there is no target. */
  readonly loss: number;
  /**
   * Standard error of `loss`, in nats: how far it would vary over other draws of as many sequences. Targets of one sequence depend on each
   * other, so sequences are what is counted. NaN for fewer than two of them.
   */
  readonly standardError: number;
  /** `loss` in bits. */
  readonly bits: number;
  /** e to the loss: among how many equally likely tokens the model is as unsure. */
  readonly perplexity: number;
  /** Share of targets that were the likeliest token (top 1). */
  readonly accuracy: number;
  /** Targets. */
  readonly count: number;
  /** Sequences that they are from. */
  readonly sequences: number;
}

/** Sums over the targets of one sequence, or over some of them. */
export interface LossSums {
  /** Sum of the losses, in nats. */
  readonly loss: number;
  readonly count: number;
  /** Targets that were the likeliest token. */
  readonly hits: number;
}

/**
 * Adds up losses a sequence at a time, in float64. The same sequences in the same order give the same bits, however they were batched.
 *
 * The standard error is that of a ratio of sums over sequences (W. Cochran, "Sampling Techniques", 1977, section 6.4): with L, n the sums
 * and counts of m sequences and r = ΣL/Σn, it is √(m/(m-1) · Σ(L - r·n)²) / Σn.
 *
 * @example
 * ```ts
 * const mean = new MeanLoss();
 * mean.add({ loss: 12.5, count: 10, hits: 3 });
 * mean.measure().loss; // 1.25
 * ```
 */
export class MeanLoss {
  readonly #losses: number[] = [];
  readonly #counts: number[] = [];
  #hits = 0;

  /** Adds a sequence. One without targets is no sequence of these. */
  add({ loss, count, hits }: LossSums): void {
    if (count === 0) return;
    this.#losses.push(loss);
    this.#counts.push(count);
    this.#hits += hits;
  }

  measure(): LossMeasure {
    const sequences = this.#counts.length;
    const count = sum(this.#counts);
    const loss = sum(this.#losses) / count;
    const squares = sum(this.#losses.map((value, i) => (value - loss * this.#counts[i]!) ** 2));
    return {
      loss,
      standardError: sequences < 2 ? Number.NaN : Math.sqrt((sequences / (sequences - 1)) * squares) / count,
      bits: loss / Math.LN2,
      perplexity: Math.exp(loss),
      accuracy: this.#hits / count,
      count,
      sequences,
    };
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
