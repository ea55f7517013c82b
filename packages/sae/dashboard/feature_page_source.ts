import type { HostTensor } from "@cursive/tensor";
import { type ActivationIndex, rowNumbers } from "../analysis/activation_index.ts";
import { type Example, latentExamples } from "../analysis/examples.ts";
import { type LatentCorrelation, nearestLatents } from "../analysis/related.ts";
import type { Tuning } from "../analysis/tuning.ts";
import type { ReadSequence } from "./corpus.ts";
import type { DirectEffects } from "./direct_effects.ts";
import type { CorpusSequence, FeatureAblation, FeatureOverview, FeaturePage, FeatureSource, LetterAttribution } from "./feature_pages.ts";
import { activationBars, exampleGroups, nearZeroShare, strongestNeurons } from "./page_parts.ts";

/** How many examples pages have. */
export interface ExampleChoice {
  /** The strongest, one a text; and rows of the token table. Default 20. */
  readonly top?: number;
  /** Bands of equal width from the highest activation down. Default 10. */
  readonly bands?: number;
  /** Examples of each band. Default 5. */
  readonly perBand?: number;
  /** Drawn from all firings, and from those near zero. Default 10 each. */
  readonly drawn?: number;
}

/** What pages are made of. */
export interface FeaturePageParts {
  readonly overview: FeatureOverview;
  readonly index: ActivationIndex;
  readonly sequences: readonly ReadSequence[];
  readonly tuning: Tuning;
  /** With all features added, in their order. */
  readonly correlation: LatentCorrelation;
  /** W_dec `[F, D]`. */
  readonly decoder: HostTensor;
  readonly effects: DirectEffects | null;
  readonly ablation: (feature: number) => FeatureAblation | null;
  readonly letters: (feature: number) => LetterAttribution | null;
  readonly examples: ExampleChoice;
  readonly seed: number;
}

/** Feature pages of an autoencoder that lives here, made when they are asked for. {@link buildFeaturePages} prepares them. */
export class FeaturePages implements FeatureSource {
  readonly #parts: FeaturePageParts;
  readonly #features: ReadonlySet<number>;
  #allPlaces: ReturnType<ActivationIndex["places"]> | undefined;

  constructor(parts: FeaturePageParts) {
    this.#parts = parts;
    this.#features = new Set(parts.overview.features.map(({ index }) => index));
  }

  /** How many sequences there are. */
  get sequences(): number {
    return this.#parts.sequences.length;
  }

  async overview(): Promise<FeatureOverview> {
    return this.#parts.overview;
  }

  /** @throws RangeError for a feature that no page was asked for. */
  async page(index: number): Promise<FeaturePage> {
    if (!this.#features.has(index)) throw new RangeError(`Expected one of ${this.#features.size} features but found ${index}`);
    const { correlation, decoder, effects, ablation, letters } = this.#parts;
    const firings = await this.#parts.index.firings(index);
    const { activations } = firings;
    const fires = activations.length > 0;
    const rows = fires ? rowNumbers(firings, await this.#places()) : [];
    const width = decoder.shape[1]!;
    const direction = Float32Array.from(decoder.data.subarray(index * width, (index + 1) * width));
    return {
      index,
      firings: activations.length,
      decoderNorm: Math.hypot(...direction),
      activations: activationBars(firings),
      tuning: fires ? this.#parts.tuning.of({ rows, activations }) : { factors: [], label: null },
      logits: effects?.of(direction) ?? null,
      ablation: ablation(index),
      letters: letters(index),
      nearest: nearestLatents(decoder, { latent: index }),
      correlated: fires ? correlation.of(index) : [],
      neurons: strongestNeurons(direction),
      ...(await this.#examples(index)),
    };
  }

  /** Pages one after another, in order. @throws The reason of `signal`, if it asks to stop. */
  async *all({ signal }: { readonly signal?: AbortSignal } = {}): AsyncGenerator<FeaturePage> {
    for (const index of this.#features) {
      signal?.throwIfAborted();
      yield await this.page(index);
    }
  }

  /** @throws RangeError for one that there is not. */
  async sequence(number: number): Promise<CorpusSequence> {
    const found = this.#parts.sequences[number];
    if (!found) throw new RangeError(`Expected a sequence below ${this.sequences} but found ${number}`);
    const { tokens, text, letters } = found;
    return { tokens, text, letters };
  }

  async #examples(index: number): Promise<Pick<FeaturePage, "examples" | "topTokens">> {
    const { top = 20, bands = 10, perBand = 5, drawn = 10 } = this.#parts.examples;
    const { index: firings, seed } = this.#parts;
    const found = await latentExamples(firings, index, {
      ...{ top: Number.POSITIVE_INFINITY, bands, perBand, drawn, nearZeroShare, seed },
      onePerSequence: true,
    });
    const cards = { ...found, top: this.#onePerText(found.top).slice(0, top) };
    const table = await latentExamples(firings, index, { top, bands: 0, drawn: 0 });
    return { examples: exampleGroups(cards, await firings.firings(index)), topTokens: table.top };
  }

  /** Of examples whose sequences have the same text, the first. */
  #onePerText(examples: readonly Example[]): Example[] {
    const texts = new Set<string>();
    return examples.filter(({ sequence }) => {
      const { text } = this.#parts.sequences[sequence]!;
      return !texts.has(text) && texts.add(text);
    });
  }

  #places(): ReturnType<ActivationIndex["places"]> {
    this.#allPlaces ??= this.#parts.index.places();
    return this.#allPlaces;
  }
}
