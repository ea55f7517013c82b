import type { Signal } from "@preact/signals";
import type { RefObject, VNode } from "preact";
import type { FeatureOverview } from "../feature_pages.ts";
import { DensityBrush } from "./density_brush.tsx";
import { counted } from "./format.ts";
import { featureStates, type ListView, type SortKey } from "./list_view.ts";

/** What {@link ListFilters} shows and changes. */
export interface ListFiltersProps {
  readonly overview: FeatureOverview;
  readonly view: Signal<ListView>;
  readonly search: RefObject<HTMLInputElement | null>;
}

/** What features can be ordered by, in words. */
export const sortNames: Readonly<Record<SortKey, string>> = {
  index: "number",
  density: "density",
  max: "max",
  label: "label",
  selectivity: "selectivity",
  deltaCe: "ΔCE",
};

/** Search, states, factors, order and densities of a list of features. */
export function ListFilters({ overview, view, search }: ListFiltersProps): VNode {
  const { query, states, factor, range, sort, descending } = view.value;
  const change = (changes: Partial<ListView>): void => {
    view.value = { ...view.value, ...changes };
  };
  const counts = (state: string): number => overview.features.filter((feature) => feature.state === state).length;
  const factors = [...new Set(overview.features.flatMap(({ selectivity }) => (selectivity ? [selectivity.factor] : [])))].sort();
  return (
    <search class="fv-filters">
      <input
        ref={search}
        type="search"
        value={query}
        placeholder="Search number, label, letter"
        aria-label="Search features by number, label or letter"
        aria-keyshortcuts="/"
        onInput={({ currentTarget }) => change({ query: currentTarget.value })}
      />
      <fieldset class="fv-states">
        <legend class="fv-hidden">States</legend>
        {featureStates.map((state) => (
          <label key={state} class={`fv-toggle fv-${state}`}>
            <input
              type="checkbox"
              checked={states.includes(state)}
              onChange={({ currentTarget }) =>
                change({ states: currentTarget.checked ? [...states, state] : states.filter((other) => other !== state) })
              }
            />
            {state} <small>{counted(counts(state))}</small>
          </label>
        ))}
      </fieldset>
      <label class="fv-select">
        tuned to
        <select value={factor ?? ""} onChange={({ currentTarget }) => change({ factor: currentTarget.value || null })}>
          <option value="">anything</option>
          {factors.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label class="fv-select">
        by
        <select value={sort} onChange={({ currentTarget }) => change({ sort: currentTarget.value as SortKey })}>
          {Object.entries(sortNames).map(([key, name]) => (
            <option key={key} value={key}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <button type="button" class="fv-order" onClick={() => change({ descending: !descending })}>
        {descending ? "↓" : "↑"}
        <span class="fv-hidden">{descending ? "greatest first; turn round" : "least first; turn round"}</span>
      </button>
      <DensityBrush overview={overview} range={range} onRange={(chosen) => change({ range: chosen })} />
    </search>
  );
}
