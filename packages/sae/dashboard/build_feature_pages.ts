import { type StrokeTokenizer, spliceSite, type Transformer, tokenFilter } from "@cursive/cursive-model";
import { ablateLatents } from "../analysis/ablate_latents.ts";
import { ActivationIndex, type IndexFiles, rowNumbers } from "../analysis/activation_index.ts";
import { attributeLetters } from "../analysis/letter_attribution.ts";
import { letterPath } from "../analysis/letter_path.ts";
import { LatentCorrelation } from "../analysis/related.ts";
import { Tuning } from "../analysis/tuning.ts";
import { measureModelEffect } from "../evaluation/model_effect.ts";
import type { SequenceBatches } from "../evaluation/sequences.ts";
import type { SparseAutoencoder } from "../sae.ts";
import { AblationPlan } from "./ablation_summary.ts";
import { directEffects } from "./direct_effects.ts";
import { type ExampleChoice, FeaturePages } from "./feature_page_source.ts";
import type { FeatureOverview, FeatureSummary } from "./feature_pages.ts";
import { LetterPlan } from "./letter_summary.ts";
import { MemoryFiles } from "./memory_files.ts";
import { selectivityOf, sparkline, stateOf } from "./page_parts.ts";
import { type ReadCorpus, readCorpus } from "./read_corpus.ts";

/** What is being done, in this order. */
export type BuildPhase = "reading" | "measuring" | "tuning" | "ablating" | "attributing";

/** Options of {@link buildFeaturePages}. */
export interface FeaturePagesOptions {
  readonly model: Transformer;
  /** The hook that the autoencoder is of, with a vector a stroke token. */
  readonly hook: string;
  readonly tokenizer: StrokeTokenizer;
  /** Sequences to look at, all of one length; better not those that the autoencoder was trained on. */
  readonly batches: SequenceBatches;
  /** What pages say of themselves. `createdAt` is ISO 8601. */
  readonly about: { readonly title: string; readonly words: string; readonly createdAt: string };
  /** Make pages of these only. Default: of all. */
  readonly features?: readonly number[];
  /** 1 for each token id whose places count, `[V]`. Default: ink. */
  readonly keep?: ArrayLike<number>;
  /** Where the activation index goes, which may be large. Default: main memory. */
  readonly files?: IndexFiles;
  /** In how many sequences each feature is ablated, at most; 0 measures no losses. Default 16. */
  readonly ablations?: number;
  /** At how many firings each feature is attributed to letters, at most; 0 for none. Default 96. */
  readonly attributions?: number;
  readonly examples?: ExampleChoice;
  /** Names the random choices. Default 0. */
  readonly seed?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (phase: BuildPhase, progress: { readonly done: number; readonly total: number | null }) => void;
}

/** Sequences that the loss of the whole autoencoder is measured on, at most. */
const MEASURED = 64;

/**
 * Looks at every feature of an autoencoder on a model's sequences: one pass over these writes the activation index and counts, then features
 * are ablated and attributed to letters where they fire. What comes back has the overview ready and makes pages one by one. The same
 * arguments give the same pages.
 *
 * Memory holds some 300 bytes a row, 8 bytes a firing, and, unless `files` are given, the index with 16 more.
 *
 * @example
 * ```ts
 * const pages = await buildFeaturePages(sae, {
 *   model,
 *   hook: "blocks.0.hook_mlp_out",
 *   tokenizer,
 *   batches: targetBatches(dataset, { batches: 32, batchSize: 8 }),
 *   about: { title: "blocks.0.hook_mlp_out", words: "held-out words", createdAt: new Date().toISOString() },
 * });
 * const { features } = await pages.overview();
 * for await (const page of pages.all()) save(page);
 * ```
 * @throws RangeError for a feature that is not there. @throws NoRowsError for sequences without tokens that count. @throws HookError for an
 * unknown hook.
 * @throws The reason of `signal`, if it asks to stop.
 */
