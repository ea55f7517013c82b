import type { FeatureOverview, FeatureSource } from "@cursive/sae/dashboard";
import { type Signal, signal, useSignal } from "@preact/signals";
import type { VNode } from "preact";
import { useEffect } from "preact/hooks";
import { useBench } from "../../app/bench_context.ts";
import { count } from "../../app/format.ts";
import type { SaeFacts } from "../../engine/bench.ts";
import type { BenchClient } from "../../engine/client.ts";
import type { LiveFeaturesProgress } from "../../engine/live_features.ts";
import { shippedFeatures } from "./feature_source.ts";
import { useAnswer } from "./use_answer.ts";

/** Pages that were built in this tab, and of which autoencoder. */
const built: Signal<{ readonly sae: SaeFacts; readonly overview: FeatureOverview; readonly source: FeatureSource } | null> = signal(null);

const phases: Readonly<Record<LiveFeaturesProgress["phase"], string>> = {
  reading: "Reading words",
  measuring: "Measuring the autoencoder's loss",
  tuning: "Looking at what features are tuned to",
  ablating: "Taking features out one by one",
  attributing: "Tracing features to letters",
};

/** Whether the app's own pages are of this autoencoder. */
function isShipped({ name, hook, features }: SaeFacts, { about }: FeatureOverview): boolean {
  return about.title === `${name}, ${hook}` && about.dSae === features;
}

/** The pages of the autoencoder that is in place: the app's own, those built here, or none yet (null); undefined before that is known. */
export function usePages(
  shipped: FeatureOverview | null | undefined,
): { readonly source: FeatureSource; readonly overview: FeatureOverview } | null | undefined {
  const { sae, status } = useBench();
  const present = sae.value;
  if (shipped === undefined) return undefined;
  // Until the engine knows better, and where there is none, the app's own pages are worth looking at.
  if (shipped && (status.value.kind !== "ready" || (present && isShipped(present, shipped))))
    return { source: shippedFeatures, overview: shipped };
  return built.value && built.value.sae === present ? built.value : null;
}

/** Builds the pages of an autoencoder that has none, in the tab. */
export function BuildPages({ sae }: { readonly sae: SaeFacts }): VNode {
  const bench = useBench();
  const isAsked = useSignal(false);
  const asked = useAnswer("liveFeatures", isAsked.value ? {} : undefined).value;
  const { answer, progress, error } = asked;
  useEffect(() => {
    if (answer) built.value = { sae, overview: answer, source: liveSource(bench) };
  }, [answer, bench, sae]);
  return (
    <div class="card build-pages">
      <h2>
        {sae.name}: {count(sae.features)} features of {sae.hook}
      </h2>
      {error && <p class="notice bad">{error}</p>}
      {isAsked.value && !error ? (
        <>
          <p role="status">
            {progress ? phases[progress.phase] : "Starting"}
            {progress && `: ${count(progress.done)}${progress.total === null ? "" : ` of ${count(progress.total)}`}`}
          </p>
          <progress aria-label="Feature pages" max={1} {...(progress?.total && { value: progress.done / progress.total })} />
          <p>
            <button
              type="button"
              onClick={() => {
                isAsked.value = false;
              }}
            >
              Cancel
            </button>
          </p>
        </>
      ) : (
        <>
          <p>
            It has no feature pages yet. They are built here, on 256 words in the built-in hand: seconds on a GPU, minutes on software
            WebGPU. Other pages wait meanwhile.
          </p>
          <button
            type="button"
            class="primary"
            onClick={() => {
              isAsked.value = true;
            }}
          >
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
