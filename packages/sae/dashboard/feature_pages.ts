import type { StrokeTokenizerConfig, TokenMeaning } from "@cursive/cursive-model";
import type { Related } from "../analysis/related.ts";
import type { LatentTuning } from "../analysis/tuning.ts";
import type { DensityHistogram } from "../evaluation/feature_activity.ts";
import type { Bars } from "../formats/feature_data.ts";

/** What feature pages show of a whole autoencoder: everything that the list of features needs, and nothing of a single page. */
export interface FeatureOverview {
  readonly format: "cursive-feature-pages";
  readonly version: 1;
  readonly about: FeaturePagesAbout;
  /** What tokens mean: enough to draw them. */
  readonly tokenizer: StrokeTokenizerConfig;
  /** How many features have which density, by log₁₀. */
  readonly densities: DensityHistogram;
  /** log₁₀ of the least density that so many rows can tell from 0: one firing. */
  readonly densityFloor: number;
  /** By ascending number: all `[F]`, or those that pages were made of. */
  readonly features: readonly FeatureSummary[];
}

/** Where feature pages come from. */
export interface FeaturePagesAbout {
  readonly title: string;
  /** TransformerLens's name of the site: `blocks.0.hook_mlp_out`. */
  readonly hook: string;
  readonly architecture: string;
  readonly dIn: number;
  readonly dSae: number;
  /** What was read: the words' name, sequences, and tokens that count, the rows. */
  readonly words: string;
  readonly sequences: number;
  readonly rows: number;
  /** Kinds of tokens that the rows are of. Without it: ink, that is all directions and lengths. */
  readonly tokens?: readonly TokenMeaning["kind"][];
  /** ISO 8601. */
  readonly createdAt: string;
  /** Measured on the same rows; null where it was not. */
  readonly metrics: {
    readonly l0: number | null;
    readonly fve: number | null;
    /** What reconstructions in the place of all activations cost, in nats a token that is no padding. */
    readonly deltaCe: number | null;
    readonly alive: number;
    readonly dead: number;
    readonly dense: number;
  };
}

/** A line of the list. */
export interface FeatureSummary {
  readonly index: number;
  /** Share of the rows on which it fires. */
  readonly density: number;
  /** The highest activation; 0 of a dead one. */
  readonly max: number;
  /** `dense` fires on more than 10 % of the rows; `dead` on none. */
  readonly state: "alive" | "dense" | "dead";
  /** In words, such as `theta 142° ± 9, pen down`; null if nothing certain can be said. */
  readonly label: string | null;
  /** The most telling factor's name and bits beyond chance; null of a dead one. */
  readonly selectivity: { readonly factor: string; readonly bits: number } | null;
  /** {@link FeatureAblation.deltaCe}; null where it was not measured. */
  readonly deltaCe: number | null;
  /** Heights of its activations' histogram, log scale, 0 to 1, for a small picture. */
  readonly sparkline: readonly number[];
}

/** The page of one feature. */
export interface FeaturePage {
  readonly index: number;
  readonly firings: number;
  readonly decoderNorm: number;
  /** How often which activation above 0. */
  readonly activations: Bars;
  /** Curves over theta, length, pen, place in the word, the letter being written as attention tells …; empty of a dead feature. */
  readonly tuning: LatentTuning;
  /** What it adds to the logits directly, a unit of activation; null where its site adds nothing to the residual stream. */
  readonly logits: LogitEffects | null;
  /** What its ablation costs; null where it was not measured. */
  readonly ablation: FeatureAblation | null;
  /** Which letters drive it, through cross-attention of the blocks before it, directly; null where no block before it attends. */
  readonly letters: LetterAttribution | null;
  /** By cosine of decoder rows. */
  readonly nearest: readonly Related[];
  /** By Pearson's correlation of activations. */
  readonly correlated: readonly Related[];
  /** Model dimensions that it writes to most: number and weight. */
  readonly neurons: readonly { readonly index: number; readonly weight: number }[];
  /** Cards in groups: the strongest, one a text; bands from strong to weak; drawn at random; near zero. */
  readonly examples: readonly ExampleGroup[];
  /** The strongest firings of all, several of a sequence if so: rows of the notebook's table, which `tokenTable` makes. */
  readonly topTokens: readonly TopToken[];
}

/** A place where a feature fires. */
export interface TopToken {
  readonly sequence: number;
  readonly position: number;
  readonly activation: number;
}

