import { capture, type Device, noGrad, type Tensor } from "@cursive/tensor";
import type { LabelledRows } from "./row_chunks.ts";
import { type SequenceOptions, type SpliceableModel, sequencePieces } from "./sequences.ts";

/** Options of {@link siteRows}. */
export interface SiteRowsOptions extends SequenceOptions {
  /** 1 for each token id whose place is to be measured, `[V]`. Default: all are. */
  readonly keep?: ArrayLike<number>;
  readonly device?: Device;
}

/** A site's activations for all sequences, a row a token. The rows come all; those that `keep` leaves out are marked in the mask. */
export async function* siteRows(model: SpliceableModel, options: SiteRowsOptions): AsyncGenerator<LabelledRows> {
  const { keep, device } = options;
  const step = capture((tokens: Tensor, context: Tensor) => noGrad(() => model.activation(tokens, context)), { device });
  try {
    for (const { tokens, context, first, count } of sequencePieces(options)) {
      const activation = await step(tokens, context); // (b, T, D)
      const [length, width] = activation.shape.slice(1) as [number, number];
      yield {
        rows: activation.narrow(0, { start: 0, length: count }).reshape([count * length, width]),
        sequences: Float64Array.from({ length: count * length }, (_, row) => first + Math.floor(row / length)),
        ...(keep && {
          mask: Uint8Array.from((tokens.data as Int32Array).subarray(0, count * length), (token) => Number(Boolean(keep[token]))),
        }),
      };
    }
  } finally {
    step.destroy();
  }
}
