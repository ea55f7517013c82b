import { keepTopk, type Parameter, type Tensor, TensorError, where } from "@cursive/tensor";
import type { Coefficient } from "../coefficient.ts";

/** How latents that no longer fire are brought back. */
export interface AuxConfig {
  /** Factor of the auxiliary loss. Default 1, SAELens'; 0 leaves it out. */
  readonly auxCoefficient?: number;
  /** Dead latents that explain a row's residual. Default D/2. */
  readonly kAux?: number;
}

/** Fills in {@link AuxConfig}. */
export function auxDefaults(config: AuxConfig & { readonly dIn: number; readonly dSae: number }): Required<AuxConfig> {
  const { auxCoefficient = 1, kAux = Math.min(config.dSae, Math.max(1, Math.floor(config.dIn / 2))) } = config;
  if (!Number.isInteger(kAux) || kAux < 1 || kAux > config.dSae)
    throw new TensorError(`Expected kAux in 1…${config.dSae} (dSae) but found ${kAux}`);
  return { auxCoefficient, kAux };
}

/** What {@link auxLoss} is computed from. */
export interface AuxInput {
  readonly x: Tensor;
  readonly reconstruction: Tensor;
  /** Before any activation function, `[B, F]`. */
  readonly preActivations: Tensor;
  readonly W_dec: Parameter;
  /** `[F]` bool. */
  readonly dead: Tensor;
  readonly kAux: number;
  readonly rows: number;
}

/**
 * AuxK (Gao et al., arXiv 2406.04093, section A.2): the `kAux` dead latents with the greatest pre-activations, as they are, negative ones too,
 * explain what is left of x: mean_B ‖(x − x̂) − e·W_dec‖² · min(dead / kAux, 1). The residual is a constant and b_dec is not added, or
 * the loss would move b_dec; the encoder of dead latents gets a gradient even where ReLU would give none. The factor and the units (those of
 * `l2`, not divided by the residual's variance) are SAELens'.
 */
export function auxLoss({ x, reconstruction, preActivations, W_dec, dead, kAux, rows }: AuxInput): Tensor {
  const residual = x.sub(reconstruction.detach());
  const candidates = where(dead, preActivations, LEAST);
  const explained = keepTopk(candidates, kAux, { above: LEAST }).matmul(W_dec); // (B, D)
  const share = dead
    .to("f32")
    .sum()
    .mul(1 / kAux)
    .clamp({ max: 1 });
  return explained
    .sub(residual)
    .square()
    .sum()
    .mul(share)
    .mul(1 / rows);
}

/** Below every pre-activation: where a latent is not dead. */
const LEAST = -3e38;

/** For an architecture's list. */
export function auxCoefficient({ auxCoefficient, kAux }: Required<AuxConfig>): Coefficient {
  const of = `‖(x − x̂) − x̂_dead‖² · min(dead/${kAux}, 1), x̂_dead of the ${kAux} strongest dead latents`;
  return { name: "aux", value: auxCoefficient, reduction: "mean", of };
}
