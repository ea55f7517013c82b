import type { HostTensor, StateDict } from "@cursive/tensor";

/**
 * The weights for activations as they are, from weights trained on activations times `scale`: W_enc·s, W_dec/s, b_dec/s. Features, biases
 * and thresholds stay the same; x̂ comes out in the activations' own units.
 */
export function foldScale(state: StateDict, scale: number): StateDict {
  const factors: Readonly<Record<string, number>> = { W_enc: scale, W_dec: 1 / scale, b_dec: 1 / scale };
  return mapState(state, (name, data) => data.map((v) => v * (factors[name] ?? 1)));
}

/** Parameters with a number for each latent that lies on the scale of its features. */
const SCALES_WITH_FEATURES = new Set(["b_enc", "b_gate", "b_mag", "threshold"]);

/**
 * The same autoencoder with decoder rows of norm 1: features grow by what their rows lose, x̂ stays as it is. Rows of zeros (norms below
 * 1e-8) are left alone. Not for BatchTopK and TopK with free decoders: there the competition between latents depends on their scale.
 */
export function foldDecoderNorm(state: StateDict): StateDict {
  const { data: W_dec, shape } = state.get("W_dec")!;
  const [dSae, dIn] = shape as [number, number];
  const norms = Array.from({ length: dSae }, (_, f) => {
    const norm = Math.hypot(...W_dec.subarray(f * dIn, (f + 1) * dIn));
    return norm < 1e-8 ? 1 : norm;
  });
  return mapState(state, (name, data) => {
    if (name === "W_dec") return data.map((v, i) => v / norms[Math.floor(i / dIn)]!);
    if (name === "W_enc") return data.map((v, i) => v * norms[i % dSae]!);
    return SCALES_WITH_FEATURES.has(name) ? data.map((v, f) => v * norms[f]!) : data;
  });
}

function mapState(state: StateDict, change: (name: string, data: Float32Array) => Float32Array): StateDict {
  return new Map(
    [...state].map(([name, host]): [string, HostTensor] => [name, { ...host, data: change(name, host.data as Float32Array) }]),
  );
}
