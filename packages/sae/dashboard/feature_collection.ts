import { StrokeTokenizer } from "@cursive/cursive-model";
import { type HostTensor, TensorError } from "@cursive/tensor";
import type {
  Bars,
  FeatureBand,
  FeatureCollection,
  FeatureData,
  FeatureExample,
  LogitList,
  Neighbours,
  NeuronAlignment,
} from "../formats/feature_data.ts";
import type { ExampleGroup, FeatureExampleCard, FeaturePage, FeatureSource, FeatureSummary, LogitEffects } from "./feature_pages.ts";
import { tokenMeaning } from "./token_table.ts";

/** Options of {@link featureCollection}. */
export interface FeatureCollectionOptions {
  /** W_dec `[F, D]` of the autoencoder that the pages are of. */
  readonly decoder: HostTensor;
  /** Blocks of the model. */
  readonly modelLayers: number;
  /** The model's name. Default `cursive-transformer`. */
  readonly model?: string;
  /** The set that the autoencoder belongs to. Default: its hook and width, such as `mlp-out-512`. */
  readonly set?: string;
  /** Who made it; a Neuronpedia instance wants the id of one of its users. Default `cursive`. */
  readonly creator?: string;
  /** Which features, by ascending number. Default: all that have a page and fire. */
  readonly features?: readonly number[];
  /** Tokens shown before and after the place that an example was chosen for. Default 16, about half a letter each. */
  readonly around?: number;
  /** Rows of each list of logits. Default 10. */
  readonly logits?: number;
}

/** Bars of the histogram of logits, as many as SAEDashboard draws. */
const LOGIT_BARS = 50;

/**
 * Feature pages in the form that `writeNeuronpedia`, `writeNeuronpediaBatch` and `writeSaeDashboard` take. Frequencies are of the rows that the pages count,
 * which is ink unless told otherwise; examples are a stretch around their place, of the strongest ones and of the bands (drawn and faint ones have
 * no place in these formats); what sites give that add nothing to the residual stream is without logits.
 *
 * @example
 * ```ts
 * const decoder = (await sae.stateDict()).get("W_dec")!;
 * const collection = await featureCollection(pages, { decoder, modelLayers: model.config.nLayer });
 * for (const [path, text] of writeNeuronpedia(collection)) await writeFile(join(folder, path), text);
 * ```
 * @throws TensorError for a decoder of another size. @throws RangeError for a feature without a page.
 */
export async function featureCollection(source: FeatureSource, options: FeatureCollectionOptions): Promise<FeatureCollection> {
  const { decoder, modelLayers, model = "cursive-transformer", creator = "cursive", around = 16, logits = 10 } = options;
  const overview = await source.overview();
  const { hook, dIn, dSae, words, sequences, createdAt } = overview.about;
  if (decoder.shape.join() !== `${dSae},${dIn}`)
    throw new TensorError(`Expected a decoder [${dSae}, ${dIn}], as the pages are of, but found [${decoder.shape.join(", ")}]`);
  const summaries = chosenSummaries(overview.features, options.features);
  const tokenizer = new StrokeTokenizer(overview.tokenizer);
  const meanings = Array.from({ length: tokenizer.vocabSize }, (_, token) => tokenMeaning(token, tokenizer));
  const tokens = await Promise.all(Array.from({ length: sequences }, async (_, number) => (await source.sequence(number)).tokens));
  const features: FeatureData[] = [];
  for (const summary of summaries) {
    const page = await source.page(summary.index);
    features.push(featureData(page, { summary, decoder, tokenizer, meanings, tokens, around, logits }));
  }
  return {
    ...{ model, modelLayers, layer: layerOf(hook, modelLayers), hookName: hook, set: options.set ?? setOf(hook, dSae), dSae },
    ...{ dataset: words, sequences, tokensPerSequence: tokens.reduce((most, { length }) => Math.max(most, length), 0) },
    ...{ creator, createdAt, features },
  };
}

function chosenSummaries(all: readonly FeatureSummary[], asked: readonly number[] | undefined): readonly FeatureSummary[] {
  if (!asked) return all.filter(({ state }) => state !== "dead");
  const byIndex = new Map(all.map((summary) => [summary.index, summary]));
  return asked.map((index) => {
    const found = byIndex.get(index);
    if (!found) throw new RangeError(`Expected one of the ${all.length} features that have pages but found ${index}`);
    return found;
  });
}

/** What every feature's data are made with. */
interface Parts {
  readonly summary: FeatureSummary;
  readonly decoder: HostTensor;
  readonly tokenizer: StrokeTokenizer;
  /** Of all tokens. */
  readonly meanings: readonly string[];
  /** Of all sequences. */
  readonly tokens: readonly (readonly number[])[];
  readonly around: number;
  readonly logits: number;
}

