import { createRng, Parameter, type Rng, tensor, zeros } from "@cursive/tensor";

/** How the weights start. */
export type WeightInit = "tied" | "kaiming";

/**
 * The weights at the start.
 *
 * - `"tied"` (Anthropic, OpenAI, SAELens): rows of W_dec in uniformly random directions at a given norm, W_enc its transpose.
 * - `"kaiming"` (the notebook): both uniform in ±√(6 / fan), torch's `kaiming_uniform_` on these layouts, whose fan is the second
 *   axis: F for W_enc, D for W_dec; then W_dec's rows are scaled to the norm.
 */
export function initialWeights(config: {
  readonly dIn: number;
  readonly dSae: number;
  readonly seed: number;
  readonly init: WeightInit;
  readonly decoderInitNorm: number;
}): { W_enc: Parameter; W_dec: Parameter; b_dec: Parameter } {
  const { dIn, dSae, init, decoderInitNorm } = config;
  const rng = createRng(config.seed, "sae", "init");
  const encoder = init === "kaiming" ? uniforms(rng, dIn * dSae, Math.sqrt(6 / dSae)) : undefined;
  const drawn = init === "kaiming" ? uniforms(rng, dSae * dIn, Math.sqrt(6 / dIn)) : normals(rng, dSae * dIn);
  const decoder = scaledRows(drawn, { width: dIn, norm: decoderInitNorm });
  return {
    W_enc: new Parameter(tensor(encoder ?? transposed(decoder, dSae, dIn), { shape: [dIn, dSae] })),
    W_dec: new Parameter(tensor(decoder, { shape: [dSae, dIn] })),
    b_dec: zeroParameter(dIn),
  };
}

/** A bias: zeros. */
export function zeroParameter(size: number): Parameter {
  return new Parameter(zeros([size]));
}

/** A parameter of one value. */
export function constantParameter(size: number, value: number): Parameter {
  return new Parameter(tensor(new Float32Array(size).fill(value)));
}

function uniforms(rng: Rng, count: number, bound: number): Float32Array {
  return Float32Array.from({ length: count }, () => rng.uniform(-bound, bound));
}

function normals(rng: Rng, count: number): Float32Array {
  return Float32Array.from({ length: count }, () => rng.normal());
}

/** Every row of a matrix scaled to a norm. */
export function scaledRows(matrix: Float32Array, { width, norm }: { readonly width: number; readonly norm: number }): Float32Array {
  const result = new Float32Array(matrix.length);
  for (let start = 0; start < matrix.length; start += width) {
    const row = matrix.subarray(start, start + width);
    const length = Math.hypot(...row);
    for (let i = 0; i < width; i++) result[start + i] = length > 0 ? (row[i]! * norm) / length : 0;
  }
  return result;
}

function transposed(matrix: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(matrix.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) result[c * rows + r] = matrix[r * columns + c]!;
  return result;
}
