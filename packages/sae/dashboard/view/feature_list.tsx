// biome-ignore-all lint/a11y/useSemanticElements: lines of a virtual list are placed one by one, which those of a table cannot be
// biome-ignore-all lint/a11y/useFocusableInteractive: the grid has the focus, and names its active line
import { type Signal, useComputed, useSignal } from "@preact/signals";
import type { RefObject, VNode } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { FeatureOverview } from "../feature_pages.ts";
import { ExportLabels } from "./export_labels.tsx";
import { FeatureRow } from "./feature_row.tsx";
import { counted, plural } from "./format.ts";
import type { LabelStore } from "./label_store.ts";
import { ListFilters, sortNames } from "./list_filters.tsx";
import { defaultListView, isFiltering, type ListView, listFeatures, type SortKey } from "./list_view.ts";
import { scrollToRow, visibleRows } from "./virtual_rows.ts";

/** What {@link FeatureList} shows. */
export interface FeatureListProps {
  readonly overview: FeatureOverview;
  readonly view: Signal<ListView>;
  /** The feature whose page is open. */
  readonly selected: Signal<number | null>;
  readonly labels: LabelStore;
  /** The address of a feature's page. */
  readonly hrefOf: (index: number) => string;
  /** The search field, for whoever wants to put the focus there. */
  readonly search?: RefObject<HTMLInputElement | null>;
}

/** Of each row, in pixels; the style sheet has the same. */
const ROW_HEIGHT = 52;

const columns: readonly { readonly key: SortKey | null; readonly cell: string; readonly name: string }[] = [
  { key: "index", cell: "index", name: "№" },
  { key: "label", cell: "label", name: "label" },
  { key: null, cell: "state", name: "state" },
  { key: null, cell: "sparkline", name: "activations" },
  { key: "density", cell: "density", name: "density" },
  { key: "max", cell: "max", name: "max" },
  { key: "selectivity", cell: "selectivity", name: "selectivity" },
  { key: "deltaCe", cell: "cost", name: "ΔCE" },
];

/**
 * All features of an autoencoder in a list that stays quick with thousands, as only the lines in sight exist. j and k or the arrows go from one
 * to the next, Enter opens.
 */
export function FeatureList(props: FeatureListProps): VNode {
  const { overview, view, selected, labels, hrefOf } = props;
  const own = useRef<HTMLInputElement>(null);
  const search = props.search ?? own;
  const shown = useComputed(() => listFeatures(overview.features, view.value, { labels: labels.labels.value })).value;
  const at = useSignal<number | null>(selected.peek());
  const scrolled = useSignal({ top: 0, height: 640 });
  const body = useRef<HTMLDivElement>(null);
  const place = shown.findIndex(({ index }) => index === at.value);

  useLayoutEffect(() => {
    const element = body.current!;
    const measure = (): void => {
      scrolled.value = { top: element.scrollTop, height: element.clientHeight };
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, [scrolled]);

  const show = (row: number): void => {
    const element = body.current!;
    element.scrollTop = scrollToRow(row, { rowHeight: ROW_HEIGHT, scrollTop: element.scrollTop, height: element.clientHeight });
  };
  // a page that opens from elsewhere, such as a link to a neighbour, takes the list along, once it is as high as it gets
  const { height } = scrolled.value;
  useEffect(() => {
    if (selected.value === null) return;
    at.value = selected.value;
    const row = shown.findIndex(({ index }) => index === selected.value);
    if (row >= 0) show(row);
  }, [selected.value, height]);

  const move = (to: number): void => {
    const row = Math.max(0, Math.min(shown.length - 1, to));
    if (!shown[row]) return;
    at.value = shown[row].index;
    show(row);
    if (selected.value !== null) selected.value = at.value;
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || (event.target as Element).closest("button, a")) return;
    const page = Math.max(1, Math.floor(scrolled.value.height / ROW_HEIGHT) - 1);
    const steps: Readonly<Record<string, number>> = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, PageDown: page, PageUp: -page };
    if (event.key === "Enter" && place >= 0) selected.value = at.value;
    else if (event.key === "Home") move(0);
    else if (event.key === "End") move(shown.length - 1);
    else if (steps[event.key] !== undefined) move(place < 0 ? 0 : place + steps[event.key]!);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  const { sort, descending } = view.value;
  const { first, last } = visibleRows({
    count: shown.length,
    rowHeight: ROW_HEIGHT,
    scrollTop: scrolled.value.top,
    height: scrolled.value.height,
  });
  return (
    <section class="fv-list" aria-label="Features">
      <ListFilters overview={overview} view={view} search={search} />
      <p class="fv-count" role="status">
        {isFiltering(view.value)
          ? `${counted(shown.length)} of ${plural(overview.features.length, "feature")}`
          : plural(shown.length, "feature")}
        <button type="button" hidden={!isFiltering(view.value)} onClick={() => clearFilters(view)}>
          Clear filters
        </button>{" "}
        <ExportLabels labels={labels} />
      </p>
      <div
        role="grid"
        class="fv-grid-table"
        tabIndex={0}
        aria-label="Features"
        aria-rowcount={shown.length + 1}
        aria-activedescendant={place >= first && place < last ? `fv-row-${at.value}` : undefined}
        onKeyDown={onKeyDown}
      >
        <div role="rowgroup">
          <div role="row" class="fv-head" aria-rowindex={1}>
            {columns.map(({ key, cell, name }) => (
              <span
                key={cell}
                role="columnheader"
                class={`fv-cell-${cell}`}
                aria-sort={key === sort ? (descending ? "descending" : "ascending") : undefined}
              >
                {key === null ? (
                  name
                ) : (
                  <button type="button" title={`Order by ${sortNames[key]}`} onClick={() => orderBy(view, key)}>
                    {name}
                    {key === sort && (descending ? " ↓" : " ↑")}
                  </button>
                )}
              </span>
            ))}
          </div>
        </div>
        <div
          role="rowgroup"
          class="fv-body"
          ref={body}
          onScroll={({ currentTarget }) => {
            scrolled.value = { top: currentTarget.scrollTop, height: currentTarget.clientHeight };
          }}
        >
          <div class="fv-rows" role="presentation" style={{ height: `${shown.length * ROW_HEIGHT}px` }}>
            {shown.slice(first, last).map((feature, i) => (
              <FeatureRow
                key={feature.index}
                feature={feature}
                label={labels.labels.value.get(feature.index)}
                href={hrefOf(feature.index)}
                id={`fv-row-${feature.index}`}
                line={first + i + 2}
                top={(first + i) * ROW_HEIGHT}
                isAt={feature.index === at.value}
                isOpen={feature.index === selected.value}
                onOpen={() => {
                  at.value = feature.index;
                  selected.value = feature.index;
                }}
              />
            ))}
          </div>
        </div>
      </div>
      {shown.length === 0 && (
        <p class="fv-empty">
          No features match.{" "}
          <button type="button" onClick={() => clearFilters(view)}>
            Clear filters
          </button>
        </p>
      )}
    </section>
  );
}

function clearFilters(view: Signal<ListView>): void {
  const { sort, descending } = view.value;
  view.value = { ...defaultListView, sort, descending };
}

/** By another column: the greatest first, of names and numbers the first; by the same one, turned round. */
function orderBy(view: Signal<ListView>, sort: SortKey): void {
  const descending = view.value.sort === sort ? !view.value.descending : sort !== "index" && sort !== "label";
  view.value = { ...view.value, sort, descending };
}
