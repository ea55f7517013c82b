import { type NamedValues, uniformValues } from "./values.ts";

/**
 * The standard sparse autoencoder: a = ReLU((x − b_d)·W_e + b_e), y = a·W_d + b_d, loss = mean over rows of |y − x|² + λ·Σ a; Adam.
 */
export const SAE = { width: 64, lr: 1e-3, betas: [0.9, 0.999], epsilon: 1e-8, sparsity: 3e-4 } as const;

/** The parameters: encoder `[D, F]`, decoder `[F, D]` and their biases. */
export function saeParameters(features: number): NamedValues {
  const { width } = SAE;
  return [
    ["encoder", { shape: [width, features], spread: width ** -0.5 }],
    ["decoder", { shape: [features, width], spread: features ** -0.5 }],
    ["encoderBias", { shape: [features], spread: 0 }],
    ["decoderBias", { shape: [width], spread: 0 }],
  ];
}

/** One batch `[rows, D]`. */
export function saeBatch(rows: number): Float32Array<ArrayBuffer> {
  return uniformValues({ shape: [rows, SAE.width], spread: 3 ** 0.5 }, 1001);
}
