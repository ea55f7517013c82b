import type { Transformer } from "@cursive/cursive-model";
import { type CapturedStep, capture, embedding, enableGrad, type HostTensor, noGrad, type Tensor } from "@cursive/tensor";
import type { SparseAutoencoder } from "../sae.ts";
import type { LetterPath } from "./letter_path.ts";

/** A place where a latent fires. */
export interface FiringPlace {
  readonly latent: number;
  readonly position: number;
}

/** A sequence and the places in it to look at. */
export interface AttributedSequence {
  /** The caller's number of it. */
  readonly sequence: number;
  /** `[T]` */
  readonly tokens: ArrayLike<number>;
  /** `[S]` */
  readonly context: ArrayLike<number>;
  readonly places: readonly FiringPlace[];
}

/** Where one latent's pre-activation at one place comes from. */
export interface PlaceAttribution extends FiringPlace {
  readonly sequence: number;
  /** What goes into the latent's nonlinearity there: (x − b_dec)·W_enc + b_enc; of a gated autoencoder its gate's. */
  readonly preActivation: number;
  /** `[blocks, H, S]`, flat: what each character adds to that through each head of the path's blocks. */
  readonly contributions: Float64Array;
}

/** Options of {@link attributeLetters}. */
export interface AttributeLettersOptions {
  readonly model: Transformer;
  readonly path: LetterPath;
  /** Best all of one length. */
  readonly sequences: Iterable<AttributedSequence>;
  /** Places whose gradients are computed at once. Default 128. */
  readonly atOnce?: number;
  readonly signal?: AbortSignal;
  /** Called after each sequence with how many are done. */
  readonly onSequences?: (done: number) => void;
}

/**
 * Attributes latents' pre-activations to the characters of the text, directly through cross-attention's OV circuit: for each block, head and
 * character, pattern[t, s]·(v[s]·W_O)·g with g the gradient of the pre-activation where cross-attention's outputs are added. On an exact
 * path g is the latent's encoder direction, and with what everything else adds to the residual stream it makes the whole pre-activation; on a
 * first-order one it is the gradient through what stands between, at that place. What passes through later attention, and what letters do
 * to the patterns, is not counted.
 *
 * @example
 * ```ts
 * const path = letterPath(model, "blocks.0.hook_mlp_out")!;
 * for await (const { latent, contributions } of attributeLetters(sae, { model, path, sequences })) add(latent, contributions);
 * ```
 * @throws RangeError for a place that is not there. @throws The reason of `signal`, if it asks to stop.
 */
export async function* attributeLetters(
  sae: SparseAutoencoder,
  { model, path, sequences, atOnce = 128, signal, onSequences }: AttributeLettersOptions,
): AsyncGenerator<PlaceAttribution> {
  const { device } = sae.W_enc;
  const read = capture((tokens: Tensor, context: Tensor) => noGrad(() => readings(model, { path, tokens, context })), { device });
  const follow = gradientStep(sae, { model, path });
  try {
    const [offsets, projections] = [await constants(sae), await outputWeights(model, path)];
    let done = 0;
    for (const { sequence, tokens, context, places } of sequences) {
      signal?.throwIfAborted();
      const outputs = await read(ids(tokens), ids(context));
      const [entry, ...rest] = (await Promise.all(outputs.map((output) => output.data()))) as [Float32Array, ...Float32Array[]];
      const circuits = path.blocks.map((_, i) => ({ pattern: rest[2 * i]!, values: rest[2 * i + 1]!, projection: projections[i]! }));
      for (let start = 0; start < places.length; start += atOnce) {
        const own = places.slice(start, start + atOnce);
        checkPlaces(own, { length: tokens.length, latents: offsets.length });
        const { gradients, products } = await follow(own, { entry, atOnce });
        const width = gradients.length / atOnce;
        for (const [i, { latent, position }] of own.entries()) {
          const gradient = gradients.subarray(i * width, (i + 1) * width);
          const about = { position, length: tokens.length, characters: context.length, heads: model.config.nHead };
          const parts = circuits.map((circuit) => contributionsOf(circuit, gradient, about));
          const contributions = Float64Array.from(parts.flatMap((part) => [...part]));
          yield { sequence, latent, position, preActivation: products[i]! + offsets[latent]!, contributions };
        }
      }
      onSequences?.(++done);
    }
  } finally {
    read.destroy();
    follow.destroy();
  }
}

/** The residual stream at the path's entry, and each block's pattern and values, in this order. */
function readings(
  model: Transformer,
  { path, tokens, context }: { readonly path: LetterPath; readonly tokens: Tensor; readonly context: Tensor },
): Tensor[] {
  const names = [path.entry, ...path.blocks.flatMap((l) => [`blocks.${l}.cross_attn.hook_pattern`, `blocks.${l}.cross_attn.hook_v`])];
  const budget = Number.POSITIVE_INFINITY; // a single sequence
  const { cache } = model.runWithCache(tokens, context, { namesFilter: names, stopAtLayer: path.stopAtLayer, budget });
  return names.map((name) => cache.get(name));
}

