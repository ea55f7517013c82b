import { activations, datasetBatches, type StrokeTokenizer, type Transformer, type WordDataset } from "@cursive/cursive-model";
import type { LatentActivity, SparseAutoencoder } from "@cursive/sae";
import { noGrad, type Tensor } from "@cursive/tensor";
import { boxOf, type InkBox } from "./train_ink.ts";

/** What features do on some held-out ink now. */
export interface SaeLook {
  readonly kind: "sae";
  /** The share of ink tokens that each feature fires on. */
  readonly density: readonly number[];
  /** 1 for features that have been silent for so many rows of training that they count as dead. */
  readonly dead: readonly number[];
  /** The feature that is watched. */
  readonly feature: FeatureNow;
}

/** A feature on the ink where it is strongest. */
export interface FeatureNow {
  readonly index: number;
  /** Its greatest activation on a segment. */
  readonly max: number;
  readonly inks: readonly FeatureInk[];
}

/** A held-out word and what a feature does on it. */
export interface FeatureInk {
  readonly text: string;
  readonly tokens: readonly number[];
  /** The activation at each token. */
  readonly values: readonly number[];
  /** What the pen does, in its order. */
  readonly segments: readonly FeatureSegment[];
  readonly box: InkBox;
}

/** A movement of the pen: from and to, the greater of the activations at its two tokens, and 1 if it leaves ink. */
export type FeatureSegment = readonly [x0: number, y0: number, x1: number, y1: number, value: number, drawn: number];

/** Words that a watched feature is drawn on. */
const DRAWN = 6;

interface Sequence {
  readonly text: string;
  readonly tokens: readonly number[];
  /** Its first row among the activations. */
  readonly start: number;
}

/** Activations of some held-out words, on which features are looked at again and again while their weights change. */
export class FeatureProbe {
  readonly #rows: Tensor;
  readonly #tokenizer: StrokeTokenizer;
  readonly #sequences: readonly Sequence[];

  private constructor(rows: Tensor, { sequences, tokenizer }: { sequences: readonly Sequence[]; tokenizer: StrokeTokenizer }) {
    this.#rows = rows;
    this.#tokenizer = tokenizer;
    this.#sequences = sequences;
  }

  /** @throws HookError for a site that has no vector for each token. */
  static async open(
    model: Transformer,
    options: { readonly dataset: WordDataset; readonly site: string; readonly sequences: number },
  ): Promise<FeatureProbe> {
    const { dataset, site, sequences: batchSize } = options;
    const { maxLength, tokenizer } = dataset;
    const batches = datasetBatches(dataset, { split: "test", batchSize, batches: 1 });
    const { lengths, texts } = dataset.batch({ step: 0, batchSize, split: "test" });
    for await (const { activations: found, tokens } of activations(model, batches, { sites: site, chunk: batchSize })) {
      const sequences = texts.map((text, i): Sequence => {
        const start = i * maxLength;
        return { text, start, tokens: inkOf(tokens.subarray(start, start + Math.min(lengths[i]!, maxLength - 1)), tokenizer) };
      });
      return new FeatureProbe(found[site]!.clone(), { sequences, tokenizer });
    }
    throw new RangeError("Expected held-out words but found none");
  }

  /** What all features do now. Without a `feature`, one is chosen that fires strongly and seldom. */
  async look(
    sae: SparseAutoencoder,
    options: { readonly scale: number; readonly activity: LatentActivity; readonly deadAfter: number; readonly feature?: number },
  ): Promise<SaeLook> {
    const { scale, activity, deadAfter } = options;
    const { dSae } = sae.config;
    const features = (await noGrad(() => sae.encode(this.#rows.mul(scale))).data()) as Float32Array; // [N, F]
    const dead = Array.from(await activity.silentRows.data(), (rows) => Number(rows >= deadAfter));
    const counts = new Array<number>(dSae).fill(0);
    const most = new Array<number>(dSae).fill(0);
    let total = 0;
    for (const { start, tokens } of this.#sequences) {
      total += tokens.length;
      for (let row = start; row < start + tokens.length; row++) {
        for (let f = 0; f < dSae; f++) {
          const value = features[row * dSae + f]!;
          if (value <= 0) continue;
          counts[f]!++;
          if (value > most[f]!) most[f] = value;
        }
      }
    }
    const density = counts.map((count) => count / total);
    const index = options.feature ?? strongAndRare(density, most);
    const inks = this.#sequences.map(({ text, tokens, start }): FeatureInk => {
      const values = tokens.map((_, t) => Math.max(0, features[(start + t) * dSae + index]!));
      return { text, tokens, values, ...this.#drawn({ tokens, values }) };
    });
    inks.sort((a, b) => strongest(b) - strongest(a));
    return { kind: "sae", density, dead, feature: { index, max: strongest(inks[0]!), inks: inks.slice(0, DRAWN) } };
  }

  #drawn({ tokens, values }: Pick<FeatureInk, "tokens" | "values">): Pick<FeatureInk, "segments" | "box"> {
    const all = this.#tokenizer.segments(tokens);
    const segments = all
      .filter(({ malformed }) => !malformed)
      .map(({ from, to, thetaIndex, radiusIndex, drawn }): FeatureSegment => {
        const value = Math.max(thetaIndex === null ? 0 : values[thetaIndex]!, radiusIndex === null ? 0 : values[radiusIndex]!);
        return [...from, ...to, value, Number(drawn)];
      });
    return { segments, box: boxOf(all) };
  }
}

/** The greatest activation of a segment. */
function strongest({ segments }: FeatureInk): number {
  return segments.reduce((most, [, , , , value]) => Math.max(most, value), 0);
}

/** Tokens that are ink, up to the first that is not. */
function inkOf(tokens: Int32Array, tokenizer: StrokeTokenizer): number[] {
  const end = tokens.findIndex((token) => token === tokenizer.endToken || token === tokenizer.padToken);
  return Array.from(end < 0 ? tokens : tokens.subarray(0, end));
}

/** The strongest of the features that fire on less than a tenth of the ink; of all where there is none. */
function strongAndRare(density: readonly number[], most: readonly number[]): number {
  let best = 0;
  let found = Number.NEGATIVE_INFINITY;
  for (const [f, share] of density.entries()) {
    const strength = most[f]! + (share > 0 && share < 0.1 ? 1e9 : 0);
    if (strength > found) [best, found] = [f, strength];
  }
  return best;
}
