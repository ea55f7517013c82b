import { makeWords, StrokeTokenizer, strokeColumns, strokeTokenClasses } from "@cursive/cursive-model";
import { createRng } from "@cursive/tensor";
import { strokeFactors } from "../../analysis/stroke_factors.ts";
import { type LatentTuning, Tuning } from "../../analysis/tuning.ts";
import { densityHistogram } from "../../evaluation/feature_activity.ts";
import type {
  CorpusSequence,
  ExampleGroup,
  FeatureExampleCard,
  FeatureOverview,
  FeaturePage,
  FeatureSource,
  FeatureSummary,
} from "../feature_pages.ts";

/** Options of {@link madeFeatures}. */
export interface MadeFeaturesOptions {
  /** Default 24. Every sixth is dead, every sixth dense. */
  readonly features?: number;
  /** Words that they are drawn on. Default 12. */
  readonly words?: number;
  readonly title?: string;
  /** A label in the place of the one found, of feature 0. */
  readonly label?: string;
}

/** A place where a made feature fires. */
interface Firing {
  readonly sequence: number;
  readonly position: number;
  readonly row: number;
  readonly activation: number;
}

/**
 * Feature pages that no model made: features that fire on a direction of the built-in cursive each, as a bump around it, some on one letter
 * only. All that is counted is counted of them, so that pages can be held against it; effects on logits and losses are invented.
 */
export function madeFeatures(options: MadeFeaturesOptions = {}): FeatureSource {
  const { features = 24, words = 12, title = "made features" } = options;
  const tokenizer = new StrokeTokenizer({ alphabet: "abcdefghijklmnopqrstuvwxyz", bins: "polar-73", decode: "centre" });
  const corpus = makeWords({ count: words, characters: tokenizer.alphabet, letters: [2, 6], spacing: 0.04 }).map(
    ({ points, text }): CorpusSequence => {
      const tokens = [...tokenizer.encodeStrokes(points), tokenizer.endToken];
      const letters = tokens.map((_, t) => Math.min([...text].length - 1, Math.floor((t / tokens.length) * [...text].length)));
      return { tokens, text, letters };
    },
  );
  const columns = corpus.map(({ tokens }) => strokeColumns(tokens, { tokenizer }));
  const joined = (name: "theta" | "length" | "pen" | "place" | "token"): number[] => columns.flatMap((column) => [...column[name]]);
  const letter = corpus.flatMap(({ text, letters }) => letters.map((at) => tokenizer.encodeText([...text][at] ?? "")[0] ?? Number.NaN));
  const rows = {
    theta: joined("theta"),
    length: joined("length"),
    pen: joined("pen"),
    place: joined("place"),
    token: joined("token"),
    letter,
  };
  const count = letter.length;
  const tuning = new Tuning(strokeFactors(rows, { tokens: strokeTokenClasses, letters: ["", ...tokenizer.alphabet] }), { shuffles: 4 });
  const firstRows = corpus.map((_, s) => corpus.slice(0, s).reduce((sum, { tokens }) => sum + tokens.length, 0));

  const stateOf = (index: number): FeatureSummary["state"] => (index % 6 === 5 ? "dead" : index % 6 === 4 ? "dense" : "alive");
  const firingsOf = (index: number): Firing[] => {
    if (stateOf(index) === "dead") return [];
    const rng = createRng(1, "made feature", index);
    const [preferred, gain] = [2 * Math.PI * rng.uniform(), 1 + 8 * rng.uniform()];
    const sharpness = stateOf(index) === "dense" ? 0.7 : 6 + 20 * rng.uniform();
    return corpus.flatMap(({ tokens }, sequence) =>
      tokens.flatMap((_, position) => {
        const row = firstRows[sequence]! + position;
        const bump = gain * Math.exp(sharpness * (Math.cos(rows.theta[row]! - preferred) - 1)) * (0.6 + 0.4 * rows.place[row]!);
        return bump > 0.2 * gain ? [{ sequence, position, row, activation: bump }] : [];
      }),
    );
  };
  const tuningOf = (firings: readonly Firing[]): LatentTuning =>
    firings.length === 0
      ? { factors: [], label: null }
      : tuning.of({ rows: firings.map(({ row }) => row), activations: firings.map(({ activation }) => activation) });
  const summaries = Array.from({ length: features }, (_, index): FeatureSummary => {
    const firings = firingsOf(index);
    const { factors, label } = tuningOf(firings);
    const best = factors.toSorted((a, b) => b.share - a.share)[0];
    return {
      index,
      density: firings.length / count,
      max: Math.max(0, ...firings.map(({ activation }) => activation)),
      state: stateOf(index),
      label: index === 0 && options.label !== undefined ? options.label : label,
      selectivity: best ? { factor: best.name, bits: best.bits - best.shuffled.mean } : null,
      deltaCe: firings.length === 0 || index % 4 === 3 ? null : 0.001 * ((index % 7) - 1),
      sparkline: histogramOf(firings, 12).heights.map((height) => Math.log1p(height) / Math.log1p(firings.length || 1)),
    };
  });

  return {
    overview: async (): Promise<FeatureOverview> => ({
      format: "cursive-feature-pages",
      version: 1,
      about: {
        title,
        hook: "blocks.0.hook_mlp_out",
        architecture: "batchtopk",
        dIn: 64,
        dSae: features,
        words: "built-in cursive",
        sequences: corpus.length,
        rows: count,
        createdAt: "2026-01-02T03:04:05.000Z",
        metrics: {
          l0: summaries.reduce((sum, { density }) => sum + density, 0),
          fve: 0.93,
          deltaCe: 0.021,
          alive: summaries.filter(({ state }) => state !== "dead").length,
          dead: summaries.filter(({ state }) => state === "dead").length,
          dense: summaries.filter(({ state }) => state === "dense").length,
        },
      },
      tokenizer: tokenizer.toJSON(),
      densities: densityHistogram(
        summaries.map(({ density }) => density),
        { rows: count },
      ),
      densityFloor: -Math.log10(count),
      features: summaries,
    }),
    page: async (index): Promise<FeaturePage> =>
      madePage(summaries[index]!, { firings: firingsOf(index), tuning: tuningOf(firingsOf(index)), tokenizer }),
    sequence: async (number) => corpus[number]!,
  };
}

