import type { Bars } from "@cursive/sae";
import { type FeatureOverview, type FeatureSource, featureFileSource, parseFeatureFile } from "@cursive/sae/dashboard";
import { type ReadonlySignal, type Signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

/** The features that the app ships, out of its own static files. */
export const shippedFeatures: FeatureSource = featureFileSource(async (file) => {
  const response = await fetch(`assets/features/data/${file}.gz`);
  if (!response.ok) throw new Error(`Expected assets/features/data/${file}.gz but found status ${response.status}`);
  return parseFeatureFile(await unzipped(await response.blob())).value;
});

/** A file's text, whether the browser has unpacked it already, as some servers ask for, or not. */
async function unzipped(file: Blob): Promise<string> {
  const [first, second] = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  if (first !== 0x1f || second !== 0x8b) return file.text();
  return new Response(file.stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

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
const none: ReadonlyMap<number, Bars> = new Map();

/** How often each of these features has which activation, from their pages, which are read once; those that are there by now. */
export function useHistograms(source: FeatureSource | undefined, features: readonly number[]): ReadonlyMap<number, Bars> {
  const version = useSignal(0);
  const key = features.join();
  useEffect(() => {
    if (!source) return undefined;
    const known = histograms.get(source) ?? new Map<number, Bars>();
    histograms.set(source, known);
    let isWanted = true;
    const missing = features.filter((index) => !known.has(index));
    const read = async (): Promise<void> => {
      for (let index = missing.shift(); index !== undefined && isWanted; index = missing.shift())
        known.set(index, (await source.page(index)).activations);
    };
    // A page that cannot be read leaves its feature without a quantile.
    void Promise.allSettled(Array.from({ length: AT_ONCE }, read)).then(() => {
      if (isWanted) version.value++;
    });
    return () => {
      isWanted = false;
    };
  }, [source, key, version]);
  void version.value;
  return (source && histograms.get(source)) ?? none;
}
