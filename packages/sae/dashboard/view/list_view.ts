import type { FeatureSummary } from "../feature_pages.ts";

/** What features can be ordered by. */
export const sortKeys = ["index", "density", "max", "label", "selectivity", "deltaCe"] as const;
/** One of {@link sortKeys}. */
export type SortKey = (typeof sortKeys)[number];

/** The states that a feature can be in. */
export const featureStates: readonly FeatureSummary["state"][] = ["alive", "dense", "dead"];

/** Which features a list shows, in which order. */
export interface ListView {
  /** Words that all have to be met: by the number, the label or a letter. */
  readonly query: string;
  /** Only these; all of them if none is named. */
  readonly states: readonly FeatureSummary["state"][];
  /** Only features that this factor tells most of; null for all. */
  readonly factor: string | null;
  /** log₁₀ of densities, from and to; null for all, dead ones included. */
  readonly range: readonly [from: number, to: number] | null;
  readonly sort: SortKey;
  readonly descending: boolean;
}

/** All features, those that say most about themselves first. */
export const defaultListView: ListView = { query: "", states: [], factor: null, range: null, sort: "selectivity", descending: true };

/**
 * The features that a view shows, in its order; those without the number that it sorts by come last either way.
 *
 * @param options.labels - Labels of one's own, in the place of those found.
 * @example
 * ```ts
 * listFeatures(overview.features, { ...defaultListView, query: "down 142" });
 * ```
 */
export function listFeatures(
  features: readonly FeatureSummary[],
  view: ListView,
  { labels = new Map() }: { readonly labels?: ReadonlyMap<number, string> } = {},
): FeatureSummary[] {
  const terms = view.query.toLowerCase().split(/\s+/).filter(Boolean);
  const labelOf = (feature: FeatureSummary): string => labels.get(feature.index) ?? feature.label ?? "";
  const shown = features.filter(
    (feature) =>
      (view.states.length === 0 || view.states.includes(feature.state)) &&
      (view.factor === null || feature.selectivity?.factor === view.factor) &&
      (view.range === null || isWithin(feature.density, view.range)) &&
      terms.every((term) => meets(term, feature, labelOf(feature).toLowerCase())),
  );
  const sign = view.descending ? -1 : 1;
  const keyOf = (feature: FeatureSummary): number | string | null => {
    if (view.sort === "label") return labelOf(feature).toLowerCase() || null;
    return view.sort === "selectivity" ? (feature.selectivity?.bits ?? null) : feature[view.sort];
  };
  return shown
    .map((feature) => ({ feature, key: keyOf(feature) }))
    .sort((a, b) => {
      if (a.key === null || b.key === null) return Number(a.key === null) - Number(b.key === null) || a.feature.index - b.feature.index;
      const order = a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
      return sign * order || a.feature.index - b.feature.index;
    })
    .map(({ feature }) => feature);
}

/** The feature so many lines below another one in a list; null beyond its ends. From one that the list leaves out, its first. */
export function stepInList(shown: readonly FeatureSummary[], index: number | null, by: number): number | null {
  const at = shown.findIndex((feature) => feature.index === index);
  return shown[at < 0 ? 0 : at + by]?.index ?? null;
}

/** Whether a view leaves features out. */
export function isFiltering({ query, states, factor, range }: ListView): boolean {
  return query.trim() !== "" || states.length > 0 || factor !== null || range !== null;
}

/** A number is met by an id that starts with it or a label that has it, a letter by labels that name it, anything else by labels. */
function meets(term: string, { index }: FeatureSummary, label: string): boolean {
  if (/^#?\d+$/.test(term) && String(index).startsWith(term.replace("#", ""))) return true;
  return [...term].length === 1 && !/\d/.test(term) ? lettersOf(label).includes(term) : label.includes(term);
}

/** The letters that a label names: of `pen down, letter d or o` d and o. */
function lettersOf(label: string): string[] {
  const clause = /letter (\S(?: or \S)*)/u.exec(label)?.[1];
  return clause ? clause.split(" or ") : [];
}

function isWithin(density: number, [from, to]: readonly [number, number]): boolean {
  const at = Math.log10(density);
  return at >= from - 1e-9 && at <= to + 1e-9;
}