/** Direct effects on the logits by what tokens mean. */
export interface LogitEffects {
  /** `[θ]`: of each direction, in the order of the tokenizer's bins. */
  readonly theta: readonly number[];
  /** `[r]` each. */
  readonly radiusDown: readonly number[];
  readonly radiusUp: readonly number[];
  /** PAD, END, and WORD if the tokenizer has it. */
  readonly special: readonly { readonly name: string; readonly effect: number }[];
}

/**
 * What setting one feature to 0 at all rows does to the model's loss, in nats: x − f·W_dec goes on, so that all other features and what
 * the autoencoder misses stay. Targets are tokens that are no padding. It is run on some of the sequences in which the feature fires; elsewhere
 * it changes nothing.
 */
export interface FeatureAblation {
  /** A target of the whole corpus, silent sequences included: the mean of the sequences that were run, times the share in which it fires. */
  readonly deltaCe: number;
  /** One standard error of it over other draws of as many sequences: 0 where all were run, null of a single one. */
  readonly deltaCeError: number | null;
  /** Mean over the targets next to be written where it fires. */
  readonly deltaCeWhereFiring: number;
  /** Mean KL(with ‖ without) there. */
  readonly klWhereFiring: number;
  /** The same targets by what they are. */
  readonly byClass: readonly { readonly token: string; readonly deltaCe: number; readonly count: number }[];
  /** Sequences that were run, of how many in which it fires. */
  readonly sequences: number;
  readonly sequencesFiring: number;
  /** Places where it fires in those that were run. */
  readonly count: number;
}

/**
 * The part of a feature's pre-activation (what goes into its nonlinearity) that comes from letters, straight through cross-attention's OV
 * circuit: Σ over heads of pattern[t, s]·v[s]·W_O, through to the feature's encoder direction. Patterns are taken as they are; what passes
 * other blocks on its way is not counted. Measured on some of the places where the feature fires.
 */
export interface LetterAttribution {
  /**
   * `"exact"`: between cross-attention and the site there is only the residual stream, and all sources of it sum to the pre-activation;
   * `"first-order"`: there are a normalisation and the MLP, through which contributions are followed by their gradient at that very place.
   */
  readonly method: "exact" | "first-order";
  /** Places that were looked at. */
  readonly count: number;
  /** Mean over these of the pre-activation, and of the part that comes from all letters, padding included. */
  readonly preActivation: number;
  readonly total: number;
  /** Mean over the places whose text has the character, which `count` says; the strongest first. `""` is padding. */
  readonly characters: readonly { readonly character: string; readonly mean: number; readonly count: number }[];
  /** The same by distance of the character from the one being written, as attention tells; padding is in none. */
  readonly offsets: readonly { readonly offset: number; readonly mean: number; readonly count: number }[];
  /** By head: how much of the total it carries, on average. */
  readonly heads: readonly { readonly layer: number; readonly head: number; readonly mean: number }[];
}

/** Some examples, and why these. */
export interface ExampleGroup {
  readonly kind: "top" | "band" | "random" | "near zero";
  /** Activations between which they lie. */
  readonly from: number;
  readonly to: number;
  /** Share of the feature's firings in between. */
  readonly share: number;
  readonly examples: readonly FeatureExampleCard[];
}

/** One example: a place in a sequence, with what the feature does all along it. */
export interface FeatureExampleCard {
  readonly sequence: number;
  readonly position: number;
  readonly activation: number;
  /** Places of the sequence where it fires, and how strongly: sparse. */
  readonly positions: readonly number[];
  readonly values: readonly number[];
}

/** A sequence of the corpus: what examples are drawn on. */
export interface CorpusSequence {
  /** Without trailing PAD, unless PAD is among the rows; `position` of examples counts in them. */
  readonly tokens: readonly number[];
  readonly text: string;
  /** Which character of the text each token writes, as far as attention tells (`readingPath`); −1 for none. */
  readonly letters: readonly number[];
}

/**
 * Where feature pages are read from: a folder on disk through script elements, or an autoencoder that lives in the tab. Pages are asked for
 * one by one, so that a dictionary of thousands opens as fast as a small one.
 */
export interface FeatureSource {
  overview(): Promise<FeatureOverview>;
  page(index: number): Promise<FeaturePage>;
  sequence(number: number): Promise<CorpusSequence>;
}
