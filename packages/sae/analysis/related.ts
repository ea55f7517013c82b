import { type HostTensor, TensorError } from "@cursive/tensor";
import type { RowFirings } from "./tuning.ts";

/** Another latent, and how close it is: a cosine or a correlation. */
export interface Related {
  readonly latent: number;
  readonly value: number;
}

/**
 * The latents whose decoder rows point most alike, by cosine; the first of equals first. Latents with a row of zeros are near to none.
 *
 * @param decoder - W_dec `[F, D]`.
 * @example
 * ```ts
 * nearestLatents(state.get("W_dec")!, { latent: 18, count: 5 }); // [{ latent: 77, value: 0.83 }, …]
 * ```
 */
export function nearestLatents(
  decoder: HostTensor,
  { latent, count = 10 }: { readonly latent: number; readonly count?: number },
): Related[] {
  const [latents, width] = decoder.shape as [number, number];
  const rows = decoder.data as ArrayLike<number>;
  const dot = (a: number, b: number): number => {
    let sum = 0;
    for (let d = 0; d < width; d++) sum += rows[a * width + d]! * rows[b * width + d]!;
    return sum;
  };
  const norm = (a: number): number => Math.sqrt(dot(a, a));
  return strongest(latents, { latent, count, closeness: (other) => dot(latent, other) / (norm(latent) * norm(other)) });
}

/**
 * Correlations (Pearson's) of latents' activations over all rows, silent ones included; exact, from the rows on which they fire alone.
 *
 * @example
 * ```ts
 * const correlation = new LatentCorrelation({ rows: index.info.rows });
 * for (let f = 0; f < dSae; f++) correlation.add(await firingsOf(f));
 * correlation.of(18, { count: 5 }); // [{ latent: 201, value: 0.61 }, …]
 * ```
 */
export class LatentCorrelation {
  readonly #rows: number;
  readonly #latents: { readonly firings: RowFirings; readonly sum: number; readonly squares: number }[] = [];

  constructor({ rows }: { readonly rows: number }) {
    this.#rows = rows;
  }

  /** Adds the next latent, whose rows ascend. @throws TensorError if they do not, or are not there. */
  add(firings: RowFirings): void {
    const { rows, activations } = firings;
    for (let i = 0; i < rows.length; i++)
      if (!(rows[i]! < this.#rows) || (i > 0 && rows[i]! <= rows[i - 1]!))
        throw new TensorError(`Expected ascending rows below ${this.#rows} but found ${rows[i]}`);
    const values = Float64Array.from(activations);
    this.#latents.push({ firings, sum: values.reduce((a, b) => a + b, 0), squares: values.reduce((a, b) => a + b * b, 0) });
  }

  /** The latents that correlate most with one, the highest first; those that never vary correlate with none. */
  of(latent: number, { count = 10 }: { readonly count?: number } = {}): Related[] {
    const one = this.#latents[latent];
    if (!one) throw new RangeError(`Expected a latent below ${this.#latents.length} but found ${latent}`);
    const n = this.#rows;
    // of each row what the one does there, so that others need one pass over their own firings
    const dense = new Float64Array(n);
    for (let i = 0; i < one.firings.rows.length; i++) dense[one.firings.rows[i]!] = one.firings.activations[i]!;
    const variance = ({ sum, squares }: { sum: number; squares: number }): number => {
      const found = squares / n - (sum / n) ** 2;
      return found > 1e-12 * (squares / n) ? found : 0; // what is left of equal numbers is rounding
    };
    return strongest(this.#latents.length, {
      latent,
      count,
      closeness: (number) => {
        const other = this.#latents[number]!;
        let product = 0;
        for (let i = 0; i < other.firings.rows.length; i++) product += dense[other.firings.rows[i]!]! * other.firings.activations[i]!;
        return (product / n - (one.sum / n) * (other.sum / n)) / Math.sqrt(variance(one) * variance(other));
      },
    });
  }
}

/** The other latents by a value, the greatest first; those for which it is no number are left out. */
function strongest(
  latents: number,
  { latent, count, closeness }: { readonly latent: number; readonly count: number; readonly closeness: (other: number) => number },
): Related[] {
  return Array.from({ length: latents }, (_, other) => other)
    .filter((other) => other !== latent)
    .map((other) => ({ latent: other, value: closeness(other) }))
    .filter(({ value }) => Number.isFinite(value))
    .sort((a, b) => b.value - a.value || a.latent - b.latent)
    .slice(0, count);
}
