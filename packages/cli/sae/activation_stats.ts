/** Mean and spread of activations, gathered row by row in double precision (Welford), so that no split into batches changes it. */
export class ActivationStats {
  readonly #mean: Float64Array;
  readonly #squares: Float64Array;
  #rows = 0;
  #norms = 0;
  #normSquares = 0;

  constructor({ dIn }: { readonly dIn: number }) {
    this.#mean = new Float64Array(dIn);
    this.#squares = new Float64Array(dIn);
  }

  /** Adds rows `[n, D]`, flat. */
  add(rows: Float32Array): void {
    const width = this.#mean.length;
    for (let start = 0; start < rows.length; start += width) this.#addRow(rows.subarray(start, start + width));
  }

  /** Rows so far. */
  get rows(): number {
    return this.#rows;
  }

  /** E‖x‖. */
  get meanNorm(): number {
    return this.#norms / this.#rows;
  }

  /** E‖x‖². */
  get meanSquaredNorm(): number {
    return this.#normSquares / this.#rows;
  }

  /** x̄, `[D]`. */
  get mean(): Float64Array {
    return this.#mean;
  }

  /** Variance of each dimension over the rows, `[D]`. */
  get variance(): Float64Array {
    return this.#squares.map((sum) => sum / this.#rows);
  }

  #addRow(row: Float32Array): void {
    this.#rows++;
    let squared = 0;
    for (const [i, value] of row.entries()) {
      const delta = value - this.#mean[i]!;
      this.#mean[i]! += delta / this.#rows;
      this.#squares[i]! += delta * (value - this.#mean[i]!);
      squared += value * value;
    }
    this.#norms += Math.sqrt(squared);
    this.#normSquares += squared;
  }
}
