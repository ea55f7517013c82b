import { HookError } from "@cursive/tensor";

/** What a run will cache: bytes by name. */
export type CacheEstimate = ReadonlyMap<string, number>;

/** Bytes that a run may cache unless it says otherwise: 512 MB. */
export const CACHE_BUDGET: number = 512 * 2 ** 20;

/** A cache that would be too large, refused before anything ran. */
export class CacheBudgetError extends HookError {
  override name = "CacheBudgetError";
  /** Bytes that the cache would take. */
  readonly bytes: number;
  /** Bytes that it may take. */
  readonly budget: number;
  /** A `namesFilter` that stays within the budget and means as much of what was asked for as can be told by kinds; null if there is none. */
  readonly namesFilter: readonly string[] | null;

  constructor(estimate: CacheEstimate, { budget, run }: { readonly budget: number; readonly run: string }) {
    const bytes = totalOf(estimate);
    const kinds = byKind(estimate);
    const largest = [...kinds].sort(([, a], [, b]) => totalOf(b) - totalOf(a));
    const fitting = largestThatFit(kinds, budget);
    super(
      `Expected a cache of at most ${megabytes(budget)} but found that ${estimate.size} activations of ${run} take ${megabytes(bytes)}, ` +
        `${largest[0]![0]} alone ${megabytes(totalOf(largest[0]![1]))}. ${advice(fitting, kinds)}posSlice, fewer sequences at once, or a larger budget`,
    );
    this.bytes = bytes;
    this.budget = budget;
    this.namesFilter = fitting;
  }
}

/** @throws CacheBudgetError if an estimate is above the budget. */
export function checkBudget(estimate: CacheEstimate, about: { readonly budget: number; readonly run: string }): void {
  if (totalOf(estimate) > about.budget) throw new CacheBudgetError(estimate, about);
}

/** Says what to leave out, or what to keep, whichever is shorter. */
function advice(fitting: readonly string[] | null, kinds: ReadonlyMap<string, CacheEstimate>): string {
  if (!fitting) return "Try ";
  const list = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(", ");
  const dropped = [...kinds.keys()].filter((kind) => !fitting.includes(kind));
  if (dropped.length < fitting.length) return `It fits without ${list(dropped)}: the error's own namesFilter means the rest. Or try `;
  return `Try namesFilter: [${list(fitting)}], `;
}

/** The kinds of activations in all layers, smallest first, as long as they fit; or single ones, where no kind does. */
function largestThatFit(kinds: ReadonlyMap<string, CacheEstimate>, budget: number): string[] | null {
  const whole = take(
    [...kinds].map(([kind, sites]) => [kind, totalOf(sites)]),
    budget,
  );
  if (whole.length > 0) return whole;
  const single = take(
    [...kinds.values()].flatMap((sites) => [...sites]),
    budget,
  );
  return single.length > 0 ? single : null;
}

/** Names by size, as many as fit. */
function take(entries: readonly (readonly [name: string, bytes: number])[], budget: number): string[] {
  const taken: string[] = [];
  let left = budget;
  for (const [name, bytes] of entries.toSorted(([, a], [, b]) => a - b)) {
    left -= bytes;
    if (left >= 0) taken.push(name);
  }
  return taken;
}

/** Activations of all layers together, under their name with `*` for the layer. */
function byKind(estimate: CacheEstimate): Map<string, Map<string, number>> {
  const kinds = new Map<string, Map<string, number>>();
  for (const [name, bytes] of estimate) {
    const kind = name.replace(/^(blocks|transformer\.h)\.\d+\./, "$1.*.");
    const sites = kinds.get(kind) ?? new Map<string, number>();
    kinds.set(kind, sites.set(name, bytes));
  }
  return kinds;
}

function totalOf(estimate: CacheEstimate): number {
  let total = 0;
  for (const bytes of estimate.values()) total += bytes;
  return total;
}

function megabytes(bytes: number): string {
  const value = bytes / 2 ** 20;
  return value >= 10 ? `${Math.round(value)} MB` : `${value.toFixed(1)} MB`;
}
