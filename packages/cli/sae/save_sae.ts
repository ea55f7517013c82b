import type { SaeConfig } from "@cursive/sae";
import type { StateDict } from "@cursive/tensor";
import { seal } from "../run/checkpoint.ts";
import type { ActivationOrigin } from "./activation_origin.ts";

/** Where an autoencoder comes from. */
export interface SaeOrigin extends ActivationOrigin {
  /** TransformerLens' name of the hook whose activations it takes. */
  readonly hook: string;
  /** The run that trained the autoencoder, and its steps and rows. */
  readonly trainedBy: string;
  readonly steps: number;
  readonly rows: number;
}

/**
 * An autoencoder as a safetensors file: `W_enc [D, F]`, `W_dec [F, D]`, `b_enc`, `b_dec` and whatever else its architecture has, for activations
 * as they are; its configuration and origin as JSON in the metadata.
 */
export function encodeSae(state: StateDict, about: { readonly config: SaeConfig; readonly origin: SaeOrigin }): Uint8Array {
  return seal(state, { format: "cursive-sae", config: JSON.stringify(about.config), origin: JSON.stringify(about.origin) });
}
