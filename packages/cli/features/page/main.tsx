import { createFeatureView, createLabelStore, FeatureBrowser, featureViewQuery, readFeatureViewQuery } from "@cursive/sae/dashboard/view";
import { effect } from "@preact/signals";
import { render } from "preact";
import { openFeatureFolder } from "./feature_folder.ts";
import { Shell } from "./shell.tsx";

const source = openFeatureFolder();
const view = createFeatureView();

/** Takes what is shown from the address: `#/18?q=down`. */
function readAddress(): void {
  const [path = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  readFeatureViewQuery(view, new URLSearchParams(query));
  view.selected.value = /^\d+$/.test(path) ? Number(path) : null;
}

function addressOf(index: number | null): string {
  const query = featureViewQuery(view).toString();
  return `#/${index ?? ""}${query ? `?${query}` : ""}`;
}

readAddress();
addEventListener("hashchange", readAddress);
let shown = view.selected.value;
effect(() => {
  const address = addressOf(view.selected.value);
  const isSamePage = view.selected.value === shown;
  shown = view.selected.value;
  if (address === (location.hash || "#/")) return;
  // another page is another step of the history, another order of the list is not
  history[isSamePage ? "replaceState" : "pushState"](null, "", address);
});

/** What a browser keeps for pages; null where it keeps nothing. */
function storage(): Storage | null {
  try {
    return localStorage;
  } catch {
    return null;
  }
}

const overview = source.overview();
const labels = overview.then(
  ({ about }) => createLabelStore(`labels of ${about.title}, ${about.createdAt}`, storage()),
  () => createLabelStore("labels", null),
);
const root = document.getElementById("features")!;
labels.then((store) =>
  render(
    <Shell overview={overview} homeHref="#/">
      <FeatureBrowser source={source} view={view} labels={store} hrefOf={addressOf} />
    </Shell>,
    root,
  ),
);
