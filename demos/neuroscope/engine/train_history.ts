import { type HostTensor, TensorError } from "@cursive/tensor";

/** Numbers a step, for curves: columns by name, one number a step each; NaN where there is none. */
export class TrainHistory {
  readonly columns: readonly string[];
  readonly #rows: number[][] = [];

  constructor(columns: readonly string[]) {
    this.columns = columns;
  }

  /** Steps told of. */
  get length(): number {
    return this.#rows.length;
  }

  /** Takes the numbers of the next step in; what is missing is NaN. */
  add(values: Readonly<Record<string, number | undefined>>): void {
    this.#rows.push(this.columns.map((name) => Math.fround(values[name] ?? Number.NaN)));
  }

  /** Sets some numbers of the last step; those without a column, as in the curves of an older run, are left out. */
  amend(values: Readonly<Record<string, number>>): void {
    const last = this.#rows.at(-1);
    for (const [name, value] of Object.entries(values)) {
      const column = this.columns.indexOf(name);
      if (last && column >= 0) last[column] = Math.fround(value);
    }
  }

  /** Forgets what came after a step, which the first column counts. */
  cutAfter(step: number): void {
    while (this.#rows.length > 0 && this.#rows.at(-1)![0]! > step) this.#rows.pop();
  }

  /** The rows from one on, plain. */
  since(row: number): number[][] {
    return this.#rows.slice(row).map((values) => [...values]);
  }

  /** `[steps, columns]` */
  toTensor(): HostTensor {
    return { shape: [this.#rows.length, this.columns.length], dtype: "f32", data: Float32Array.from(this.#rows.flat()) };
  }

  /** Reads {@link toTensor}'s back. @throws TensorError if it has other columns. */
  static from(columns: readonly string[], { shape, data }: HostTensor): TrainHistory {
    if (shape.length !== 2 || shape[1] !== columns.length)
      throw new TensorError(`Expected curves of ${columns.length} columns but found [${shape.join(", ")}]`);
    const history = new TrainHistory(columns);
    for (let i = 0; i < shape[0]!; i++) history.#rows.push(Array.from(data.subarray(i * columns.length, (i + 1) * columns.length)));
    return history;
  }
}
