import { Adam, type AdamOptions, noGrad, type Parameter, type Tensor, where } from "@cursive/tensor";
import type { SparseAutoencoder } from "../sae.ts";

/**
 * Adam for a sparse autoencoder, with the decoder's constraint inside of `step()`, where nobody can forget it: project the gradient, step,
 * scale the rows back to norm 1. (Scaling before the step, as some do, leaves norms a little off after it.)
 *
 * @example
 * ```ts
 * const optimizer = new SaeAdam(sae, { lr: 1e-3 });
 * optimizer.zeroGrad();
 * sae.forward(x).loss.backward();
 * optimizer.step();
 * ```
 */
export class SaeAdam extends Adam {
  readonly #sae: SparseAutoencoder;

  constructor(sae: SparseAutoencoder, options: AdamOptions) {
    super(sae.parameters(), options);
    this.#sae = sae;
  }

  override step(): void {
    const isConstrained = this.#sae.config.decoderConstraint === "unit-norm";
    if (isConstrained) this.#sae.projectDecoderGradient();
    super.step();
    if (isConstrained) this.#sae.normalizeDecoder();
  }

  /** Forgets the moments of the latents marked in `[F]` bool, and of no others: their weights are new, and old momentum would undo them. */
  resetLatents(latents: Tensor): void {
    for (const flat of Object.values(this.moments())) {
      for (const slot of this.arena.slots) {
        const axis = latentAxis(this.#sae, slot.parameter);
        if (axis === undefined) continue;
        const view = this.arena.view(flat, slot);
        const flags = axis === 0 && view.rank === 2 ? latents.unsqueeze(1) : latents; // (F, 1) or (F)
        noGrad(() => view.copyFrom(where(flags, 0, view)));
      }
    }
  }
}

/** The axis of a parameter that counts latents; undefined for b_dec. */
export function latentAxis(sae: SparseAutoencoder, parameter: Parameter): number | undefined {
  if (parameter === sae.b_dec) return undefined;
  return parameter === sae.W_enc ? 1 : 0;
}
