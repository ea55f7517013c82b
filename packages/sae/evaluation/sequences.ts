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
  /** Sequences on the GPU at once. Another number may change losses in their last places, for kernels differ with it. Default 8. */
  readonly pieceSize?: number;
  readonly signal?: AbortSignal;
  /** Called after each piece with the number of sequences done. */
  readonly onSequences?: (done: number) => void;
}

/** So many sequences, whichever batches they came in. */
export interface SequencePiece extends SequenceBatch {
  /** The first one's number, counted over all batches. */
  readonly first: number;
  /** Sequences that are there; beyond them the tensors repeat some, so as to have one shape. */
  readonly count: number;
  /** `[count]`: the batch that each came in. */
  readonly batchOf: readonly number[];
}

/** One sequence: its tokens, targets and context. */
type Sequence = readonly Int32Array[];

/**
 * All sequences in their order, cut anew into pieces of one size, so that what is computed from them is the same to the last bit however they
 * were batched.
 *
 * @throws RangeError for sequences of different lengths. @throws The reason of `signal`, if it asks to stop.
 */
export function* sequencePieces(options: SequenceOptions): Generator<SequencePiece> {
  const { batches, pieceSize = 8, signal, onSequences } = options;
  if (!Number.isInteger(pieceSize) || pieceSize < 1) throw new RangeError(`Expected pieceSize of at least 1 but found ${pieceSize}`);
  let first = 0;
  let waiting: { readonly sequence: Sequence; readonly batch: number }[] = [];
  function* handOut(): Generator<SequencePiece> {
    signal?.throwIfAborted();
    const padded = Array.from({ length: pieceSize }, (_, i) => waiting[i % waiting.length]!.sequence);
    const [tokens, targets, context] = [0, 1, 2].map((part) => stacked(padded.map((sequence) => sequence[part]!)));
    yield {
      tokens: tokens!,
      targets: targets!,
      context: context!,
      first,
      count: waiting.length,
      batchOf: waiting.map(({ batch }) => batch),
    };
    first += waiting.length;
    waiting = [];
    onSequences?.(first);
  }
  for (let batch = 0, next = batches(batch); next; next = batches(++batch)) {
    for (const sequence of sequencesOf(next)) {
      waiting.push({ sequence, batch });
      if (waiting.length < pieceSize) continue;
      yield* handOut();
    }
  }
  if (waiting.length > 0) yield* handOut();
}

function sequencesOf({ tokens, targets, context }: SequenceBatch): Sequence[] {
  const row = ({ data, shape }: HostTensor, i: number): Int32Array => (data as Int32Array).subarray(i * shape[1]!, (i + 1) * shape[1]!);
  return Array.from({ length: tokens.shape[0]! }, (_, i) => [row(tokens, i), row(targets, i), row(context, i)]);
}

function stacked(rows: readonly Int32Array[]): HostTensor {
  const width = rows[0]!.length;
  const data = new Int32Array(rows.length * width);
  for (const [i, row] of rows.entries()) {
    if (row.length !== width) throw new RangeError(`Expected sequences of one length but found ${width} and ${row.length}`);
    data.set(row, i * width);
  }
  return { shape: [rows.length, width], dtype: "i32", data };
}