export async function buildFeaturePages(sae: SparseAutoencoder, options: FeaturePagesOptions): Promise<FeaturePages> {
  const { model, tokenizer, signal, onProgress, ablations = 16, seed = 0 } = options;
  const site = spliceSite(model, options.hook).site; // refuses hooks without a vector a token
  const features = chosenFeatures(sae, options.features);
  const files = options.files ?? new MemoryFiles();
  const corpus = await readCorpus(sae, {
    ...{ model, site, tokenizer, batches: options.batches, files, signal },
    keep: options.keep ?? tokenFilter(tokenizer),
    onSequences: (done) => onProgress?.("reading", { done, total: null }),
  });
  const deltaCe = ablations > 0 ? await lossOfAll(sae, { ...options, site, corpus }) : null;
  const index = await ActivationIndex.open(files);
  const plans = makePlans(corpus, { ...options, site, seed, ablations });
  const tuning = new Tuning(corpus.columns.factors(), { seed });
  const correlation = new LatentCorrelation({ rows: index.info.rows });
  const summaries = await summarize(corpus, { index, features, tuning, correlation, plans, signal, onProgress });
  const { ablation, letters } = plans;
  if (ablation) {
    const onAblations = (done: number): void => onProgress?.("ablating", { done, total: ablation.size });
    const run = { model: spliceSite(model, site), sequences: ablation.runs(), signal, onAblations };
    for await (const result of ablateLatents(sae, run)) ablation.take(result);
  }
  if (letters) {
    const onSequences = (done: number): void => onProgress?.("attributing", { done, total: letters.plan.size });
    const run = { model, path: letters.path, sequences: letters.plan.runs(tokenizer), signal, onSequences };
    for await (const result of attributeLetters(sae, run)) letters.plan.take(result);
  }
  const overview = overviewOf(sae, {
    ...{ options, site, corpus, deltaCe },
    features: summaries.map((summary) => ({ ...summary, deltaCe: ablation?.summary(summary.index)?.deltaCe ?? null })),
  });
  return new FeaturePages({
    ...{ overview, index, tuning, correlation, sequences: corpus.sequences, seed, examples: options.examples ?? {} },
    decoder: (await sae.stateDict()).get("W_dec")!,
    effects: await directEffects(model, { site, tokenizer }),
    ablation: (latent) => ablation?.summary(latent) ?? null,
    letters: (latent) => letters?.plan.summary(latent) ?? null,
  });
}

/** Ascending, each once. */
function chosenFeatures({ config: { dSae } }: SparseAutoencoder, asked: readonly number[] | undefined): number[] {
  const wrong = asked?.find((feature) => !Number.isInteger(feature) || feature < 0 || feature >= dSae);
  if (wrong !== undefined) throw new RangeError(`Expected features below ${dSae} but found ${wrong}`);
  return asked ? [...new Set(asked)].sort((a, b) => a - b) : Array.from({ length: dSae }, (_, feature) => feature);
}

/** What reconstructions everywhere cost, in nats a target that is no padding, on the first sequences. */
async function lossOfAll(
  sae: SparseAutoencoder,
  {
    model,
    site,
    batches,
    corpus,
    tokenizer,
    signal,
    onProgress,
  }: FeaturePagesOptions & { readonly site: string; readonly corpus: ReadCorpus },
): Promise<number> {
  const total = Math.min(MEASURED, corpus.sequences.length);
  const { real } = await measureModelEffect(sae, {
    ...{ model: spliceSite(model, site), batches: firstOf(batches, total), mean: corpus.mean, padToken: tokenizer.padToken, signal },
    onSequences: (done) => onProgress?.("measuring", { done, total }),
  });
  return real.sae.deltaCe.value;
}

/** Batches up to so many sequences. */
function firstOf(batches: SequenceBatches, most: number): SequenceBatches {
  const taken: number[] = []; // sequences before each batch
  return (batch) => {
    const before = taken[batch] ?? 0;
    const found = before < most ? batches(batch) : undefined;
    if (!found) return undefined;
    const count = Math.min(most - before, found.tokens.shape[0]!);
    taken[batch + 1] = before + count;
    const cut = (tensor: (typeof found)["tokens"]) => {
      const width = tensor.shape[1]!;
      return { ...tensor, shape: [count, width], data: tensor.data.subarray(0, count * width) };
    };
    return { tokens: cut(found.tokens), targets: cut(found.targets), context: cut(found.context) };
  };
}

