import type { BinnedFactor, ClassFactor, ScaleFactor } from "./factor.ts";
import type { RowFirings } from "./tuning.ts";

/** Fewer firings than this say nothing. */
const LEAST_FIRINGS = 10;
/** Silent rows that each bin gets besides its own, so that one firing in a bin that is seldom met does not outweigh others. */
const SILENT_ROWS = 20;

/**
 * What firings prefer, in words; null if there are few, or they are spread. Each activation counts over the number of rows in its bin: what
 * is met often is not yet preferred. Rows are those that have a value.
 */
export function clauseOf(binned: BinnedFactor, { rows, activations }: RowFirings): string | null {
  const { factor, codes, occupancy } = binned;
  if (rows.length < LEAST_FIRINGS) return null;
  const points = Array.from(rows, (row, i) => ({
    value: factor.values[row]!,
    code: codes[row]!,
    weight: activations[i]! / (occupancy[codes[row]!]! + SILENT_ROWS),
  }));
  if (factor.kind === "angle") return angleClause(factor.name, points);
  if (factor.kind === "scale") return scaleClause(factor, points);
  const profile = new Array<number>(occupancy.length).fill(0);
  for (const { code, weight } of points) profile[code]! += weight;
  return isNarrow(profile, occupancy) ? classClause(factor, profile) : null;
}

interface Weighted {
  readonly value: number;
  readonly weight: number;
}

/** Circular mean and standard deviation √(−2 ln R) (Mardia and Jupp, Directional Statistics, 2.3), up to about 60°. */
function angleClause(name: string, points: readonly Weighted[]): string | null {
  let [x, y, total] = [0, 0, 0];
  for (const { value, weight } of points) {
    x += weight * Math.cos(value);
    y += weight * Math.sin(value);
    total += weight;
  }
  const length = Math.hypot(x, y) / total;
  if (length < 0.6) return null;
  const degrees = (radians: number): number => Math.round((radians * 180) / Math.PI);
  const deviation = Math.sqrt(Math.max(0, -2 * Math.log(length)));
  return `${name} ${(degrees(Math.atan2(y, x)) + 360) % 360}° ± ${degrees(deviation)}`;
}

/** Whether a profile is concentrated: 2^entropy, which is the number of bins of an even one, up to 0.6 of those that have rows. */
function isNarrow(profile: readonly number[], occupancy: readonly number[]): boolean {
  const total = profile.reduce((a, b) => a + b, 0);
  const bits = profile.reduce((sum, p) => (p > 0 ? sum - (p / total) * Math.log2(p / total) : sum), 0);
  return 2 ** bits <= 0.6 * occupancy.filter((rows) => rows > 0).length;
}

/** The fewest classes with 85% of the profile, up to three. */
function classClause({ name, labels, phrase }: ClassFactor, profile: readonly number[]): string | null {
  const total = profile.reduce((a, b) => a + b, 0);
  const chosen: string[] = [];
  let reached = 0;
  for (const code of profile.map((_, k) => k).toSorted((a, b) => profile[b]! - profile[a]!)) {
    if (reached >= 0.85 * total) break;
    chosen.push(labels[code]!);
    reached += profile[code]!;
  }
  if (chosen.length > 3) return null;
  return phrase ? phrase(chosen) : `${name} ${chosen.join(" or ")}`;
}

/** Clauses as a label: those that say nothing new are left out, such as `pen down` beside `at pen-down lengths`. */
export function labelOf(clauses: readonly string[], { most }: { readonly most: number }): string | null {
  const words = (clause: string): string[] => clause.split(/[^\p{L}\p{N}.°±]+/u);
  const isTold = (clause: string): boolean =>
    clauses.some((other) => words(other).length > words(clause).length && words(clause).every((word) => words(other).includes(word)));
  return (
    clauses
      .filter((clause) => !isTold(clause))
      .slice(0, most)
      .join(", ") || null
  );
}

/** From where to where the middle 80% of the weight lies, if that is the range of half of the rows or fewer. */
function scaleClause({ name, values }: ScaleFactor, points: readonly Weighted[]): string | null {
  const sorted = points.toSorted((a, b) => a.value - b.value);
  const total = sorted.reduce((sum, { weight }) => sum + weight, 0);
  const quantile = (share: number): number => {
    let reached = 0;
    for (const { value, weight } of sorted) {
      reached += weight;
      if (reached >= share * total) return value;
    }
    return sorted.at(-1)!.value;
  };
  const [low, high] = [quantile(0.1), quantile(0.9)];
  let [known, within] = [0, 0];
  for (let row = 0; row < values.length; row++) {
    if (!Number.isNaN(values[row])) known++;
    if (values[row]! >= low && values[row]! <= high) within++;
  }
  if (within > known / 2) return null;
  const [from, to] = [low, high].map((value) => String(Number(value.toPrecision(2))));
  return from === to ? `${name} ${from}` : `${name} ${from} to ${to}`;
}
