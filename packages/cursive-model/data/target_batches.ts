import type { HostTensor } from "@cursive/tensor";
import type { Split, WordDataset } from "./dataset.ts";

/** A batch as tensors in main memory. */
export interface TargetBatch {
  /** `[B, T]` */
  readonly tokens: HostTensor;
  /** `[B, T]` */
  readonly targets: HostTensor;
  /** `[B, S]` */
  readonly context: HostTensor;
}

/**
 * The first batches of a split by number, the same ones each time and those of {@linkcode evaluateModel}; `undefined` after the last.
 *
 * @example
 * ```ts
 * const batches = targetBatches(dataset, { batches: 10, batchSize: 100 }); // of held-out words
 * ```
 */
export function targetBatches(
  dataset: WordDataset,
  options: {
    /** Default `"test"`, the held-out words. */
    readonly split?: Split;
    /** Default 10. */
    readonly batches?: number;
    /** Default 100. */
    readonly batchSize?: number;
  } = {},
): (batch: number) => TargetBatch | undefined {
  const { split = "test", batches = 10, batchSize = 100 } = options;
  return (step) => {
    if (step >= batches) return undefined;
    const { tokens, targets, context } = dataset.batch({ step, batchSize, split });
    const host = (data: Int32Array, width: number): HostTensor => ({ shape: [batchSize, width], dtype: "i32", data });
    return {
      tokens: host(tokens, dataset.maxLength),
      targets: host(targets, dataset.maxLength),
      context: host(context, dataset.contextLength),
    };
  };
}
