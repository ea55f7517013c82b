import type { FeatureOverview, FeatureSource } from "@cursive/sae/dashboard";
import { type Signal, signal } from "@preact/signals";
import type { VNode } from "preact";
import { useBench } from "../../app/bench_context.ts";
import { count } from "../../app/format.ts";
import type { SaeFacts } from "../../engine/bench.ts";
import type { BenchClient } from "../../engine/client.ts";
import type { LiveFeaturesProgress } from "../../engine/live_features.ts";
import { shippedFeatures } from "./feature_source.ts";

/** Pages that were built in this tab, and of which autoencoder as it was opened: opened again, it has none in the engine. */
const built: Signal<{ readonly sae: SaeFacts; readonly overview: FeatureOverview; readonly source: FeatureSource } | null> = signal(null);

const phases: Readonly<Record<LiveFeaturesProgress["phase"], string>> = {
  reading: "Reading words",
  measuring: "Measuring the autoencoder's loss",
  tuning: "Looking at what features are tuned to",
  ablating: "Taking features out one by one",
  attributing: "Tracing features to letters",
};

/** Pages of features, and what tells the labels of their autoencoder from those of others. */
export interface Pages {
  readonly source: FeatureSource;
  readonly overview: FeatureOverview;
  readonly labelsKey: string;
}

/** The pages of the autoencoder that is in place: the app's own, those built here, or none yet (null); undefined before that is known. */
export function usePages(shipped: FeatureOverview | null | undefined): Pages | null | undefined {
  const { sae, status, isOwnSae } = useBench();
  const present = sae.value;
  if (shipped === undefined) return undefined;
  // Until the engine knows better, and where there is none, the app's own pages are worth looking at.
  if (shipped && (status.value.kind !== "ready" || isOwnSae.value)) {
    const { title, createdAt } = shipped.about;
    return { source: shippedFeatures, overview: shipped, labelsKey: `labels of ${title}, ${createdAt}` };
  }
  if (!present || built.value?.sae !== present) return null;
  return { ...built.value, labelsKey: `labels of ${present.name}, ${present.id}` };
}

/** The building that goes on, or that failed: it does not end when one looks at another page. */
interface Building {
  readonly sae: SaeFacts;
  readonly controller: AbortController;
  readonly progress?: LiveFeaturesProgress;
  readonly error?: string;
}

const building: Signal<Building | null> = signal(null);

async function build(bench: BenchClient, sae: SaeFacts): Promise<void> {
  const controller = new AbortController();
  const own: Building = { sae, controller };
  building.value = own;
  const change = (next: Building | null): void => {
    if (building.peek()?.controller === controller) building.value = next;
  };
  try {
    const { signal } = controller;
    const overview = await bench.ask("liveFeatures", {}, { signal, onProgress: (progress) => change({ ...own, progress }) });
    built.value = { sae, overview, source: liveSource(bench) };
    change(null);
  } catch (error) {
    change(controller.signal.aborted ? null : { ...own, error: error instanceof Error ? error.message : String(error) });
  }
}

/** Builds the pages of an autoencoder that has none, in the tab. */
export function BuildPages({ sae }: { readonly sae: SaeFacts }): VNode {
  const bench = useBench();
  const own = building.value?.sae === sae ? building.value : null;
  const { progress, error } = own ?? {};
  return (
    <div class="card build-pages">
      <h2>
        {sae.name}: {count(sae.features)} features of {sae.hook}
      </h2>
      {error && <p class="notice bad">{error}</p>}
      {own && !error ? (
        <>
          <p role="status">
            {progress ? phases[progress.phase] : "Starting"}
            {progress && `: ${count(progress.done)}${progress.total === null ? "" : ` of ${count(progress.total)}`}`}
          </p>
          <progress aria-label="Feature pages" max={1} {...(progress?.total && { value: progress.done / progress.total })} />
          <p>
            <button type="button" onClick={() => own.controller.abort(new DOMException("The page asked to stop", "AbortError"))}>
              Cancel
            </button>
          </p>
        </>
      ) : (
        <>
          <p>
            It has no feature pages yet. They are built here, on 256 words in the built-in hand: seconds on a GPU, minutes on software
            WebGPU. What other pages ask for waits meanwhile.
          </p>
          <button type="button" class="primary" onClick={() => void build(bench, sae)}>
            Build feature pages
          </button>
        </>
      )}
    </div>
  );
}

/** Pages that the engine holds, asked for one by one. */
function liveSource(bench: BenchClient): FeatureSource {
  return {
    overview: () =>
      built.peek() ? Promise.resolve(built.peek()!.overview) : Promise.reject(new Error("Expected built pages but found none")),
    page: (index) => bench.ask("liveFeaturePage", { index }),
    sequence: (number) => bench.ask("liveFeatureSequence", { number }),
  };
}
