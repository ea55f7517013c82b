import {
  createFeatureView,
  createLabelStore,
  FeatureBrowser,
  type FeatureViewState,
  featureViewParams,
  featureViewQuery,
  readFeatureViewQuery,
} from "@cursive/sae/dashboard/view";
import { useSignalEffect } from "@preact/signals";
import type { VNode } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import { useBench } from "../../app/bench_context.ts";
import { hasLetterKeys, type Shortcut, useShortcuts } from "../../app/keys.ts";
import { LoadingStages } from "../../app/loading_stages.tsx";
import { OpenAutoencoder } from "../../app/open_file.tsx";
import { goTo, linkTo, route, setParams } from "../../app/route.ts";
import { shippedFeatures, useOverview } from "./feature_source.ts";
import { BuildPages, type Pages, usePages } from "./live_pages.tsx";
import { ScopeTab } from "./scope_tab.tsx";
import { SteerTab } from "./steer_tab.tsx";

const tabs = [
  { path: "", title: "All features" },
  { path: "scope", title: "Scope" },
  { path: "steer", title: "Steer" },
] as const;

/** Features of an autoencoder: their list and pages, features on any ink, and what becomes of the ink when they are turned up. */
export function FeaturesPage(): VNode {
  const bench = useBench();
  const { model, status, sae } = bench;
  const [first = ""] = route.value.path;
  const tab = first === "scope" || first === "steer" ? first : "";
  const pages = usePages(useOverview(shippedFeatures).value);
  return (
    <div class="features-page">
      <h1 class="visually-hidden">Features</h1>
      <nav class="feature-tabs" aria-label="Features">
        {tabs.map(({ path, title }) => (
          <a href={linkTo("features", { path: path ? [path] : [] })} aria-current={path === tab ? "page" : undefined}>
            {title}
          </a>
        ))}
      </nav>
      {tab === "" && pages ? (
        <Browser key={pages.labelsKey} {...pages} />
      ) : status.value.kind === "failed" ? null : status.value.kind === "loading" || !model.value || pages === undefined ? (
        <LoadingStages stages={status.value.kind === "loading" ? status.value.stages : []} />
      ) : !sae.value ? (
        <NoAutoencoder />
      ) : tab === "" ? (
        <BuildPages sae={sae.value} />
      ) : tab === "scope" ? (
        <ScopeTab model={model.value} source={pages?.source} overview={pages?.overview ?? null} />
      ) : (
        <SteerTab model={model.value} overview={pages?.overview ?? null} />
      )}
    </div>
  );
}

/** The list hears them itself. */
const listKeys: readonly Shortcut[] = [
  { key: "/", does: "To the search" },
  { key: "j", does: "Next feature in the list" },
  { key: "k", does: "Feature before" },
  { key: "escape", does: "Back to the list" },
];

/** The browser's, where it lets us. */
function storage(): Storage | null {
  try {
    return globalThis.localStorage;
  } catch {
    return null;
  }
}

/** The list and the pages, which need no GPU. */
function Browser({ source, labelsKey }: Pages): VNode {
  const labels = useMemo(() => createLabelStore(labelsKey, storage()), [labelsKey]);
  const view = useMemo(() => createFeatureView(), []);
  useAddress(view);
  useShortcuts("Features", listKeys);
  return (
    <FeatureBrowser
      source={source}
      view={view}
      labels={labels}
      hasLetterKeys={hasLetterKeys.value}
      hrefOf={(index) => linkTo("features", { path: index === null ? [] : [index], params: Object.fromEntries(featureViewQuery(view)) })}
    />
  );
}

/** Keeps what is chosen in the link, and follows the link. What else the link holds, such as the text of other pages, is left alone. */
function useAddress(view: FeatureViewState): void {
  const { path, params } = route.value;
  const query = viewPart(params).toString();
  const [first] = path;
  useEffect(() => {
    const index = first !== undefined && /^\d+$/.test(first) ? Number(first) : null;
    if (view.selected.peek() !== index) view.selected.value = index;
    if (featureViewQuery(view).toString() !== query) readFeatureViewQuery(view, new URLSearchParams(query));
  }, [view, first, query]);
  useSignalEffect(() => {
    const index = view.selected.value;
    const wanted = featureViewQuery(view);
    const { page, path: at, params: now } = route.peek();
    if (page !== "features") return;
    const shown = /^\d+$/.test(at[0] ?? "") ? Number(at[0]) : null;
    if (index !== shown) goTo("features", { path: index === null ? [] : [index], params: Object.fromEntries(wanted) });
    else if (wanted.toString() !== viewPart(now).toString()) {
      const gone = Object.fromEntries([...viewPart(now).keys()].filter((name) => !wanted.has(name)).map((name) => [name, null]));
      setParams({ ...gone, ...Object.fromEntries(wanted) });
    }
  });
}

/** What of a link is the list's. */
function viewPart(params: URLSearchParams): URLSearchParams {
  return new URLSearchParams([...params].filter(([name]) => featureViewParams.includes(name)));
}

function NoAutoencoder(): VNode {
  return (
    <div class="card">
      <h2>This model has no autoencoder yet</h2>
      <p>
        Train one on the <a href={linkTo("train", { params: { kind: "sae" } })}>Train page</a>, or open the <code>sae.safetensors</code>{" "}
        that <code>pnpm cli sae train</code> made of this model.
      </p>
      <OpenAutoencoder />
    </div>
  );
}
