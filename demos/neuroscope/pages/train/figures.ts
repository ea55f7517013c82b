/** A loss or a rate as people read it: four figures, small ones with an exponent. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (value !== 0 && Math.abs(value) < 1e-3) return value.toExponential(1).replace("e-", "e−");
  return String(Number(value.toPrecision(4)));
}

/** Seconds as a clock: `0:07`, `12:40`, `1:02:00`. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (value: number): string => String(value).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes}:${two(whole % 60)}` : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}

/** A speed: `940`, `12.4 k`, `1.20 M`. */
export function speed(perSecond: number): string {
  if (perSecond < 1000) return String(Math.round(perSecond));
  if (perSecond < 1e6) return `${(perSecond / 1000).toPrecision(3)} k`;
  return `${(perSecond / 1e6).toPrecision(3)} M`;
}

type Row = readonly number[];

/**
 * Columns of rows that grow, as a chart takes them: steps, then for each line its numbers, and after those of a smoothed one a mean in which
 * later numbers weigh more. Only rows that are new or changed are looked at again.
 */
export class GrowingColumns {
  /** The first is the steps; null where there is no number. The same arrays as long as the lines are the same. */
  readonly data: (number | null)[][];
  readonly #lines: readonly { readonly column: number; readonly smooth?: number | undefined }[];
  readonly #seen: Row[] = [];
  /** By line: the mean after each row, and what it weighs. */
  readonly #means: { readonly mean: number; readonly weight: number }[][];

  constructor(lines: readonly { readonly column: number; readonly smooth?: number | undefined }[]) {
    this.#lines = lines;
    this.#means = lines.map(() => []);
    this.data = [[], ...lines.flatMap(({ smooth }) => (smooth ? [[], []] : [[]]))];
  }

  /** Takes the rows as they are now; a row that has not changed must be the same object. */
  take(rows: readonly Row[]): void {
    let kept = Math.min(this.#seen.length, rows.length);
    while (kept > 0 && this.#seen[kept - 1] !== rows[kept - 1]) kept--;
    for (const list of [this.#seen, ...this.data, ...this.#means]) list.length = kept;
    for (let i = kept; i < rows.length; i++) this.#add(rows[i]!);
  }

  #add(row: Row): void {
    this.#seen.push(row);
    this.data[0]!.push(row[0]!);
    let place = 1;
    for (const [line, { column, smooth }] of this.#lines.entries()) {
      const value = row[column];
      const plain = value !== undefined && Number.isFinite(value) ? value : null;
      this.data[place++]!.push(plain);
      if (!smooth) continue;
      const before = this.#means[line]!.at(-1) ?? { mean: 0, weight: 0 };
      const weight = before.weight * smooth + 1;
      const now = plain === null ? before : { mean: before.mean + (plain - before.mean) / weight, weight };
      this.#means[line]!.push(now);
      this.data[place++]!.push(plain === null ? null : now.mean);
    }
  }
}
