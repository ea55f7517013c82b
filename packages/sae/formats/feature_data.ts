/** Places on the corpus where one feature fires, as dashboards list them. */
export interface FeatureExample {
  /** The tokens around the place, as a person reads them: `θ +12°`, `r 0.07`, `END`. */
  readonly tokens: readonly string[];
  /** Their ids in the vocabulary. */
  readonly tokenIds: readonly number[];
  /** The feature on each of them. */
  readonly activations: readonly number[];
  /** Which of them the example was chosen for; the greatest where it is one of the top ones. */
  readonly peak: number;
  /** How much more each token's loss is without the feature, in nats. */
  readonly lossContribution?: readonly number[];
  /** The sequence it is from. */
  readonly sequence: number;
}

/** Examples whose peaks lie between two activations. */
export interface FeatureBand {
  /** `"top"`: the greatest of all, greatest first; `"interval"`: drawn from all in between. */
  readonly kind: "top" | "interval";
  readonly low: number;
  readonly high: number;
  /** Share of the places where it fires that lie in the band. */
  readonly share: number;
  readonly examples: readonly FeatureExample[];
}

/** Bars: one height for each `edges` pair, so one edge more than heights. */
export interface Bars {
  readonly edges: readonly number[];
  readonly heights: readonly number[];
}

/** Tokens whose logits a feature moves most, by W_dec times the unembedding, the most moved first. */
export interface LogitList {
  readonly tokens: readonly string[];
  readonly tokenIds: readonly number[];
  readonly logits: readonly number[];
}

/** Others whose decoder rows point most alike, nearest first. */
export interface NearestFeatures {
  readonly indices: readonly number[];
  /** Cosine of the decoder rows. */
  readonly cosines: readonly number[];
}

/** Others that fire along with a feature, the most correlated first. */
export interface Neighbours {
  readonly indices: readonly number[];
  /** Cosine of the decoder rows, or of the activations. */
  readonly cosines: readonly number[];
  /** Pearson correlation of the activations. */
  readonly correlations: readonly number[];
}

/** Model dimensions that a feature writes to most, as `indices`, the weights there and their shares of the row's L1. */
export interface NeuronAlignment {
  readonly indices: readonly number[];
  readonly values: readonly number[];
  readonly shares: readonly number[];
}

/** All that dashboards show of one feature. */
export interface FeatureData {
  /** Which latent of the autoencoder. */
  readonly index: number;
  /** Share of the rows looked at on which it is above 0. */
  readonly frequency: number;
  /** The greatest activation on the corpus. */
  readonly maxActivation: number;
  /** How often which activation above 0. */
  readonly activations: Bars;
  /** How many tokens get which logit from it. */
  readonly logits: Bars;
  readonly topLogits: LogitList;
  readonly bottomLogits: LogitList;
  readonly bands: readonly FeatureBand[];
  /** Its row of W_dec `[D]`. */
  readonly vector?: readonly number[];
  readonly alignment?: NeuronAlignment;
  readonly correlatedNeurons?: Neighbours;
  readonly correlatedFeatures?: Neighbours;
  readonly nearestFeatures?: NearestFeatures;
}

/** Features of one autoencoder, and where they come from. */
export interface FeatureCollection {
  /** The model's name, such as `cursive-transformer`: letters, digits, dashes, dots. */
  readonly model: string;
  readonly modelLayers: number;
  /** The block that the activations are of, from 0. */
  readonly layer: number;
  /** TransformerLens's name of the site: `blocks.0.hook_mlp_out`. */
  readonly hookName: string;
  /** The set that the autoencoder belongs to, such as `res-512`: letters, digits and dashes. */
  readonly set: string;
  readonly dSae: number;
  /** What the corpus is, its sequences and their length. */
  readonly dataset: string;
  readonly sequences: number;
  readonly tokensPerSequence: number;
  readonly creator: string;
  /** ISO 8601, such as `new Date().toISOString()`. */
  readonly createdAt: string;
  readonly features: readonly FeatureData[];
}
