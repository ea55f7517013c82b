import { nearest, TensorError } from "@cursive/tensor";
import { type BatchTopKConfig, BatchTopKSae } from "./architectures/batchtopk.ts";
import { type GatedConfig, GatedSae } from "./architectures/gated.ts";
import { type JumpReluConfig, JumpReluSae } from "./architectures/jumprelu.ts";
import { type MatryoshkaConfig, MatryoshkaSae } from "./architectures/matryoshka.ts";
import { type StandardConfig, StandardSae } from "./architectures/standard.ts";
import { type TopKConfig, TopKSae } from "./architectures/topk.ts";
import type { SparseAutoencoder } from "./sae.ts";

/** Everything {@link createSae} makes, told apart by `architecture`. */
export type SaeConfig = StandardConfig | TopKConfig | BatchTopKConfig | JumpReluConfig | GatedConfig | MatryoshkaConfig;

/** The name of an architecture. */
export type Architecture = SaeConfig["architecture"];

/** A new architecture is a line here. */
const registry: { readonly [A in Architecture]: (config: Extract<SaeConfig, { architecture: A }>) => SparseAutoencoder } = {
  standard: (config) => new StandardSae(config),
  topk: (config) => new TopKSae(config),
  batchtopk: (config) => new BatchTopKSae(config),
  jumprelu: (config) => new JumpReluSae(config),
  gated: (config) => new GatedSae(config),
  matryoshka: (config) => new MatryoshkaSae(config),
};

/** The architectures' names. */
export const architectures: readonly Architecture[] = Object.keys(registry) as Architecture[];

/**
 * Makes a sparse autoencoder on the device opened last.
 *
 * @example
 * ```ts
 * const sae = createSae({ architecture: "topk", dIn: 64, dSae: 512, k: 8 });
 * const { loss, features } = sae.forward(activations); // [B, 64] → [], [B, 512]
 * ```
 * @throws TensorError for an unknown architecture, naming the nearest one, and for sizes that make no autoencoder.
 */
export function createSae(config: SaeConfig): SparseAutoencoder {
  const make = Object.hasOwn(registry, config.architecture) ? registry[config.architecture] : undefined;
  if (!make) {
    const asked: string = config.architecture;
    throw new TensorError(
      `Expected an architecture but found '${asked}'; the nearest is '${nearest(asked, architectures, 1)[0]}', and there are ${architectures.join(", ")}`,
    );
  }
  return (make as (config: SaeConfig) => SparseAutoencoder)(config);
}
