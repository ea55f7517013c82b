import { cat, type Tensor, where } from "@cursive/tensor";
import type { SparseAutoencoder } from "../sae.ts";

/** What an evaluation needs of an autoencoder: features from activations `[N, D]`, and activations from features `[N, F]`. */
export type Codec = Pick<SparseAutoencoder, "encode" | "decode">;

/** Options of {@link spliceHook}. */
export interface SpliceOptions {
  /** What goes on instead of the features, for steering and ablation. Default: the features as they are. */
  readonly edit?: (features: Tensor) => Tensor;
  /**
   * Keep what the autoencoder misses: x + decode(edit(f)) − decode(f) instead of decode(edit(f)). Without an edit that is x to the last bit.
   * Default false.
   */
  readonly errorTerm?: boolean;
  /** Bool, of a shape that broadcasts to the activation's: where to replace. Elsewhere it stays as it is. Default: everywhere. */
  readonly at?: Tensor;
  /** Rows that pass the autoencoder at once, which bounds the memory for features. Default 4,096. */
  readonly chunkRows?: number;
}

/**
 * A hook that puts an autoencoder's reconstruction in the place of an activation `[.., D]`.
 *
 * @example
 * ```ts
 * const logits = model.runWithHooks(tokens, context, { fwdHooks: [["blocks.0.hook_mlp_out", spliceHook(sae)]] });
 * ```
 */
export function spliceHook(sae: Codec, options: SpliceOptions = {}): (activation: Tensor) => Tensor {
  const { edit, errorTerm = false, at, chunkRows = 4096 } = options;
  const reconstruct = (x: Tensor): Tensor => {
    const features = sae.encode(x);
    const replaced = sae.decode(edit ? edit(features) : features);
    return errorTerm ? x.add(replaced.sub(edit ? sae.decode(features) : replaced)) : replaced;
  };
  return (activation) => {
    const width = activation.shape.at(-1)!;
    const rows = activation.reshape([activation.size / width, width]);
    const parts: Tensor[] = [];
    for (let start = 0; start < rows.shape[0]!; start += chunkRows)
      parts.push(reconstruct(rows.narrow(0, { start, length: Math.min(chunkRows, rows.shape[0]! - start) })));
    const replaced = (parts.length === 1 ? parts[0]! : cat(parts)).reshape(activation.shape);
    return at ? where(at, replaced, activation) : replaced;
  };
}
