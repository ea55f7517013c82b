/**
 * Sparse autoencoders on the cursive transformer's activations: architectures, training, and the data that they are trained on.
 *
 * @module
 */
export type { AuxConfig } from "./architectures/auxiliary.ts";
export { type BatchTopKConfig, BatchTopKSae } from "./architectures/batchtopk.ts";
export { type GatedConfig, GatedSae } from "./architectures/gated.ts";
export { type JumpReluConfig, JumpReluSae, jumpRelu, stepAbove } from "./architectures/jumprelu.ts";
export { type MatryoshkaConfig, MatryoshkaSae } from "./architectures/matryoshka.ts";
export { type StandardConfig, StandardSae } from "./architectures/standard.ts";
export { type TopKConfig, TopKSae } from "./architectures/topk.ts";
export { type Coefficient, describeCoefficient, effective } from "./coefficient.ts";
export { type Architecture, architectures, createSae, type SaeConfig } from "./create_sae.ts";
export { type SaeCommonConfig, type SaeOutput, SparseAutoencoder, type StepInput } from "./sae.ts";
