import { type Split, spliceSite, targetBatches, tokenFilter } from "@cursive/cursive-model";
import { evaluateRows, type FeatureActivityMetrics, type SparseAutoencoder, siteRows } from "@cursive/sae";
import type { ModelWithData } from "../run/model_data.ts";

/** What {@link measureActivity} reads. */
export interface MeasureActivityOptions {
  readonly subject: ModelWithData;
  readonly site: string;
  readonly split: Split;
  readonly batches: number;
  /** Sequences of each. */
  readonly batchSize: number;
  /** 1 for each token id whose places count, `[V]`. Default: ink. */
  readonly keep?: ArrayLike<number>;
  readonly signal: AbortSignal;
  readonly onSequences: (done: number) => void;
}

/** When and how strongly latents fire. @throws The reason of `signal`, if it asks to stop. */
export async function measureActivity(sae: SparseAutoencoder, options: MeasureActivityOptions): Promise<FeatureActivityMetrics> {
  const { subject, site, split, batches, batchSize, keep, signal, onSequences } = options;
  const { found, data } = subject;
  const rows = siteRows(spliceSite(found.model, site), {
    batches: targetBatches(data.dataset, { split, batches, batchSize }),
    keep: keep ?? tokenFilter(found.tokenizer),
    signal,
    onSequences,
  });
  return (await evaluateRows(sae, rows)).activity;
}
