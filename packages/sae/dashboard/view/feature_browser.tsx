import { useComputed } from "@preact/signals";
import type { VNode } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import type { FeatureOverview, FeatureSource } from "../feature_pages.ts";
import { AboutFeatures } from "./about_features.tsx";
import { FeatureList } from "./feature_list.tsx";
import { FeaturePageLoader } from "./feature_page.tsx";
import { Gallery } from "./gallery.tsx";
import type { LabelStore } from "./label_store.ts";
import { listFeatures, stepInList } from "./list_view.ts";
import { useLoaded } from "./use_loaded.ts";
import type { FeatureViewState } from "./view_state.ts";

/** What {@link FeatureBrowser} shows. */
export interface FeatureBrowserProps {
  readonly source: FeatureSource;
  /** What is chosen; the host keeps it in its address, and may change it. */
  readonly view: FeatureViewState;
  readonly labels: LabelStore;
  /** The address of a feature's page, and of the list for null. */
  readonly hrefOf: (index: number | null) => string;
  /** Whether `/`, `j` and `k` are heard wherever the focus is. Default true; who speaks to the machine wants none of it. */
  readonly hasLetterKeys?: boolean;
}

/**
 * Features of an autoencoder: the list beside the page of the one that is open; on narrow screens one at a time. `/` goes to the search, `j` and
 * `k` to the next and the previous feature, Escape back to the list.
 *
 * @example
 * ```tsx
 * const view = createFeatureView();
 * render(<FeatureBrowser source={source} view={view} labels={labels} hrefOf={(index) => `#/${index ?? ""}`} />, document.body);
 * ```
 */
export function FeatureBrowser(props: FeatureBrowserProps): VNode {
  const { source } = props;
  const { value: overview, error } = useLoaded(source, source, (of) => of.overview());
  if (error !== null) return <p class="fv fv-problem">The features cannot be read: {error}</p>;
  if (!overview)
    return (
      <p class="fv fv-empty" role="status">
        Reading features…
      </p>
    );
  return <LoadedBrowser {...props} overview={overview} />;
}

/** What {@link LoadedBrowser} shows. */
export interface LoadedBrowserProps extends FeatureBrowserProps {
  readonly overview: FeatureOverview;
}

/** The same, once the list is there. */
export function LoadedBrowser({ overview, source, view, labels, hrefOf, hasLetterKeys = true }: LoadedBrowserProps): VNode {
  const root = useRef<HTMLDivElement>(null);
  const search = useRef<HTMLInputElement>(null);
  const main = useRef<HTMLDivElement>(null);
  const selected = view.selected.value;
  const shown = useComputed(() => listFeatures(overview.features, view.list.value, { labels: labels.labels.value }));
  const addressAt = (by: number): string | null => {
    const index = stepInList(shown.value, selected, by);
    return index === null ? null : hrefOf(index);
  };

  useEffect(() => {
    const page = main.current!;
    page.scrollTop = 0;
    if (root.current!.getBoundingClientRect().top < 0) root.current!.scrollIntoView(); // where the whole page scrolls, on phones
    const { activeElement } = page.ownerDocument;
    const isGone = activeElement !== null && root.current!.contains(activeElement) && activeElement.getClientRects().length === 0;
    if (isGone) page.focus({ preventScroll: true }); // the list has made room for the page
  }, [selected]);
  useLayoutEffect(() => {
    const { ownerDocument } = root.current!;
    const step = (by: number): void => {
      view.selected.value = stepInList(shown.value, view.selected.value, by) ?? view.selected.value;
    };
    const goToSearch = (): void => {
      search.current!.focus();
      if (search.current === ownerDocument.activeElement) return; // at once: what is typed next belongs there
      view.selected.value = null; // the list had made room for a page
      requestAnimationFrame(() => search.current?.focus());
    };
    const onKeyDown = (event: KeyboardEvent): void => {
      const target = event.target as Element | null;
      if (ownerDocument.querySelector("dialog[open]")) return; // its keys are not the list's
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      if (target?.matches("input:not([type=radio]):not([type=checkbox]), select, textarea, [contenteditable]")) {
        if (event.key === "Escape" && target === search.current) search.current.blur();
        return;
      }
      if (event.key === "/" && hasLetterKeys) goToSearch();
      else if (event.key === "j" && hasLetterKeys) step(1);
      else if (event.key === "k" && hasLetterKeys) step(-1);
      else if (event.key === "Escape" && view.selected.value !== null) view.selected.value = null;
      else return;
      event.preventDefault();
    };
    ownerDocument.addEventListener("keydown", onKeyDown);
    return () => ownerDocument.removeEventListener("keydown", onKeyDown);
  }, [view, shown, hasLetterKeys]);

  return (
    <div class="fv" ref={root}>
      <div class="fv-split" data-open={selected === null ? undefined : ""}>
        <FeatureList overview={overview} view={view.list} selected={view.selected} labels={labels} hrefOf={hrefOf} search={search} />
        <div class="fv-main" ref={main} tabIndex={-1}>
          {selected === null ? (
            <>
              <AboutFeatures overview={overview} />
              <Gallery overview={overview} source={source} labels={labels} hrefOf={hrefOf} />
            </>
          ) : (
            <FeaturePageLoader
              index={selected}
              overview={overview}
              source={source}
              view={view.ink}
              labels={labels}
              hrefOf={hrefOf}
              listHref={hrefOf(null)}
              previousHref={addressAt(-1)}
              nextHref={addressAt(1)}
            />
          )}
        </div>
      </div>
    </div>
  );
}