/** Gradients `[n, C]` of the places' pre-activations at the path's entry, and x·W_enc `[n]`. */
function gradientStep(
  sae: SparseAutoencoder,
  { model, path }: { readonly model: Transformer; readonly path: LetterPath },
): {
  (
    places: readonly FiringPlace[],
    options: { readonly entry: Float32Array; readonly atOnce: number },
  ): Promise<{ readonly gradients: Float32Array; readonly products: Float32Array }>;
  destroy(): void;
} {
  const { nEmbd } = model.config;
  const directions = noGrad(() => sae.W_enc.transpose(0, 1).clone()); // (F, D)
  const step: CapturedStep<[HostTensor, HostTensor], { gradients: Tensor; products: Tensor }> = capture(
    (rows: Tensor, latents: Tensor) =>
      withoutParameters(model, () =>
        enableGrad(() => {
          const leaf = rows.detach();
          leaf.requiresGrad = true;
          const products = path.toSite(leaf).mul(embedding(latents, directions)).sum({ axis: -1 }); // (n)
          products.sum().backward(); // rows do not mix, so that each gets the gradient of its own
          return { gradients: leaf.grad!, products: products.detach() };
        }),
      ),
    { device: sae.W_enc.device },
  );
  return Object.assign(
    async (places: readonly FiringPlace[], { entry, atOnce }: { readonly entry: Float32Array; readonly atOnce: number }) => {
      const [rows, latents] = [new Float32Array(atOnce * nEmbd), new Int32Array(atOnce)];
      for (const [i, { latent, position }] of places.entries()) {
        rows.set(entry.subarray(position * nEmbd, (position + 1) * nEmbd), i * nEmbd);
        latents[i] = latent;
      }
      const results = await step({ shape: [atOnce, nEmbd], dtype: "f32", data: rows }, { shape: [atOnce], dtype: "i32", data: latents });
      const [gradients, products] = await Promise.all([results.gradients.data(), results.products.data()]);
      return { gradients: gradients as Float32Array, products: products as Float32Array };
    },
    { destroy: () => step.destroy() },
  );
}

/** Runs work in which the model's parameters want no gradient: theirs stay as they are. */
function withoutParameters<R>(model: Transformer, work: () => R): R {
  const parameters = [...model.parameters()].filter((parameter) => parameter.requiresGrad);
  for (const parameter of parameters) parameter.requiresGrad = false;
  try {
    return work();
  } finally {
    for (const parameter of parameters) parameter.requiresGrad = true;
  }
}

/** `[F]`: what the pre-activation has besides x·W_enc. */
async function constants(sae: SparseAutoencoder): Promise<Float64Array> {
  const state = await sae.stateDict();
  const { dIn, dSae, applyBDecToInput } = sae.config;
  const [weights, center] = [state.get("W_enc")!.data, state.get("b_dec")!.data];
  const bias = (state.get("b_enc") ?? state.get("b_gate"))!.data;
  return Float64Array.from({ length: dSae }, (_, f) => {
    let sum = bias[f]!;
    if (applyBDecToInput) for (let d = 0; d < dIn; d++) sum -= center[d]! * weights[d * dSae + f]!;
    return sum;
  });
}

/** Each block's W_O `[C, C]`, as PyTorch has it: the outputs' rows. */
function outputWeights(model: Transformer, { blocks }: LetterPath): Promise<Float32Array[]> {
  const all = [...model.transformer.h];
  return Promise.all(blocks.map(async (block) => (await all[block]!.cross_attn.c_proj.weight.data()) as Float32Array));
}

interface Circuit {
  /** `[H, T, S]` */
  readonly pattern: Float32Array;
  /** `[S, H, D]` */
  readonly values: Float32Array;
  /** `[C, C]` */
  readonly projection: Float32Array;
}

/** `[H, S]`: pattern[t, s]·(v[s]·W_O)·g of one block, in float64. */
function contributionsOf(
  { pattern, values, projection }: Circuit,
  gradient: Float32Array,
  { position, length, characters, heads }: { position: number; length: number; characters: number; heads: number },
): Float64Array {
  const width = gradient.length;
  const size = width / heads;
  const back = new Float64Array(width); // W_Oᵀ g: the gradient of what the heads mix
  for (let c = 0; c < width; c++) for (let d = 0; d < width; d++) back[d]! += gradient[c]! * projection[c * width + d]!;
  const contributions = new Float64Array(heads * characters);
  for (let h = 0; h < heads; h++) {
    for (let s = 0; s < characters; s++) {
      let sum = 0;
      for (let d = 0; d < size; d++) sum += back[h * size + d]! * values[(s * heads + h) * size + d]!;
      contributions[h * characters + s] = sum * pattern[(h * length + position) * characters + s]!;
    }
  }
  return contributions;
}

function checkPlaces(places: readonly FiringPlace[], { length, latents }: { readonly length: number; readonly latents: number }): void {
  const isBelow = (value: number, limit: number): boolean => Number.isInteger(value) && value >= 0 && value < limit;
  const wrong = places.find(({ latent, position }) => !isBelow(latent, latents) || !isBelow(position, length));
  if (wrong)
    throw new RangeError(
      `Expected a latent below ${latents} and a position below ${length} but found ${wrong.latent} and ${wrong.position}`,
    );
}

function ids(values: ArrayLike<number>): HostTensor {
  return { shape: [1, values.length], dtype: "i32", data: Int32Array.from(values) };
}
