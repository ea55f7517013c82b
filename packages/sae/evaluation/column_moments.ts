import { TensorError } from "@cursive/tensor";

/**
 * Means and variances of columns in one pass over rows that come in blocks, in float64. A block's own are computed in two passes and then
 * merged (Chan, Golub and LeVeque 1979), so nothing is lost where the mean is large beside the spread, as E‖x‖² − ‖E x‖² would.
 *
 * @example
 * ```ts
 * const moments = new ColumnMoments(64);
 * for (const rows of blocks) moments.add(rows); // [n, 64], flat
 * moments.mean; // [64]
 * moments.totalSquares; // Σ ‖x − mean‖²
 * ```
 */
export class ColumnMoments {
  readonly width: number;
  #count = 0;
  readonly #mean: Float64Array;
  /** Σ (x − mean)² of each column. */
  readonly #squares: Float64Array;

  constructor(width: number) {
    this.width = width;
    this.#mean = new Float64Array(width);
    this.#squares = new Float64Array(width);
  }

  /** Rows so far. */
  get count(): number {
    return this.#count;
  }

  /** `[D]`; zeros before the first row. */
  get mean(): Float64Array {
    return this.#mean.slice();
  }

  /** `[D]`: Σ (x − mean)² / n. NaN before the first row. */
  get variance(): Float64Array {
    return this.#squares.map((squares) => squares / this.#count);
  }

  /** Σ ‖x − mean‖², over rows and columns. */
  get totalSquares(): number {
    return this.#squares.reduce((a, b) => a + b, 0);
  }

  /** Adds a block `[n, D]`, flat; of these the rows whose flag in `wanted` is not 0. @throws TensorError if it does not divide into rows. */
  add(rows: ArrayLike<number>, wanted?: ArrayLike<number | boolean>): void {
    const { width } = this;
    if (rows.length % width) throw new TensorError(`Expected rows of ${width} numbers but found ${rows.length} in all`);
    const chosen = Array.from({ length: rows.length / width }, (_, row) => row).filter((row) => !wanted || wanted[row]);
    if (chosen.length === 0) return;
    const block = new ColumnMoments(width);
    for (const row of chosen) for (let d = 0; d < width; d++) block.#mean[d]! += rows[row * width + d]!;
    for (let d = 0; d < width; d++) block.#mean[d]! /= chosen.length;
    for (const row of chosen) for (let d = 0; d < width; d++) block.#squares[d]! += (rows[row * width + d]! - block.#mean[d]!) ** 2;
    block.#count = chosen.length;
    this.merge(block);
  }

  /** Takes another's rows in. @throws TensorError if it is of another width. */
  merge(other: ColumnMoments): void {
    if (other.width !== this.width) throw new TensorError(`Expected moments of ${this.width} columns but found ${other.width}`);
    if (other.#count === 0) return;
    const count = this.#count + other.#count;
    const share = other.#count / count;
    for (let d = 0; d < this.width; d++) {
      const apart = other.#mean[d]! - this.#mean[d]!;
      this.#mean[d]! += apart * share;
      this.#squares[d]! += other.#squares[d]! + apart * apart * this.#count * share;
    }
    this.#count = count;
  }
}
