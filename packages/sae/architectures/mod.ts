/**
 * The autoencoders and their optimizer alone, as `@cursive/sae` has them: for those who train one on activations of their own. Without data,
 * evaluation, analysis and formats it is loaded in a fraction of the time.
 *
 * @example
 * ```ts
 * const sae = createSae({ architecture: "standard", dIn: 64, dSae: 512 });
 * const optimizer = new SaeAdam(sae, { lr: 1e-3 });
 * ```
 * @module
 */
export { type Architecture, architectures, createSae, type SaeConfig } from "../create_sae.ts";
export { SaeAdam } from "../train/sae_adam.ts";
export type { AuxConfig } from "./auxiliary.ts";
export { type BatchTopKConfig, BatchTopKSae } from "./batchtopk.ts";
export { type GatedConfig, GatedSae } from "./gated.ts";
export { type JumpReluConfig, JumpReluSae } from "./jumprelu.ts";
export { type MatryoshkaConfig, MatryoshkaSae } from "./matryoshka.ts";
export { type StandardConfig, StandardSae } from "./standard.ts";
export { type TopKConfig, TopKSae } from "./topk.ts";