function featureData(page: FeaturePage, parts: Parts): FeatureData {
  const { summary, decoder } = parts;
  const effects = page.logits && tokenEffects(page.logits, parts.tokenizer);
  const row = rowOf(decoder, page.index);
  return {
    index: page.index,
    frequency: summary.density,
    maxActivation: digits(summary.max),
    activations: page.activations,
    logits: effects ? barsOf(effects, LOGIT_BARS) : { edges: [], heights: [] },
    topLogits: logitList(effects, { ...parts, sign: 1 }),
    bottomLogits: logitList(effects, { ...parts, sign: -1 }),
    bands: page.examples.flatMap((group) => bandOf(group, parts)),
    vector: row.map((weight) => Number(weight.toPrecision(9))), // what tells any two f32 apart
    alignment: alignmentOf(page, row),
    correlatedFeatures: correlatedOf(page, { decoder, row }),
    nearestFeatures: { indices: page.nearest.map(({ latent }) => latent), cosines: page.nearest.map(({ value }) => value) },
  };
}

/** Effects in the order of the tokens' ids. */
function tokenEffects({ theta, radiusDown, radiusUp, special }: LogitEffects, { vocabSize }: StrokeTokenizer): number[] {
  const effects = [...radiusDown, ...radiusUp, ...theta, ...special.map(({ effect }) => effect)];
  if (effects.length !== vocabSize) throw new TensorError(`Expected effects on ${vocabSize} tokens but found ${effects.length}`);
  return effects;
}

function logitList(
  effects: readonly number[] | null,
  { meanings, logits, sign }: Pick<Parts, "meanings" | "logits"> & { readonly sign: 1 | -1 },
): LogitList {
  const ids = Array.from((effects ?? []).keys());
  const chosen = ids.sort((a, b) => sign * (effects![b]! - effects![a]!) || a - b).slice(0, logits);
  return { tokens: chosen.map((id) => meanings[id]!), tokenIds: chosen, logits: chosen.map((id) => digits(effects![id]!)) };
}

/** The strongest examples and those of bands. */
function bandOf({ kind, from, to, share, examples }: ExampleGroup, parts: Parts): FeatureBand[] {
  if (kind !== "top" && kind !== "band") return [];
  const band = { low: digits(from), high: digits(to), share, examples: examples.map((card) => exampleOf(card, parts)) };
  return [{ kind: kind === "top" ? "top" : "interval", ...band }];
}

/** A stretch of the sequence around the place. */
function exampleOf({ sequence, position, positions, values }: FeatureExampleCard, { tokens, meanings, around }: Parts): FeatureExample {
  const first = Math.max(0, position - around);
  const tokenIds = tokens[sequence]!.slice(first, position + around + 1);
  const activations = new Array<number>(tokenIds.length).fill(0);
  for (const [i, place] of positions.entries()) {
    if (place >= first && place < first + tokenIds.length) activations[place - first] = digits(values[i]!);
  }
  return { tokens: tokenIds.map((id) => meanings[id]!), tokenIds, activations, peak: position - first, sequence };
}

function alignmentOf({ neurons }: FeaturePage, row: readonly number[]): NeuronAlignment {
  const total = row.reduce((sum, weight) => sum + Math.abs(weight), 0);
  return {
    indices: neurons.map(({ index }) => index),
    values: neurons.map(({ weight }) => digits(weight)),
    shares: neurons.map(({ weight }) => (total > 0 ? digits(Math.abs(weight) / total) : 0)),
  };
}

function correlatedOf(
  { correlated }: FeaturePage,
  { decoder, row }: { readonly decoder: HostTensor; readonly row: readonly number[] },
): Neighbours {
  return {
    indices: correlated.map(({ latent }) => latent),
    cosines: correlated.map(({ latent }) => cosine(row, rowOf(decoder, latent))),
    correlations: correlated.map(({ value }) => value),
  };
}

function cosine(a: readonly number[], b: readonly number[]): number {
  const norms = Math.hypot(...a) * Math.hypot(...b);
  return norms > 0 ? a.reduce((sum, value, i) => sum + value * b[i]!, 0) / norms : 0;
}

function rowOf({ shape, data }: HostTensor, row: number): number[] {
  const width = shape[1]!;
  return Array.from((data as Float32Array).subarray(row * width, (row + 1) * width));
}

/** Bars of equal width from the least value to the greatest; one bar where all are equal. */
function barsOf(values: readonly number[], count: number): Bars {
  const [least, most] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
  if (least === most) return { edges: [least, most], heights: [values.length] };
  const heights = new Array<number>(count).fill(0);
  for (const value of values) heights[Math.min(count - 1, Math.floor(((value - least) / (most - least)) * count))]!++;
  return { edges: Array.from({ length: count + 1 }, (_, i) => least + ((most - least) * i) / count), heights };
}

/** The block that a hook is in; the first for what comes before, the last for what comes after. */
function layerOf(hook: string, layers: number): number {
  const layer = /^(?:blocks|transformer\.h)\.(\d+)\./.exec(hook)?.[1];
  if (layer !== undefined) return Number(layer);
  return hook.startsWith("hook_") ? 0 : layers - 1;
}

/** `mlp-out-512` of `blocks.0.hook_mlp_out`. */
function setOf(hook: string, dSae: number): string {
  const name = hook.replace(/^(?:blocks|transformer\.h)\.\d+\./, "").replaceAll("hook_", "");
  return `${name.replaceAll(/[^A-Za-z0-9]+/g, "-")}-${dSae}`;
}

/** Six digits: more than the activations of f32 models mean. */
function digits(value: number): number {
  return Number(value.toPrecision(6));
}
