import { type Codec, spliceHook } from "@cursive/sae";
import { type Tensor, tensor } from "@cursive/tensor";

/** What one latent is held at. */
export interface HeldLatent {
  readonly latent: number;
  /** Its activation at every place, in the autoencoder's units; 0 ablates it. */
  readonly value: number;
}

/**
 * A hook that holds latents of an autoencoder at values: x + Σᵢ (vᵢ − fᵢ)·W_dec,i. What the autoencoder misses of x stays as it is. Without
 * latents it changes no bit, while the same kernels run. Heads of an activation `[B, T, H, D]` are taken side by side.
 *
 * @example
 * ```ts
 * using scope = model.hooks({ fwdHooks: [["blocks.0.hook_mlp_out", steeringHook(sae, { dSae: 512, held: [{ latent: 18, value: 30 }] })]] });
 * await generate(model, { tokenizer, texts: ["hello"] });
 * ```
 */
export function steeringHook(
  sae: Codec,
  { dSae, held }: { readonly dSae: number; readonly held: readonly HeldLatent[] },
): (activation: Tensor) => Tensor {
  const free = new Float32Array(dSae).fill(1);
  const values = new Float32Array(dSae);
  for (const { latent, value } of held) {
    free[latent] = 0;
    values[latent] = value;
  }
  const [kept, set] = [tensor(free), tensor(values)]; // [F]
  const hook = spliceHook(sae, { errorTerm: true, ...(held.length > 0 && { edit: (features) => features.mul(kept).add(set) }) });
  return (activation) => {
    const [batch, length] = activation.shape as [number, number];
    const rows = activation.reshape([batch * length, activation.size / (batch * length)]);
    return hook(rows).reshape(activation.shape);
  };
}