function madePage(
  { index, max, deltaCe }: FeatureSummary,
  {
    firings,
    tuning,
    tokenizer,
  }: { readonly firings: readonly Firing[]; readonly tuning: LatentTuning; readonly tokenizer: StrokeTokenizer },
): FeaturePage {
  const wave = (length: number, phase: number): number[] =>
    Array.from({ length }, (_, i) => Math.sin((6 * i) / length + phase + index) / 8);
  const { theta, radius } = tokenizer.bins;
  const related = [1, 2, 3].map((step, i) => ({ latent: (index + step) % 24, value: 0.8 - 0.2 * i }));
  const ranked = firings.toSorted((a, b) => b.activation - a.activation);
  const cardOf = ({ sequence, position, activation }: Firing): FeatureExampleCard => {
    const there = firings.filter((firing) => firing.sequence === sequence);
    return { sequence, position, activation, positions: there.map((one) => one.position), values: there.map((one) => one.activation) };
  };
  const group = (kind: ExampleGroup["kind"], [from, to]: readonly [number, number], some: readonly Firing[]): ExampleGroup => ({
    kind,
    from,
    to,
    share: firings.filter(({ activation }) => activation > from && activation <= to).length / Math.max(1, firings.length),
    examples: some.map(cardOf),
  });
  const between = (from: number, to: number): Firing[] =>
    ranked.filter(({ activation }) => activation > from && activation <= to).slice(0, 5);
  return {
    index,
    firings: firings.length,
    decoderNorm: 1 + 0.01 * index,
    activations: histogramOf(firings, 30),
    tuning,
    logits: {
      theta: wave(theta.length, 0),
      radiusDown: wave(radius.length, 1),
      radiusUp: wave(radius.length, 2).map((effect) => effect / 3),
      special: [
        { name: "PAD", effect: 0 },
        { name: "END", effect: -0.12 },
      ],
    },
    ablation:
      deltaCe === null
        ? null
        : {
            deltaCe,
            deltaCeError: Math.abs(deltaCe) / 5,
            deltaCeWhereFiring: 8 * deltaCe,
            klWhereFiring: 0.03,
            byClass: strokeTokenClasses.slice(0, 3).map((token, i) => ({ token, deltaCe: (9 - 6 * i) * deltaCe, count: 100 * (i + 1) })),
            sequences: 8,
            sequencesFiring: 10,
            count: Math.min(64, firings.length),
          },
    letters:
      firings.length === 0
        ? null
        : {
            method: "first-order",
            count: Math.min(64, firings.length),
            preActivation: 0.6 * max,
            total: 0.3 * max,
            characters: [..."adgoqc", ""].map((character, i) => ({ character, mean: 0.3 - 0.07 * i, count: 40 - 5 * i })),
            offsets: [-2, -1, 0, 1, 2].map((offset) => ({ offset, mean: 0.3 / (1 + offset * offset), count: 50 - offset })),
            heads: [0, 1, 2, 3].map((head) => ({ layer: 0, head, mean: 0.1 - 0.04 * head })),
          },
    nearest: related,
    correlated: firings.length === 0 ? [] : related.toReversed(),
    neurons: [7, 21, 40].map((dimension, i) => ({ index: dimension, weight: 0.5 - 0.4 * i })),
    examples:
      firings.length === 0
        ? []
        : [
            group("top", [0, max], ranked.slice(0, 8)),
            group("band", [0.5 * max, max], between(0.5 * max, max)),
            group("band", [0, 0.5 * max], between(0, 0.5 * max)),
            group("random", [0, max], ranked.filter((_, i) => i % 7 === 3).slice(0, 5)),
            group("near zero", [0, 0.25 * max], ranked.slice(-4)),
          ],
    topTokens: ranked.slice(0, 20).map(({ sequence, position, activation }) => ({ sequence, position, activation })),
  };
}

/** How many firings have which activation, from 0 to the greatest. */
function histogramOf(firings: readonly Firing[], bins: number): { edges: number[]; heights: number[] } {
  const max = Math.max(0, ...firings.map(({ activation }) => activation)) || 1;
  const heights = new Array<number>(bins).fill(0);
  for (const { activation } of firings) heights[Math.min(bins - 1, Math.floor((activation / max) * bins))]!++;
  return { edges: Array.from({ length: bins + 1 }, (_, i) => (i * max) / bins), heights };
}
