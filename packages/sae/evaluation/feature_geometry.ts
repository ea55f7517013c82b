import type { HostTensor } from "@cursive/tensor";
import { TensorError } from "@cursive/tensor";

/** What latents' weights say, without any data. */
export interface FeatureGeometry {
  /** `[F]`: ‖W_enc‖ of each latent's column. */
  readonly encoderNorm: readonly number[];
  /** `[F]`: ‖W_dec‖ of each latent's row. */
  readonly decoderNorm: readonly number[];
  /** `[F]`: the bias added before the activation; of gated ones the gate's. Null where there is none. */
  readonly encoderBias: readonly number[] | null;
  /** `[F]`: cosine of a latent's encoder and decoder direction. */
  readonly encoderDecoderCosine: readonly number[];
  /** The nearest other latent by decoder direction, and by encoder direction. */
  readonly nearestDecoder: NearestRows;
  readonly nearestEncoder: NearestRows;
}

/** For each row the row of a set with the greatest cosine. */
export interface NearestRows {
  /** −1 where there is no other. */
  readonly index: readonly number[];
  /** −1 where there is no other; 0 with rows of zeros. */
  readonly cosine: readonly number[];
}

/**
 * Computes {@link FeatureGeometry} from the weights, in float64: `W_enc [D, F]`, `W_dec [F, D]`.
 *
 * @example
 * ```ts
 * const { nearestDecoder } = featureGeometry(await sae.stateDict());
 * ```
 * @throws TensorError if a weight is missing, or they do not fit.
 */
export function featureGeometry(state: ReadonlyMap<string, HostTensor>): FeatureGeometry {
  const [W_enc, W_dec] = ["W_enc", "W_dec"].map((name) => {
    const weight = state.get(name);
    if (!weight) throw new TensorError(`Expected ${name} but found ${[...state.keys()].join(", ") || "no weights"}`);
    return weight;
  }) as [HostTensor, HostTensor];
  const [dSae, width] = W_dec.shape as [number, number];
  if (W_enc.shape[0] !== width || W_enc.shape[1] !== dSae)
    throw new TensorError(`Expected W_enc [${width}, ${dSae}] but found [${W_enc.shape.join(", ")}]`);
  const encoder = new Float64Array(dSae * width);
  for (let d = 0; d < width; d++) for (let f = 0; f < dSae; f++) encoder[f * width + d] = Number(W_enc.data[d * dSae + f]);
  const decoder = Float64Array.from(W_dec.data as ArrayLike<number>);
  const bias = state.get("b_enc") ?? state.get("b_gate");
  const [unitEncoder, unitDecoder] = [unitRows(encoder, width), unitRows(decoder, width)];
  return {
    encoderNorm: Array.from(rowNorms(encoder, width)),
    decoderNorm: Array.from(rowNorms(decoder, width)),
    encoderBias: bias ? Array.from(bias.data as ArrayLike<number>) : null,
    encoderDecoderCosine: Array.from({ length: dSae }, (_, f) => dot(unitEncoder, f, { other: unitDecoder, at: f, width })),
    nearestDecoder: nearest(unitDecoder, unitDecoder, { width, others: true }),
    nearestEncoder: nearest(unitEncoder, unitEncoder, { width, others: true }),
  };
}

/** For each row of a `[n, D]` the row of b `[m, D]` with the greatest cosine; the first of equals. */
export function nearestRows(a: ArrayLike<number>, b: ArrayLike<number>, { width }: { readonly width: number }): NearestRows {
  return nearest(unitRows(a, width), unitRows(b, width), { width, others: false });
}

function nearest(a: Float64Array, b: Float64Array, about: { readonly width: number; readonly others: boolean }): NearestRows {
  const { width, others } = about;
  const [n, m] = [a.length / width, b.length / width];
  const [index, cosine] = [new Array<number>(n).fill(-1), new Array<number>(n).fill(-1)];
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < m; j++) {
      if (others && i === j) continue;
      const found = dot(a, i, { other: b, at: j, width });
      if (index[i]! >= 0 && found <= cosine[i]!) continue;
      index[i] = j;
      cosine[i] = found;
    }
  }
  return { index, cosine };
}

function dot(a: Float64Array, row: number, to: { other: Float64Array; at: number; width: number }): number {
  const { other, at, width } = to;
  let sum = 0;
  for (let d = 0; d < width; d++) sum += a[row * width + d]! * other[at * width + d]!;
  return sum;
}

function rowNorms(matrix: Float64Array, width: number): Float64Array {
  return Float64Array.from({ length: matrix.length / width }, (_, row) => Math.sqrt(dot(matrix, row, { other: matrix, at: row, width })));
}

function unitRows(matrix: ArrayLike<number>, width: number): Float64Array {
  const rows = Float64Array.from(matrix);
  const norms = rowNorms(rows, width);
  return rows.map((value, i) => (norms[Math.floor(i / width)]! > 0 ? value / norms[Math.floor(i / width)]! : 0));
}
