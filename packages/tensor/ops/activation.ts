import type { Tensor } from "../tensor.ts";
import { unaryOp } from "./elementwise.ts";

type Unary = (x: Tensor) => Tensor;

/** max(x, 0). NaN stays NaN, as in torch. */
export const relu: Unary = unaryOp({ name: "relu", define: "RELU", dtypes: ["f32", "i32"], saves: "output" });

/** The logistic function σ(x) = 1 / (1 + e^(−x)). */
export const sigmoid: Unary = unaryOp({ name: "sigmoid", define: "SIGMOID", saves: "output" });

/** x σ(x), also known as swish (Hendrycks and Gimpel, arXiv 1606.08415). */
export const silu: Unary = unaryOp({ name: "silu", define: "SILU" });

/** log(1 + eˣ), without overflow. */
export const softplus: Unary = unaryOp({ name: "softplus", define: "SOFTPLUS" });

const geluByErf = unaryOp({ name: "gelu", define: "GELU" });
const geluByTanh = unaryOp({ name: "gelu", define: "GELU_TANH" });

/**
 * x Φ(x) with the distribution function Φ of a standard normal (Hendrycks and Gimpel, arXiv 1606.08415). `"tanh"` is their approximation
 * x/2 (1 + tanh(√(2/π) (x + 0.044715 x³))), which GPT-2 uses.
 *
 * @example
 * ```ts
 * const hidden = gelu(x, { approximate: "tanh" });
 * ```
 */
export function gelu(x: Tensor, options: { approximate?: "tanh" | "none" } = {}): Tensor {
  return options.approximate === "tanh" ? geluByTanh(x) : geluByErf(x);
}
