import type { Bars } from "@cursive/sae";
import { type FeatureOverview, type FeatureSource, featureFileSource, parseFeatureFile } from "@cursive/sae/dashboard";
import { type ReadonlySignal, type Signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

/** The features that the app ships, out of its own static files: `pnpm cli sae features` wrote them. */
export const shippedFeatures: FeatureSource = featureFileSource(async (file) => {
  const response = await fetch(`assets/features/data/${file}`);
  if (!response.ok) throw new Error(`Expected assets/features/data/${file} but found status ${response.status}`);
  return parseFeatureFile(await response.text()).value;
});

/** The overview of a source: undefined until it is there, null where there is none. */
export function useOverview(source: FeatureSource): ReadonlySignal<FeatureOverview | null | undefined> {
  const overview: Signal<FeatureOverview | null | undefined> = useSignal<FeatureOverview | null | undefined>(undefined);
  useEffect(() => {
    let isWanted = true;
    const take = (value: FeatureOverview | null): void => {
      if (isWanted) overview.value = value;
    };
    source.overview().then(take, () => take(null));
    return () => {
      isWanted = false;
    };
  }, [source, overview]);
  return overview;
}

/** Pages that are asked for at once. */
const AT_ONCE = 8;
const histograms = new WeakMap<FeatureSource, Map<number, Bars>>();

/** How often each of these features has which activation, from their pages, which are read once; those that are there by now. */
export function useHistograms(source: FeatureSource, features: readonly number[] | undefined): ReadonlyMap<number, Bars> {
  const known = histograms.get(source) ?? new Map<number, Bars>();
  histograms.set(source, known);
  const version = useSignal(0);
  const key = features?.join(",");
  useEffect(() => {
    let isWanted = true;
    const missing = (features ?? []).filter((index) => !known.has(index));
    const read = async (): Promise<void> => {
      for (let index = missing.shift(); index !== undefined && isWanted; index = missing.shift()) {
        const { activations } = await source.page(index);
        known.set(index, activations);
      }
    };
    Promise.all(Array.from({ length: AT_ONCE }, () => read().catch(() => undefined))).then(() => {
      if (isWanted) version.value++;
    });
    return () => {
      isWanted = false;
    };
  }, [source, known, key, version]);
  version.value;
  return known;
}
