import type { HostTensor, Tensor } from "@cursive/tensor";

/**
 * A model as an evaluation of autoencoders knows it: what it computes at one site, and what it says when something else stands there. Both are
 * called with tokens `[B, T]` and context `[B, S]` while a step is recorded. `spliceSite` of `@cursive/cursive-model` makes one.
 */
export interface SpliceableModel {
  /** Name of the site. */
  readonly site: string;
  /** The site's activation `[B, T, D]`, by as little of the model as that takes. */
  activation(tokens: Tensor, context: Tensor): Tensor;
  /**
   * Logits `[B, T, V]` after `replace`, which sees the activation and gives one of its shape, or nothing to leave it. The same kernels run in
   * either case, so that putting back what was there changes no bit.
   */
  logits(tokens: Tensor, context: Tensor, replace: (activation: Tensor) => Tensor | undefined): Tensor;
}

/** B sequences, i32. */
export interface SequenceBatch {
  /** `[B, T]` */
  readonly tokens: HostTensor;
  /** `[B, T]`: at each place the token that should come next; below 0 where nothing is asked. */
  readonly targets: HostTensor;
  /** `[B, S]` */
  readonly context: HostTensor;
}

/** Batches by number from 0, the same ones each time; `undefined` is the end. */
export type SequenceBatches = (batch: number) => SequenceBatch | undefined;

/** How to go through the sequences. */
export interface SequenceOptions {
  readonly batches: SequenceBatches;
  /** The most sequences on the GPU at once; no figure depends on it. Default 8. */
  readonly pieceSize?: number;
  readonly signal?: AbortSignal;
  /** Called after each piece with the number of sequences done. */
  readonly onSequences?: (done: number) => void;
}

/** Some sequences of a batch. */
export interface SequencePiece extends SequenceBatch {
  /** The first one's number, counted over all batches. */
  readonly first: number;
  readonly count: number;
  /** Which batch. */
  readonly batch: number;
}

/** All sequences in their order, so many at a time. @throws The reason of `signal`, if it asks to stop. */
export function* sequencePieces(options: SequenceOptions): Generator<SequencePiece> {
  const { batches, pieceSize = 8, signal, onSequences } = options;
  if (!Number.isInteger(pieceSize) || pieceSize < 1) throw new RangeError(`Expected pieceSize of at least 1 but found ${pieceSize}`);
  let first = 0;
  for (let number = 0; ; number++) {
    const batch = batches(number);
    if (!batch) return;
    const size = batch.tokens.shape[0]!;
    for (let start = 0; start < size; start += pieceSize) {
      signal?.throwIfAborted();
      const end = Math.min(size, start + pieceSize);
      const [tokens, targets, context] = [batch.tokens, batch.targets, batch.context].map((ids) => rowsOf(ids, start, end));
      yield { tokens: tokens!, targets: targets!, context: context!, first, count: end - start, batch: number };
      first += end - start;
      onSequences?.(first);
    }
  }
}

function rowsOf({ shape, dtype, data }: HostTensor, start: number, end: number): HostTensor {
  const width = shape[1]!;
  return { shape: [end - start, width], dtype, data: data.subarray(start * width, end * width) };
}
