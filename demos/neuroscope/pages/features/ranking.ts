import type { InkSegment } from "@cursive/cursive-model";
import type { Bars } from "@cursive/sae";
import type { AblationOnInk, FeatureOnInk } from "../../engine/features.ts";

/** Which of a segment's two tokens counts: the one that has just chosen a direction, the one that completes it, or the stronger. */
export type Show = "theta" | "r" | "max";
/**
 * What features are ranked by: how much their firing tells ({@link specificity}), activation, its rank among the feature's own, or what the
 * loss rises by without it.
 */
export type RankBy = "specific" | "size" | "quantile" | "loss";

/** A feature in the list beside the ink. */
export interface Ranked {
  readonly index: number;
  /** Its strongest activation here. */
  readonly value: number;
  /** What it is ranked by; null where that is not known. */
  readonly score: number | null;
}

/** A feature's activation at each token, zeros included. */
export function alongTokens({ places, values }: FeatureOnInk, tokens: number): Float32Array {
  const dense = new Float32Array(tokens);
  for (const [i, place] of places.entries()) dense[place] = values[i]!;
  return dense;
}

/** A number a token as a number a segment. */
export function alongSegments(
  dense: ArrayLike<number>,
  { segments, show }: { readonly segments: readonly InkSegment[]; readonly show: Show },
): number[] {
  const at = (place: number | null): number => (place === null ? 0 : (dense[place] ?? 0));
  return segments.map(({ thetaIndex, radiusIndex }) => {
    if (show === "theta") return at(thetaIndex);
    return show === "r" ? at(radiusIndex) : Math.max(at(thetaIndex), at(radiusIndex));
  });
}

/**
 * What a segment cost: a number for the token after each place, summed over the places that foretold the segment's own two tokens.
 * Losses and divergences are of what comes next.
 */
export function foretold(next: ArrayLike<number>, segments: readonly InkSegment[]): number[] {
  const at = (place: number | null): number => (place === null || place === 0 ? 0 : (next[place - 1] ?? 0));
  return segments.map(({ thetaIndex, radiusIndex }) => at(thetaIndex) + at(radiusIndex));
}

/**
 * The share of a feature's firings that are weaker, from 0 to 1, by its histogram; within a bar they are taken to lie evenly. Null without
 * firings.
 */
export function quantileOf(value: number, { edges, heights }: Bars): number | null {
  const all = heights.reduce((a, b) => a + b, 0);
  if (!(all > 0)) return null;
  const below = heights.reduce((sum, height, i) => {
    const [low, high] = [edges[i]!, edges[i + 1]!];
    return sum + height * Math.min(1, Math.max(0, (value - low) / (high - low)));
  }, 0);
  return below / all;
}

/**
 * How much it tells that a feature fires so: the share of its highest activation, times the bits that a firing of it tells, −log₂ of how much
 * of the ink it fires on. Features that fire almost everywhere, such as those of places on the paper, come to nearly 0.
 */
export function specificity(value: number, { max, density }: { readonly max: number; readonly density: number }): number {
  return max > 0 && density > 0 ? Math.min(1, value / max) * -Math.log2(Math.min(1, density)) : 0;
}

/**
 * Features that fire on the ink, or on one segment of it, in their order; those of unknown score come last, by activation.
 *
 * @example
 * ```ts
 * rankFeatures(reading.features, { by: "size", segments, show: "r", segment: 12 })[0]; // what fires strongest there
 * ```
 */
export function rankFeatures(
  features: readonly FeatureOnInk[],
  options: {
    readonly by: RankBy;
    readonly segments: readonly InkSegment[];
    readonly show: Show;
    /** The chosen segment's number; null for all of the ink. */
    readonly segment: number | null;
    /** What is known of features over the corpus, by their numbers. */
    readonly known?: readonly { readonly max: number; readonly density: number }[];
    readonly histograms?: ReadonlyMap<number, Bars>;
    readonly ablations?: ReadonlyMap<number, AblationOnInk>;
  },
): Ranked[] {
  const { by, segments, show, segment, known, histograms, ablations } = options;
  const wanted = placesOf(segment === null ? segments : segments.slice(segment, segment + 1), show);
  const ranked = features.flatMap((feature): Ranked[] => {
    const { index } = feature;
    const value = feature.places.reduce((most, place, i) => (wanted.has(place) ? Math.max(most, feature.values[i]!) : most), 0);
    if (!(value > 0)) return [];
    if (by === "specific") return [{ index, value, score: known?.[index] ? specificity(value, known[index]) : null }];
    if (by === "size") return [{ index, value, score: value }];
    if (by === "quantile") {
      const bars = histograms?.get(index);
      return [{ index, value, score: bars ? quantileOf(value, bars) : null }];
    }
    const rises = ablations?.get(index)?.rises;
    const sum = rises && [...wanted].reduce((total, place) => total + (rises[place] ?? 0), 0);
    return [{ index, value, score: sum === undefined ? null : sum / wanted.size }];
  });
  return ranked.sort(
    (a, b) => (b.score ?? Number.NEGATIVE_INFINITY) - (a.score ?? Number.NEGATIVE_INFINITY) || b.value - a.value || a.index - b.index,
  );
}

function placesOf(segments: readonly InkSegment[], show: Show): Set<number> {
  const places = segments.flatMap(({ thetaIndex, radiusIndex }) => [
    show === "r" ? null : thetaIndex,
    show === "theta" ? null : radiusIndex,
  ]);
  return new Set(places.filter((place) => place !== null));
}
