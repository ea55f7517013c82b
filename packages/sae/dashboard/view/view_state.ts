import { type Signal, signal } from "@preact/signals";
import { defaultListView, featureStates, type ListView, sortKeys } from "./list_view.ts";

/** How examples are drawn. */
export interface InkView {
  /** Activations at directions, at lengths, or the stronger of both; null leaves it to the feature. */
  readonly show: "theta" | "radius" | "max" | null;
  /** The strongest colour is the feature's maximum, or each example's own. */
  readonly scale: "shared" | "own";
  readonly form: "ink" | "table";
}

/** What a person chose to see. Hosts keep it in their address. */
export interface FeatureViewState {
  /** The feature whose page is open; null for none. */
  readonly selected: Signal<number | null>;
  readonly list: Signal<ListView>;
  readonly ink: Signal<InkView>;
}

const defaultInkView: InkView = { show: null, scale: "shared", form: "ink" };

/** The names that {@link featureViewQuery} may use: a host that has others in its address leaves those alone. */
export const featureViewParams: readonly string[] = ["q", "state", "factor", "density", "sort", "show", "scale", "form"];

/** A view of all features, with none open. */
export function createFeatureView(): FeatureViewState {
  return { selected: signal(null), list: signal(defaultListView), ink: signal(defaultInkView) };
}

/**
 * What differs from the default, for an address; `readFeatureViewQuery` reads it. The selected feature is not in it.
 *
 * @example
 * ```ts
 * location.hash = `#/${view.selected.value}?${featureViewQuery(view)}`;
 * ```
 */
export function featureViewQuery({ list, ink }: FeatureViewState): URLSearchParams {
  const query = new URLSearchParams();
  const { value: l } = list;
  if (l.query.trim()) query.set("q", l.query.trim());
  if (l.states.length > 0) query.set("state", l.states.join("."));
  if (l.factor !== null) query.set("factor", l.factor);
  if (l.range) query.set("density", l.range.join("~"));
  if (l.sort !== defaultListView.sort || l.descending !== defaultListView.descending) query.set("sort", (l.descending ? "-" : "") + l.sort);
  if (ink.value.show !== null) query.set("show", ink.value.show);
  if (ink.value.scale !== defaultInkView.scale) query.set("scale", ink.value.scale);
  if (ink.value.form !== defaultInkView.form) query.set("form", ink.value.form);
  return query;
}

/** Takes a view from an address. What it does not say, or says wrongly, becomes the default. */
export function readFeatureViewQuery({ list, ink }: FeatureViewState, query: URLSearchParams): void {
  const sort = query.get("sort") ?? `-${defaultListView.sort}`;
  const key = sortKeys.find((one) => one === sort.replace("-", ""));
  const [from, to, ...more] = (query.get("density") ?? "").split("~").map(Number.parseFloat);
  list.value = {
    query: query.get("q") ?? "",
    states: featureStates.filter((state) => (query.get("state") ?? "").split(".").includes(state)),
    factor: query.get("factor"),
    range: Number.isFinite(from) && Number.isFinite(to) && from! < to! && more.length === 0 ? [from!, to!] : null,
    sort: key ?? defaultListView.sort,
    descending: key ? sort.startsWith("-") : defaultListView.descending,
  };
  ink.value = {
    show: (["theta", "radius", "max"] as const).find((one) => one === query.get("show")) ?? null,
    scale: query.get("scale") === "own" ? "own" : "shared",
    form: query.get("form") === "table" ? "table" : "ink",
  };
}
