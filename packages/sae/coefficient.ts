/** A weight of a loss, with its units: the number alone means nothing, since tools differ in what they sum and what they average. */
export interface Coefficient {
  /** Of the loss in `losses`. */
  readonly name: string;
  readonly value: number;
  /** Whether the loss is a sum over the rows of the batch, so that it grows with them, or a mean. */
  readonly reduction: "sum" | "mean";
  /** What it multiplies for one row, such as `Σ_F f`. */
  readonly of: string;
}

/** What a coefficient weighs against one row's squared error, in a batch of so many rows. */
export function effective({ value, reduction }: Coefficient, rows: number): number {
  return reduction === "sum" ? value * rows : value;
}

/** A coefficient as a person reads it: value, formula, units, and what it comes to for each row. */
export function describeCoefficient(c: Coefficient, rows: number): string {
  const formula = c.reduction === "sum" ? `sum over ${rows.toLocaleString("en")} rows of ${c.of}` : `mean over rows of ${c.of}`;
  return `${c.name}: ${number(c.value)} × ${formula}; ${number(effective(c, rows))} a row against mean ‖x̂ − x‖²`;
}

const number = (value: number): string => String(Number(value.toPrecision(4)));
