import { type Tensor, tensor } from "@cursive/tensor";
import { seededIndices } from "@cursive/tensor/testing";
import type { Transformer } from "../transformer.ts";
import { randomModel } from "./random_model.ts";

/** A model of random parameters, and a batch for it. */
export interface ModelWithBatch {
  readonly model: Transformer;
  /** `[B, T]`, as targets are. */
  readonly tokens: Tensor;
  /** `[B, S]` */
  readonly context: Tensor;
  readonly targets: Tensor;
}

/** A small model of two blocks with ids drawn for it. */
export function modelWithBatch({ batch = 2, length = 7 }: { readonly batch?: number; readonly length?: number } = {}): ModelWithBatch {
  const ids = (seed: number, shape: number[], n: number): Tensor => tensor(Int32Array.from(seededIndices(seed, shape, n).data), { shape });
  const sizes = { nLayer: 2, nHead: 2, nEmbd: 8, blockSize: 12, contextBlockSize: 5, vocabSize: 11, contextVocabSize: 6 };
  return {
    model: randomModel(sizes, 1),
    tokens: ids(1, [batch, length], 11),
    context: ids(2, [batch, 5], 6),
    targets: ids(3, [batch, length], 11),
  };
}
