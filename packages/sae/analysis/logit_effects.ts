import { type HostTensor, TensorError } from "@cursive/tensor";

/** Options of {@link logitEffects}. */
export interface LogitEffectOptions {
  /** W_U `[V, D]`: the weight of the model's last layer, as PyTorch has it. */
  readonly unembedding: HostTensor;
  /** `[D]`: the weight of the normalisation before it, which scales what comes through. Default: ones. */
  readonly scale?: ArrayLike<number>;
}

/**
 * What a latent does to the logits directly, past all later layers, `[V]` for each of F: (d − mean d)·diag(scale)·W_Uᵀ less its mean over V,
 * for its decoder row d. The last normalisation takes the mean over D away, and what all logits have in common changes no probability. It
 * is per unit of activation, and not yet divided by the residual stream's deviation: signs and proportions count, not sizes.
 *
 * @param decoder - W_dec `[F, D]`.
 * @example
 * ```ts
 * const effects = logitEffects(state.get("W_dec")!, { unembedding, scale });
 * const rose = effects[18]!.subarray(tokenizer.firstThetaToken, tokenizer.padToken); // by direction
 * ```
 * @throws TensorError if widths differ.
 */
export function logitEffects(decoder: HostTensor, { unembedding, scale }: LogitEffectOptions): Float64Array[] {
  const [latents, width] = decoder.shape as [number, number];
  const [tokens, found] = unembedding.shape as [number, number];
  if (found !== width || (scale && scale.length !== width))
    throw new TensorError(
      `Expected an unembedding [V, ${width}] and as many scales but found [${tokens}, ${found}] and ${scale?.length ?? 0}`,
    );
  const [rows, weights] = [decoder.data as ArrayLike<number>, unembedding.data as ArrayLike<number>];
  return Array.from({ length: latents }, (_, f) => {
    const effects = new Float64Array(tokens);
    const own = Float64Array.from({ length: width }, (_, d) => rows[f * width + d]!);
    const centre = own.reduce((a, b) => a + b, 0) / width;
    for (let token = 0; token < tokens; token++)
      for (let d = 0; d < width; d++) effects[token]! += (own[d]! - centre) * (scale?.[d] ?? 1) * weights[token * width + d]!;
    const mean = effects.reduce((a, b) => a + b, 0) / tokens;
    return effects.map((effect) => effect - mean);
  });
}
