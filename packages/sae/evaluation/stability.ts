import { type HostTensor, TensorError } from "@cursive/tensor";
import { type NearestRows, nearestRows } from "./feature_geometry.ts";

/** How much of one dictionary another has found again, of the same activations and another seed say. */
export interface Stability {
  /** Mean over a's latents of the greatest cosine with a decoder row of b (MMCS), and the other way round. */
  readonly mmcs: { readonly aInB: number; readonly bInA: number };
  /** Share of a's latents with a cosine of at least 0.9 to some of b, and the other way round. */
  readonly found: { readonly aInB: number; readonly bInA: number };
  /** For each latent of a the nearest of b. */
  readonly nearest: NearestRows;
}

/**
 * Compares the decoder directions of two autoencoders, in float64. Both may have any number of latents.
 *
 * @example
 * ```ts
 * const { mmcs } = stability(await first.stateDict(), await second.stateDict());
 * ```
 * @throws TensorError if a decoder is missing, or they are of different widths.
 */
export function stability(a: ReadonlyMap<string, HostTensor>, b: ReadonlyMap<string, HostTensor>): Stability {
  const [first, second] = [decoderOf(a), decoderOf(b)];
  const width = first.shape[1]!;
  if (second.shape[1] !== width) throw new TensorError(`Expected decoders of width ${width} but found ${second.shape[1]}`);
  const [there, back] = [
    nearestRows(first.data as Float32Array, second.data as Float32Array, { width }),
    nearestRows(second.data as Float32Array, first.data as Float32Array, { width }),
  ];
  return {
    mmcs: { aInB: mean(there.cosine), bInA: mean(back.cosine) },
    found: { aInB: mean(there.cosine.map((c) => Number(c >= 0.9))), bInA: mean(back.cosine.map((c) => Number(c >= 0.9))) },
    nearest: there,
  };
}

function decoderOf(state: ReadonlyMap<string, HostTensor>): HostTensor {
  const weight = state.get("W_dec");
  if (!weight) throw new TensorError(`Expected W_dec but found ${[...state.keys()].join(", ") || "no weights"}`);
  return weight;
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}
