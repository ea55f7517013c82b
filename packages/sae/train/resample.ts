import { type HostTensor, type Rng, type Tensor, TensorError, tensor } from "@cursive/tensor";
import { scaledRows } from "../init.ts";
import type { SparseAutoencoder } from "../sae.ts";

/** When and how dead latents get new directions. */
export interface ResampleOptions {
  /** After how many steps in all. */
  readonly atSteps: readonly number[];
  /** Rows that a latent must have been silent for. Default: as for `deadAfterRows`. */
  readonly afterRows?: number;
  /** Rows whose losses are looked at. Default 8 batches. */
  readonly rows?: number;
  /** New encoder columns have this share of the mean norm of the others'. Default 0.2. */
  readonly encoderScale?: number;
}

/** The default of {@link ResampleOptions.encoderScale}. */
export const ENCODER_SCALE = 0.2;

/** Rows to choose new directions from. */
export interface Candidates {
  /** `[N, D]`, scaled as in training. */
  readonly rows: Float32Array;
  /** ‖x̂ − x‖² of each. */
  readonly losses: Float32Array;
}

/**
 * Gives dead latents new weights, as Towards Monosemanticity does (Bricken et al. 2023, "Neuron Resampling"): for each a row is drawn with a
 * chance proportional to its squared loss, each row at most once; its direction (from b_dec, where the encoder sees it from there)
 * becomes the decoder row, at the norm that alive rows have under no constraint, else 1, and the encoder column, at `encoderScale` times
 * the mean norm of alive ones. Biases are 0 again, thresholds as at the start. The optimizer's moments are the caller's to reset.
 *
 * @param dead one flag a latent.
 * @returns how many latents were changed: none if all are dead or the losses are all 0.
 */
export async function resampleLatents(
  sae: SparseAutoencoder,
  {
    dead,
    candidates,
    encoderScale = ENCODER_SCALE,
    rng,
  }: { dead: ArrayLike<number>; candidates: Candidates; encoderScale?: number; rng: Rng },
): Promise<number> {
  const { dIn, dSae, decoderConstraint, applyBDecToInput } = sae.config;
  if (dead.length !== dSae) throw new TensorError(`Expected ${dSae} flags (dSae) but found ${dead.length}`);
  const latents = Array.from({ length: dSae }, (_, f) => f).filter((f) => dead[f]);
  const alive = Array.from({ length: dSae }, (_, f) => f).filter((f) => !dead[f]);
  const chosen = drawRows(candidates.losses, { count: latents.length, rng });
  const changed = latents.slice(0, chosen.length);
  if (changed.length === 0 || alive.length === 0) return 0;

  const state = await sae.stateDict();
  const [W_enc, W_dec, b_dec] = ["W_enc", "W_dec", "b_dec"].map((name) => state.get(name)!.data) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const columnNorm = (f: number): number => Math.hypot(...Array.from({ length: dIn }, (_, d) => W_enc[d * dSae + f]!));
  const rowNorm = (f: number): number => Math.hypot(...W_dec.subarray(f * dIn, (f + 1) * dIn));
  const mean = (norm: (f: number) => number): number => alive.reduce((sum, f) => sum + norm(f), 0) / alive.length;
  const encoderNorm = encoderScale * mean(columnNorm);
  const decoderNorm = decoderConstraint === "none" ? mean(rowNorm) : 1;

  for (const [i, f] of changed.entries()) {
    const start = chosen[i]! * dIn;
    const seen = candidates.rows.slice(start, start + dIn).map((v, d) => v - (applyBDecToInput ? b_dec[d]! : 0));
    const direction = scaledRows(seen, { width: dIn, norm: 1 });
    for (let d = 0; d < dIn; d++) {
      W_dec[f * dIn + d] = direction[d]! * decoderNorm;
      W_enc[d * dSae + f] = direction[d]! * encoderNorm;
    }
    for (const [name, { data }] of perLatent(state)) data[f] = name === "threshold" ? initialThreshold(sae) : 0;
  }
  sae.loadStateDict(state);
  return changed.length;
}

/** The vectors with a number for each latent: biases, thresholds. */
function perLatent(state: ReadonlyMap<string, HostTensor>): [string, HostTensor][] {
  return [...state].filter(([name, { shape }]) => shape.length === 1 && name !== "b_dec");
}

function initialThreshold(sae: SparseAutoencoder): number {
  return (sae.config as { readonly initialThreshold?: number }).initialThreshold ?? 0;
}

/** Places drawn without repetition, with chances proportional to the squares. Fewer than `count` if no more are above 0. */
function drawRows(losses: Float32Array, { count, rng }: { readonly count: number; readonly rng: Rng }): number[] {
  const weights = Float64Array.from(losses, (loss) => loss * loss);
  let total = weights.reduce((a, b) => a + b, 0);
  const places: number[] = [];
  while (places.length < count && total > 0) {
    let left = rng.uniform() * total;
    let place = -1;
    for (let i = 0; i < weights.length && left >= 0; i++) {
      if (weights[i] === 0) continue;
      place = i;
      left -= weights[i]!;
    }
    if (place < 0) break;
    places.push(place);
    weights[place] = 0;
    total = weights.reduce((a, b) => a + b, 0);
  }
  return places;
}

/** A flag a latent, as the GPU wants it. */
export function flagsTensor(dead: ArrayLike<number>): Tensor {
  return tensor(Uint8Array.from(dead, (v) => (v ? 1 : 0)));
}