interface Plans {
  readonly ablation: AblationPlan | null;
  readonly letters: { readonly plan: LetterPlan; readonly path: NonNullable<ReturnType<typeof letterPath>> } | null;
}

function makePlans(
  { sequences }: ReadCorpus,
  options: FeaturePagesOptions & { readonly site: string; readonly seed: number; readonly ablations: number },
): Plans {
  const { model, site, seed, ablations, tokenizer, attributions = 96 } = options;
  const path = attributions > 0 ? letterPath(model, site) : null;
  const heads = model.config.nHead;
  return {
    ablation: ablations > 0 ? new AblationPlan(sequences, { most: ablations, seed, tokenizer }) : null,
    letters: path && { path, plan: new LetterPlan(sequences, { path, heads, most: attributions, seed }) },
  };
}

/** Goes through all features once: what the list says of those chosen, and plans for what is yet to be run. */
async function summarize(
  { activity }: ReadCorpus,
  about: {
    readonly index: ActivationIndex;
    readonly features: readonly number[];
    readonly tuning: Tuning;
    readonly correlation: LatentCorrelation;
    readonly plans: Plans;
  } & Pick<FeaturePagesOptions, "signal" | "onProgress">,
): Promise<Omit<FeatureSummary, "deltaCe">[]> {
  const { index, tuning, correlation, plans, signal, onProgress } = about;
  const chosen = new Set(about.features);
  const places = await index.places();
  const summaries: Omit<FeatureSummary, "deltaCe">[] = [];
  for (let feature = 0; feature < index.info.dSae; feature++) {
    signal?.throwIfAborted();
    const firings = await index.firings(feature);
    const rows = rowNumbers(firings, places);
    correlation.add({ rows, activations: firings.activations });
    if (!chosen.has(feature)) continue;
    plans.ablation?.add(feature, firings);
    plans.letters?.plan.add(feature, firings);
    const density = activity.density[feature]!;
    const found = density > 0 ? tuning.of({ rows, activations: firings.activations }) : { factors: [], label: null };
    summaries.push({
      ...{ index: feature, density, max: activity.maxActivation[feature]!, state: stateOf(density), label: found.label },
      selectivity: selectivityOf(found),
      sparkline: sparkline(firings),
    });
    onProgress?.("tuning", { done: summaries.length, total: chosen.size });
    if (summaries.length % 16 === 0) await new Promise((resolve) => setTimeout(resolve)); // lets timers and signals run
  }
  return summaries;
}

/** Kinds of tokens that count, where that is not just ink. */
function otherThanInk({ tokenizer, keep }: FeaturePagesOptions): Pick<FeatureOverview["about"], "tokens"> {
  const ink = tokenFilter(tokenizer);
  if (!keep || ink.every((isInk, token) => Boolean(isInk) === Boolean(keep[token]))) return {};
  return { tokens: [...new Set(Array.from(ink.keys()).flatMap((token) => (keep[token] ? [tokenizer.meaning(token).kind] : [])))] };
}

function overviewOf(
  sae: SparseAutoencoder,
  about: {
    readonly options: FeaturePagesOptions;
    readonly site: string;
    readonly corpus: ReadCorpus;
    readonly deltaCe: number | null;
    readonly features: readonly FeatureSummary[];
  },
): FeatureOverview {
  const { activity, reconstruction, sequences } = about.corpus;
  const { title, words, createdAt } = about.options.about;
  const { dIn, dSae } = sae.config;
  return {
    format: "cursive-feature-pages",
    version: 1,
    about: {
      ...{ title, hook: about.site, architecture: sae.architecture, dIn, dSae, words, createdAt },
      ...{ sequences: sequences.length, rows: activity.rows, ...otherThanInk(about.options) },
      metrics: {
        ...{ l0: reconstruction.l0.value, fve: reconstruction.fve.value, deltaCe: about.deltaCe },
        ...{ alive: activity.alive, dead: activity.dead, dense: activity.dense.over10Percent.latents },
      },
    },
    tokenizer: about.options.tokenizer.toJSON(),
    densities: activity.histogram,
    densityFloor: Math.log10(activity.resolvable),
    features: about.features,
  };
}
