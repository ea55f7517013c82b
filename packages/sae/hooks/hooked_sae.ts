import { HookPoint } from "@cursive/cursive-model";
import { Module, noGrad, type Tensor } from "@cursive/tensor";
import type { SparseAutoencoder } from "../sae.ts";

/**
 * An autoencoder with SAELens's hook points on what it computes, from an activation `[B, T, ..]` to what takes its place, as `SAE.forward` of
 * SAELens does it. Points run in this order, with D features of the activation side by side:
 *
 * - `hook_sae_input` `[B, T, D]`: x
 * - `hook_sae_acts_pre` `[B, T, F]`: what goes into the nonlinearity
 * - `hook_sae_acts_post` `[B, T, F]`: the features f
 * - `hook_sae_recons` `[B, T, D]`: f·W_dec + b_dec
 * - `hook_sae_error` `[B, T, D]`, with the error term: x less the reconstruction that nobody has changed, as a constant
 * - `hook_sae_output` `[B, T, D]`: their sum
 *
 * With the error term an autoencoder that nobody edits changes no bit.
 */
export class HookedSae extends Module<[x: Tensor], Tensor> {
  readonly hook_sae_input: HookPoint = new HookPoint();
  readonly hook_sae_acts_pre: HookPoint = new HookPoint();
  readonly hook_sae_acts_post: HookPoint = new HookPoint();
  readonly hook_sae_recons: HookPoint = new HookPoint();
  readonly hook_sae_error: HookPoint = new HookPoint();
  readonly hook_sae_output: HookPoint = new HookPoint();
  readonly #sae: SparseAutoencoder;
  readonly #useErrorTerm: boolean;

  constructor(sae: SparseAutoencoder, { useErrorTerm = false }: { readonly useErrorTerm?: boolean } = {}) {
    super();
    this.#sae = sae;
    this.#useErrorTerm = useErrorTerm;
  }

  override forward(activation: Tensor): Tensor {
    const [batch, length] = activation.shape as [number, number];
    const x = activation.reshape([batch, length, activation.size / (batch * length)]);
    const input = this.hook_sae_input.call(x);
    const pre = (z: Tensor): Tensor => this.hook_sae_acts_pre.call(z);
    const features = this.hook_sae_acts_post.call(this.#sae.encode(input, { watch: pre }));
    const reconstruction = this.hook_sae_recons.call(this.#sae.decode(features));
    const output = this.#useErrorTerm ? this.#withError(x, reconstruction) : reconstruction;
    return this.hook_sae_output.call(output).reshape(activation.shape);
  }

  #withError(x: Tensor, reconstruction: Tensor): Tensor {
    const untouched = noGrad(() => this.#sae.decode(this.#sae.encode(x)));
    const error = noGrad(() => x.sub(untouched));
    const seen = this.hook_sae_error.call(error);
    // the same number in an order that gives x back to the last bit where nothing was changed
    return seen === error ? x.detach().add(reconstruction.sub(untouched)) : reconstruction.add(seen);
  }
}
