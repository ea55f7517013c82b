import { type HostTensor, TensorError } from "@cursive/tensor";
import { type NearestRows, nearestRows } from "./feature_geometry.ts";

/** How much of one dictionary another has found again, of the same activations and another seed say. */
export interface Stability {
  /** Mean over a's latents of the greatest cosine with a decoder row of b (MMCS), and the other way round. NaN where either has none. */
  readonly mmcs: { readonly aInB: number; readonly bInA: number };
  /** Share of a's latents with a cosine of at least 0.9 to some of b, and the other way round. */
  readonly found: { readonly aInB: number; readonly bInA: number };
  /** For each latent of a the nearest of b; −1 for one that does not count. */
  readonly nearest: NearestRows;
}

/** Options of {@link stability}. */
export interface StabilityOptions {
  /**
   * One flag a latent of each: those whose flag is 0 count on neither side, such as dead ones, which stay near the directions that they began
   * with and so find themselves again in a run of the same seed. Default: all count.
   */
  readonly alive?: { readonly a: ArrayLike<number | boolean>; readonly b: ArrayLike<number | boolean> };
}

/**
 * Compares the decoder directions of two autoencoders, in float64. Both may have any number of latents.
 *
 * @example
 * ```ts
 * const { mmcs } = stability(await first.stateDict(), await second.stateDict());
 * ```
 * @throws TensorError if a decoder is missing, they are of different widths, or flags are not as many as latents.
 */
export function stability(
  a: ReadonlyMap<string, HostTensor>,
  b: ReadonlyMap<string, HostTensor>,
  { alive }: StabilityOptions = {},
): Stability {
  const [first, second] = [decoderOf(a), decoderOf(b)];
  const width = first.shape[1]!;
  if (second.shape[1] !== width) throw new TensorError(`Expected decoders of width ${width} but found ${second.shape[1]}`);
  const [ofA, ofB] = [chosen(first, alive?.a), chosen(second, alive?.b)];
  const [there, back] = [nearestRows(ofA.rows, ofB.rows, { width }), nearestRows(ofB.rows, ofA.rows, { width })];
  const index = new Array<number>(first.shape[0]!).fill(-1);
  const cosine = new Array<number>(first.shape[0]!).fill(-1);
  for (const [i, latent] of ofA.latents.entries()) {
    index[latent] = ofB.latents[there.index[i]!] ?? -1;
    cosine[latent] = there.cosine[i]!;
  }
  const none = ofA.latents.length === 0 || ofB.latents.length === 0;
  const over = (of: (cosine: number) => number): { aInB: number; bInA: number } =>
    none ? { aInB: Number.NaN, bInA: Number.NaN } : { aInB: mean(there.cosine.map(of)), bInA: mean(back.cosine.map(of)) };
  return { mmcs: over((c) => c), found: over((c) => Number(c >= 0.9)), nearest: { index, cosine } };
}

/** The decoder rows of latents that count, and which these are. */
function chosen(
  { data, shape }: HostTensor,
  flags: ArrayLike<number | boolean> | undefined,
): { readonly rows: Float64Array; readonly latents: readonly number[] } {
  const [count, width] = shape as [number, number];
  if (flags && flags.length !== count) throw new TensorError(`Expected ${count} flags, one a latent, but found ${flags.length}`);
  const latents = Array.from({ length: count }, (_, f) => f).filter((f) => !flags || flags[f]);
  return { rows: Float64Array.from(latents.flatMap((f) => Array.from(data.subarray(f * width, (f + 1) * width)))), latents };
}

function decoderOf(state: ReadonlyMap<string, HostTensor>): HostTensor {
  const weight = state.get("W_dec");
  if (!weight) throw new TensorError(`Expected W_dec but found ${[...state.keys()].join(", ") || "no weights"}`);
  return weight;
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}
