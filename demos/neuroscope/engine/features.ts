import { padSequence, type StrokeTokenizer, spliceSite, type Transformer } from "@cursive/cursive-model";
import { ablateLatents, type SparseAutoencoder } from "@cursive/sae";
import { type CapturedStep, capture, crossEntropy, type HostTensor, noGrad, type Tensor } from "@cursive/tensor";

/** A model with an autoencoder of one of its sites. */
export interface FeatureBench {
  readonly model: Transformer;
  readonly tokenizer: StrokeTokenizer;
  readonly sae: SparseAutoencoder;
  /** TransformerLens's name of the site: `blocks.0.hook_mlp_out`. */
  readonly site: string;
}

/** Ink for the model to read, with the text that it is told. */
export interface InkToRead {
  /** Stroke tokens, without END and PAD. */
  readonly tokens: readonly number[];
  readonly text: string;
}

/** Where a feature fires on a piece of ink: sparse. */
export interface FeatureOnInk {
  readonly index: number;
  /** Places of tokens, ascending. */
  readonly places: readonly number[];
  /** Its activation at each of them. */
  readonly values: readonly number[];
}

/** What the model and its features make of a piece of ink. */
export interface InkReading extends InkToRead {
  /** How many tokens at the end were more than the model takes; `tokens` are without them. */
  readonly cut: number;
  /** The cross-entropy of the token after each place, END after the last, in nats. */
  readonly losses: readonly number[];
  /** Features that fire on the ink, by their number. */
  readonly features: readonly FeatureOnInk[];
}

/** What the ablation of a feature costs on a piece of ink. */
export interface AblationOnInk {
  readonly index: number;
  /** How much the loss of the token after each place rises, in nats; below 0 where the model does better without it. */
  readonly rises: readonly number[];
}

/** Sequences are padded to multiples of this, so that few different steps are captured. */
const BUCKET = 64;

type ReadStep = CapturedStep<[HostTensor, HostTensor, HostTensor], { features: Tensor; losses: Tensor }>;

const steps = new WeakMap<FeatureBench, ReadStep>();

/**
 * Has the model read ink as if it had written it, and gives every feature that fires, and how well the model foretold each token.
 *
 * @example
 * ```ts
 * const { features, losses } = await readInk(bench, { tokens, text: "hello" });
 * ```
 * @throws RangeError for ink without tokens.
 */
export async function readInk(bench: FeatureBench, ink: InkToRead): Promise<InkReading> {
  const { tokens, inputs, cut } = inputsOf(bench, { ink, rows: 1 });
  const output = await readStepOf(bench)(...inputs);
  const [activations, losses] = await Promise.all([output.features.data(), output.losses.data()]);
  const latents = bench.sae.config.dSae;
  const features: FeatureOnInk[] = [];
  for (let index = 0; index < latents; index++) {
    const places = tokens.flatMap((_, place) => (activations[place * latents + index]! > 0 ? [place] : []));
    if (places.length > 0) features.push({ index, places, values: places.map((place) => activations[place * latents + index]!) });
  }
  return { tokens, text: ink.text, cut, losses: Array.from(losses.subarray(0, tokens.length)), features };
}

/**
 * What each feature is worth on this ink: the rise in loss where it alone is set to 0 at every place, the autoencoder's error kept.
 *
 * @throws The reason of `signal`.
 * @example
 * ```ts
 * const [ablation] = await ablateOnInk(bench, { ink: reading, features: reading.features });
 * ```
 */
export async function ablateOnInk(
  bench: FeatureBench,
  options: {
    readonly ink: InkToRead;
    /** Where those fire that are asked for, as {@link readInk} says. */
    readonly features: readonly FeatureOnInk[];
    readonly onProgress?: (done: number, total: number) => void;
    readonly signal?: AbortSignal;
  },
): Promise<AblationOnInk[]> {
  const { ink, features, onProgress, signal } = options;
  const { tokens, inputs } = inputsOf(bench, { ink, rows: 1 });
  const [ids, targets, context] = inputs.map(({ data }) => data as ArrayLike<number>) as [number[], number[], number[]];
  const latents = features.map(({ index, places, values }) => ({ latent: index, positions: places, activations: values }));
  const found: AblationOnInk[] = [];
  const model = spliceSite(bench.model, bench.site);
  const sequences = [{ sequence: 0, tokens: ids, targets, context, latents }];
  const { device } = bench.model.lm_head.weight;
  for await (const { latent, deltaCe } of ablateLatents(bench.sae, { model, sequences, device, signal })) {
    found.push({ index: latent, rises: Array.from(deltaCe.subarray(0, tokens.length)) });
    onProgress?.(found.length, features.length);
  }
  return found;
}

/** A number for each place. */
type Sequence = Int32Array<ArrayBuffer>;

/** The ink as the model takes it, in so many equal rows. */
export function inputsOf(
  { model, tokenizer }: Pick<FeatureBench, "model" | "tokenizer">,
  { ink, rows }: { readonly ink: InkToRead; readonly rows: number },
): {
  /** Those that fit. */
  readonly tokens: number[];
  readonly cut: number;
  /** T */
  readonly length: number;
  /** Tokens `[B, T]`, targets `[B, T]`, context `[B, S]`. */
  readonly inputs: [tokens: HostTensor, targets: HostTensor, context: HostTensor];
} {
  const { blockSize, contextBlockSize } = model.config;
  const tokens = ink.tokens.slice(0, blockSize - 1);
  if (tokens.length === 0) throw new RangeError("Expected ink but found none");
  const length = Math.min(blockSize, BUCKET * Math.ceil((tokens.length + 1) / BUCKET));
  const { padToken, endToken } = tokenizer;
  const padded = padSequence(tokens, { length, padToken, endToken });
  const repeated = (row: Int32Array): HostTensor => {
    const data: Sequence = new Int32Array(rows * row.length);
    for (let i = 0; i < rows; i++) data.set(row, i * row.length);
    return { shape: [rows, row.length], dtype: "i32", data };
  };
  const context = tokenizer.encodeText(ink.text, { length: contextBlockSize });
  return {
    tokens,
    cut: ink.tokens.length - tokens.length,
    length,
    inputs: [repeated(padded.tokens), repeated(padded.targets), repeated(context)],
  };
}

/** The step that reads ink, captured once for a bench. */
function readStepOf(bench: FeatureBench): ReadStep {
  const known = steps.get(bench);
  if (known) return known;
  const { model, sae } = bench;
  const site = spliceSite(model, bench.site);
  const step: ReadStep = capture(
    (tokens: Tensor, targets: Tensor, context: Tensor) =>
      noGrad(() => {
        let activation: Tensor | undefined;
        const logits = site.logits(tokens, context, (x) => {
          activation = x; // [1, T, D]
          return undefined;
        });
        return { features: sae.encode(activation!.squeeze(0)), losses: crossEntropy(logits, targets, { reduction: "none" }) };
      }),
    { device: model.lm_head.weight.device },
  );
  steps.set(bench, step);
  return step;
}
