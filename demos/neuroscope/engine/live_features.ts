import { coarseAugmentation, defaultAugmentation, makeWords, targetBatches, WordDataset } from "@cursive/cursive-model";
import {
  type BuildPhase,
  buildFeaturePages,
  type CorpusSequence,
  type ExampleChoice,
  type FeatureOverview,
  type FeaturePage,
  type FeaturePages,
} from "@cursive/sae/dashboard";
import type { Bench } from "./bench.ts";
import type { CallContext } from "./call.ts";
import { ForeignFileError } from "./model_file.ts";

/** How much ink features are looked at on. */
export interface LiveFeaturesRequest {
  /** Words that are read. Default 256. */
  readonly sequences?: number;
  /** In how many words each feature is ablated, at most; 0 for none. Default 4. */
  readonly ablations?: number;
  readonly examples?: ExampleChoice;
}

/** What is being done, and how far it is; `total` is null where that is not known. */
export interface LiveFeaturesProgress {
  readonly phase: BuildPhase;
  readonly done: number;
  readonly total: number | null;
}

/** Names the words, which are others than any run trains on. */
const WORDS_SEED = 7;
/** Words that are read at once. */
const PIECE = 8;

const pages = new WeakMap<object, FeaturePages>();

/**
 * Looks at every feature of the bench's autoencoder on words in the built-in hand, drawn anew. The pages stay in the engine until another
 * autoencoder takes its place, and are made one by one when they are asked for.
 */
export async function buildLiveFeatures(
  bench: Bench,
  request: LiveFeaturesRequest,
  { report, signal }: CallContext<LiveFeaturesProgress>,
): Promise<FeatureOverview> {
  const { sequences = 256, ablations = 4, examples } = request;
  const { sae, saeFacts, model, modelFacts, tokenizer } = bench;
  if (!sae || !saeFacts) throw new ForeignFileError("Expected an autoencoder of this model but found none");
  const { characters, longestWord } = modelFacts;
  const words = makeWords({ count: 2 * sequences, seed: WORDS_SEED, characters, letters: [1, longestWord] });
  const { blockSize, contextBlockSize } = model.config;
  const isCoarse = tokenizer.toJSON().bins === "polar-73";
  const dataset = new WordDataset(words, {
    ...{ tokenizer, seed: WORDS_SEED, numWords: 1, maxLength: blockSize, contextLength: contextBlockSize },
    augment: isCoarse ? coarseAugmentation : defaultAugmentation,
    combinations: { train: sequences, test: sequences },
  });
  const made = await buildFeaturePages(sae, {
    ...{ model, tokenizer, hook: saeFacts.hook, ablations, examples, signal },
    batches: targetBatches(dataset, { split: "train", batches: Math.ceil(sequences / PIECE), batchSize: PIECE }),
    about: {
      title: `${saeFacts.name}, ${saeFacts.hook}`,
      words: "words in the built-in hand, none of them trained on",
      createdAt: new Date().toISOString(),
    },
    onProgress: (phase, progress) => report({ phase, ...progress }),
  });
  pages.set(sae, made);
  return made.overview();
}

/** The page of a feature. @throws ForeignFileError before {@link buildLiveFeatures}. */
export function liveFeaturePage(bench: Bench, { index }: { readonly index: number }): Promise<FeaturePage> {
  return pagesOf(bench).page(index);
}

/** A sequence of the corpus. @throws ForeignFileError before {@link buildLiveFeatures}. */
export function liveFeatureSequence(bench: Bench, { number }: { readonly number: number }): Promise<CorpusSequence> {
  return pagesOf(bench).sequence(number);
}

/** What {@link buildLiveFeatures} made of the autoencoder that is there now. */
export function pagesOf({ sae }: Pick<Bench, "sae">): FeaturePages {
  const found = sae && pages.get(sae);
  if (!found) throw new ForeignFileError("Expected feature pages to be built first but found none");
  return found;
}
