import { type Device, fromHost, type Tensor, tensor, where } from "@cursive/tensor";
import { type Codec, spliceHook } from "../evaluation/splice.ts";

/** What one latent is held at. */
export interface HeldLatent {
  readonly latent: number;
  /** Its activation at every place, in the autoencoder's units; 0 ablates it. */
  readonly value: number;
}

/** Options of {@link Steering}. */
export interface SteeringOptions {
  readonly dSae: number;
  /** What is held from the start. Default: nothing. */
  readonly held?: readonly HeldLatent[];
  /** Hold a latent only at the places where it fires by itself, so that what it says comes louder, lower or not at all. Default false: everywhere. */
  readonly onlyWhereFiring?: boolean;
  /** Bool, of a shape that broadcasts to `[B, T, D]`: where to steer. Default: everywhere. */
  readonly at?: Tensor;
  /** Default: the one opened last. */
  readonly device?: Device;
}

/**
 * Holds latents of an autoencoder at values: x + Σᵢ (vᵢ − fᵢ)·W_dec,i. What the autoencoder misses of x stays as it is. Without latents it
 * changes no bit, while the same kernels run. What is held may change between runs of a captured step, which then follows.
 *
 * @example
 * ```ts
 * const steering = new Steering(sae, { dSae: 512 });
 * using scope = model.hooks({ fwdHooks: [["blocks.0.hook_mlp_out", steering.hook]] });
 * steering.hold([{ latent: 18, value: 30 }]);
 * await generate(model, { tokenizer, texts: ["hello"] });
 * ```
 */
export class Steering {
  /** For the site that the autoencoder was trained on. Heads of an activation `[B, T, H, D]` are taken side by side. */
  readonly hook: (activation: Tensor) => Tensor;
  readonly #dSae: number;
  readonly #device: Device | undefined;
  /** `[F]`: 1 for latents that are held, 0 for the others. */
  readonly #held: Tensor;
  /** `[F]` */
  readonly #values: Tensor;

  constructor(sae: Codec, { dSae, held = [], onlyWhereFiring = false, at, device }: SteeringOptions) {
    this.#dSae = dSae;
    this.#device = device;
    this.#held = tensor(new Float32Array(dSae), { device });
    this.#values = tensor(new Float32Array(dSae), { device });
    this.hold(held);
    const edit = (features: Tensor): Tensor => {
      const reached = onlyWhereFiring ? this.#held.mul(features.gt(0).to("f32")) : this.#held; // [N, F] or [F]
      return where(reached.gt(0), this.#values, features);
    };
    const splice = spliceHook(sae, { errorTerm: true, at, edit });
    this.hook = (activation) => {
      const [batch, length] = activation.shape as [number, number];
      return splice(activation.reshape([batch, length, activation.size / (batch * length)])).reshape(activation.shape);
    };
  }

  /** Holds these latents from now on, and no others. @throws RangeError for a latent that there is not, or a value that is not finite. */
  hold(held: readonly HeldLatent[]): void {
    const isHeld = new Float32Array(this.#dSae);
    const values = new Float32Array(this.#dSae);
    for (const { latent, value } of held) {
      if (!Number.isInteger(latent) || latent < 0 || latent >= this.#dSae)
        throw new RangeError(`Expected a latent from 0 to ${this.#dSae - 1} but found ${latent}`);
      if (!Number.isFinite(value)) throw new RangeError(`Expected a finite value for latent ${latent} but found ${value}`);
      isHeld[latent] = 1;
      values[latent] = value;
    }
    for (const [target, data] of [
      [this.#held, isHeld],
      [this.#values, values],
    ] as const)
      target.copyFrom(fromHost({ shape: [this.#dSae], dtype: "f32", data }, { device: this.#device }));
  }
}

/**
 * A hook that holds latents at values, always the same: {@link Steering} where nothing changes.
 *
 * @example
 * ```ts
 * using scope = model.hooks({ fwdHooks: [["blocks.0.hook_mlp_out", steeringHook(sae, { dSae: 512, held: [{ latent: 18, value: 30 }] })]] });
 * ```
 */
export function steeringHook(
  sae: Codec,
  options: SteeringOptions & { readonly held: readonly HeldLatent[] },
): (activation: Tensor) => Tensor {
  return new Steering(sae, options).hook;
}
