import type { HostTensor, Tensor } from "@cursive/tensor";

/** A batch of activations `[B, D]`: on the GPU, or host values. */
export type ActivationBatch = Tensor | HostTensor;

/** Activations of several sites at the same B places, by site: `[B, D]` each, with a D of its own. */
export type SiteBatch = Readonly<Record<string, ActivationBatch>>;

/** What a trainer takes a step on: activations of one site, or of several by name. */
export type StreamBatch = ActivationBatch | SiteBatch;

/** Where batches come from. If it has `state()` and `restore()`, the trainer's state holds the stream's too, and resuming is exact. */
export type ActivationStream = AsyncIterable<StreamBatch> | AsyncIterator<StreamBatch>;
