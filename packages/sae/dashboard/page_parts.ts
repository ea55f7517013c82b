import type { LatentFirings } from "../analysis/activation_index.ts";
import type { Example, LatentExamples } from "../analysis/examples.ts";
import type { LatentTuning } from "../analysis/tuning.ts";
import type { Bars } from "../formats/feature_data.ts";
import type { ExampleGroup, FeatureExampleCard, FeaturePage, FeatureSummary } from "./feature_pages.ts";

/** Bars of the histogram of activations, and of the small picture in the list. */
const [BARS, SPARKS] = [40, 16];
/** Model dimensions named. */
const NEURONS = 10;
/** Firings of at most this share of the highest are near zero. */
export const nearZeroShare = 0.05;

/** How often which activation above 0: bars of equal width up to the highest. */
export function activationBars({ activations }: LatentFirings, { bars = BARS }: { readonly bars?: number } = {}): Bars {
  const max = activations.reduce((a, b) => Math.max(a, b), 0);
  if (max === 0) return { edges: [], heights: [] };
  const heights = new Array<number>(bars).fill(0);
  for (const value of activations) heights[Math.min(bars - 1, Math.floor((value / max) * bars))]!++;
  return { edges: Array.from({ length: bars + 1 }, (_, i) => (max * i) / bars), heights };
}

/** The same as heights from 0 to 1 by the logarithm of counts. */
export function sparkline(firings: LatentFirings): number[] {
  const { heights } = activationBars(firings, { bars: SPARKS });
  const greatest = Math.log1p(heights.reduce((a, b) => Math.max(a, b), 0));
  return heights.map((count) => Math.log1p(count) / greatest);
}

/** `dense` fires on more than 10% of the rows, `dead` on none. */
export function stateOf(density: number): FeatureSummary["state"] {
  return density > 0.1 ? "dense" : density > 0 ? "alive" : "dead";
}

/** The factor that tells the most of it, by bits beyond chance; null if none is certain. */
export function selectivityOf({ factors }: LatentTuning, { leastZ = 6 }: { readonly leastZ?: number } = {}): FeatureSummary["selectivity"] {
  const telling = factors
    .filter(({ z }) => z >= leastZ)
    .map(({ name, bits, shuffled }) => ({ factor: name, bits: Math.max(0, bits - shuffled.mean) }));
  return telling.sort((a, b) => b.bits - a.bits)[0] ?? null;
}

/** Model dimensions that a decoder row writes to most. */
export function strongestNeurons(direction: ArrayLike<number>): FeaturePage["neurons"] {
  return Array.from(direction, (weight, index) => ({ index, weight }))
    .sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight) || a.index - b.index)
    .slice(0, NEURONS);
}

/** Cards in groups, as feature pages show them. Bands without examples are left out. */
export function exampleGroups(found: LatentExamples, firings: LatentFirings): ExampleGroup[] {
  const card = cardMaker(firings);
  const shareOf = (isIn: (value: number) => boolean): number => firings.activations.filter(isIn).length / firings.activations.length;
  const [least, faint] = [found.top.at(-1)?.activation ?? 0, found.max * nearZeroShare];
  const groups: ExampleGroup[] = [
    { kind: "top", from: least, to: found.max, share: shareOf((value) => value >= least), examples: found.top.map(card) },
    ...found.bands.map(({ from, to, share, examples }) => ({ kind: "band" as const, from, to, share, examples: examples.map(card) })),
    { kind: "random", from: 0, to: found.max, share: 1, examples: found.random.map(card) },
    { kind: "near zero", from: 0, to: faint, share: shareOf((value) => value <= faint), examples: found.nearZero.map(card) },
  ];
  return groups.filter(({ examples }) => examples.length > 0);
}

/** Makes cards: an example with all that the feature does in its sequence. */
function cardMaker({ sequences, positions, activations }: LatentFirings): (example: Example) => FeatureExampleCard {
  const ranges = new Map<number, { readonly from: number; to: number }>();
  for (const [i, sequence] of sequences.entries()) {
    const range = ranges.get(sequence);
    if (range) range.to = i + 1;
    else ranges.set(sequence, { from: i, to: i + 1 });
  }
  return ({ sequence, position, activation }) => {
    const { from, to } = ranges.get(sequence)!;
    const [own, values] = [positions.subarray(from, to), activations.subarray(from, to)];
    return { sequence, position, activation, positions: Array.from(own), values: Array.from(values) };
  };
}
