import type { HostTensor, StateDict } from "@cursive/tensor";
import { seededValues } from "@cursive/tensor/testing";
import type { SaeConfig } from "../create_sae.ts";
import { type SaeFile, saeShapes } from "../formats/sae_file.ts";

/** A configuration of each architecture: 5 wide, 9 latents. */
export const smallConfigs: readonly SaeConfig[] = [
  { architecture: "standard", dIn: 5, dSae: 9, l1Coefficient: 0.3, decoderConstraint: "none" },
  { architecture: "standard", dIn: 5, dSae: 9, applyBDecToInput: false },
  { architecture: "topk", dIn: 5, dSae: 9, k: 3 },
  { architecture: "batchtopk", dIn: 5, dSae: 9, k: 2 },
  { architecture: "jumprelu", dIn: 5, dSae: 9 },
  { architecture: "gated", dIn: 5, dSae: 9 },
  { architecture: "matryoshka", dIn: 5, dSae: 9, k: 2, widths: [3, 9] },
];

/** A tensor of normal numbers, times a gain. */
export function randomTensor(shape: readonly number[], seed: number, gain = 1): HostTensor {
  return { shape, dtype: "f32", data: Float32Array.from(seededValues(seed, shape).data, (v) => gain * v) };
}

/** An autoencoder whose every tensor is random, thresholds above 0. */
export function randomSaeFile(config: SaeConfig, seed = 1): SaeFile {
  const state: StateDict = new Map();
  for (const [i, [name, shape]] of [...saeShapes(config)].entries()) {
    const tensor = randomTensor(shape, 10 * seed + i, name.startsWith("W_") ? 1 : 0.3);
    state.set(name, name.includes("threshold") ? { ...tensor, data: (tensor.data as Float32Array).map(Math.abs) } : tensor);
  }
  return { config, state, about: {} };
}
