import { spliceSite, targetBatches, tokenFilter } from "@cursive/cursive-model";
import { evaluateRows, type FeatureActivityMetrics, type LabelledRows, type SparseAutoencoder } from "@cursive/sae";
import { capture, noGrad, type Tensor } from "@cursive/tensor";
import type { ModelWithData } from "../run/model_data.ts";

/** Sequences that are read at once. */
const PIECE = 8;

/** When and how strongly latents fire on the ink of held-out words. @throws The reason of `signal`, if it asks to stop. */
export async function measureActivity(
  sae: SparseAutoencoder,
  about: {
    readonly subject: ModelWithData;
    readonly site: string;
    readonly sequences: number;
    readonly signal: AbortSignal;
    readonly onSequences: (done: number) => void;
  },
): Promise<FeatureActivityMetrics> {
  return (await evaluateRows(sae, inkRows(about))).activity;
}

async function* inkRows({
  subject: { found, data },
  site,
  sequences,
  signal,
  onSequences,
}: Parameters<typeof measureActivity>[1]): AsyncGenerator<LabelledRows> {
  const spliced = spliceSite(found.model, site);
  const keep = tokenFilter(found.tokenizer);
  const batches = Math.ceil(sequences / PIECE);
  const batch = targetBatches(data.dataset, { batches, batchSize: PIECE });
  const step = capture((tokens: Tensor, context: Tensor) => noGrad(() => spliced.activation(tokens, context)));
  try {
    for (let i = 0; i < batches; i++) {
      signal.throwIfAborted();
      const { tokens, context } = batch(i)!;
      const activation = await step(tokens, context);
      const [count, length, width] = activation.shape as [number, number, number];
      yield {
        rows: activation.reshape([count * length, width]),
        sequences: Float64Array.from({ length: count * length }, (_, row) => i * PIECE + Math.floor(row / length)),
        mask: Uint8Array.from(tokens.data as Int32Array, (token) => Number(Boolean(keep[token]))),
      };
      onSequences((i + 1) * PIECE);
    }
  } finally {
    step.destroy();
  }
}
