import { type CapturedStep, type CaptureOptions, capture, crossEntropy, type HostTensor, noGrad, type Tensor } from "@cursive/tensor";
import type { Batch, Split, WordDataset } from "../data/dataset.ts";
import type { Transformer } from "../transformer.ts";
import type { LossSums } from "./mean_loss.ts";

/** A batch as captured steps take it: tokens `[B, T]`, targets `[B, T]`, context `[B, S]`. */
export type BatchInputs = [tokens: HostTensor, targets: HostTensor, context: HostTensor];

/** Gives each target's cross-entropy in nats, f32 `[B, T]`, and the token that is likeliest there, i32 `[B, T]`. */
export type TargetLossesStep = CapturedStep<BatchInputs, { losses: Tensor; likeliest: Tensor }>;

/** One sequence and what a model makes of it. */
export interface SequenceLosses {
  readonly batch: Batch;
  /** Which row of the batch. */
  readonly row: number;
  /** `[T]` */
  readonly tokens: Int32Array;
  /** `[T]` */
  readonly targets: Int32Array;
  /** `[T]`, one array a step that was given. */
  readonly losses: readonly Float32Array[];
  /** `[T]`, one array a step that was given. */
  readonly likeliest: readonly Int32Array[];
}

/** Which sequences to look at. */
export interface EvaluationBatches {
  readonly split: Split;
  /** How many batches, from the split's first. */
  readonly batches: number;
  /** Sequences in each. */
  readonly batchSize: number;
  /** The most sequences to put on the GPU at once. */
  readonly pieceSize: number;
  readonly signal?: AbortSignal;
}

/** A model's losses as a step that is captured at its first use. */
export function captureTargetLosses(
  model: Transformer,
  { onCompile, ...options }: { readonly ablateCrossAttention?: boolean } & Pick<CaptureOptions, "onCompile"> = {},
): TargetLossesStep {
  return capture(
    (tokens: Tensor, targets: Tensor, context: Tensor) =>
      noGrad(() => {
        const { logits } = model.forward(tokens, context, null, options); // (B, T, V)
        return { losses: crossEntropy(logits, targets, { reduction: "none" }), likeliest: logits.argmax({ axis: -1 }) };
      }),
    { device: model.lm_head.weight.device, onCompile },
  );
}

/** The sizes of the pieces in which batches pass the GPU, each once: a captured step has a plan for each. */
export function pieceSizes({ batchSize, pieceSize }: Pick<EvaluationBatches, "batchSize" | "pieceSize">): number[] {
  const [whole, rest] = [Math.floor(batchSize / pieceSize), batchSize % pieceSize];
  return [...(whole > 0 ? [pieceSize] : []), ...(rest > 0 ? [rest] : [])];
}

/**
 * The sequences of a split's first batches in their order, each with what the steps make of it. They pass the GPU in pieces, in which no
 * sequence knows of another.
 *
 * @throws The reason of `signal`, if it asks to stop.
 */
export async function* sequenceLosses(
  steps: readonly TargetLossesStep[],
  options: EvaluationBatches & { readonly dataset: WordDataset },
): AsyncGenerator<SequenceLosses> {
  const { dataset, split, batches, batchSize, pieceSize, signal } = options;
  const { maxLength: length } = dataset;
  for (let step = 0; step < batches; step++) {
    const batch = dataset.batch({ step, batchSize, split });
    for (let start = 0; start < batchSize; start += pieceSize) {
      signal?.throwIfAborted();
      const end = Math.min(batchSize, start + pieceSize);
      const inputs = batchInputs(batch, { dataset, start, end });
      const found: { losses: Float32Array; likeliest: Int32Array }[] = [];
      for (const run of steps) {
        const { losses, likeliest } = await run(...inputs);
        found.push({ losses: (await losses.data()) as Float32Array, likeliest: (await likeliest.data()) as Int32Array });
      }
      for (let row = start; row < end; row++) {
        const own = <A extends Float32Array | Int32Array>(piece: A): A =>
          piece.subarray((row - start) * length, (row - start + 1) * length) as A;
        yield {
          batch,
          row,
          tokens: batch.tokens.subarray(row * length, (row + 1) * length),
          targets: batch.targets.subarray(row * length, (row + 1) * length),
          losses: found.map((piece) => own(piece.losses)),
          likeliest: found.map((piece) => own(piece.likeliest)),
        };
      }
    }
  }
}

/** Sums one step's losses over the targets of a sequence that `where` accepts, in their order. */
export function sumTargets(
  { targets, losses, likeliest }: SequenceLosses,
  { step = 0, where = () => true }: { readonly step?: number; readonly where?: (target: number) => boolean } = {},
): LossSums {
  const [each, best] = [losses[step]!, likeliest[step]!];
  let [loss, count, hits] = [0, 0, 0];
  for (const [place, target] of targets.entries()) {
    if (!where(target)) continue;
    loss += each[place]!;
    count++;
    if (best[place] === target) hits++;
  }
  return { loss, count, hits };
}

/** Some rows of a batch, as captured steps take them. */
export function batchInputs(
  batch: Batch,
  { dataset, start, end }: { readonly dataset: WordDataset; readonly start: number; readonly end: number },
): BatchInputs {
  const rowsOf = (data: Int32Array, length: number): HostTensor => ({
    shape: [end - start, length],
    dtype: "i32",
    data: data.subarray(start * length, end * length),
  });
  const { maxLength, contextLength } = dataset;
  return [rowsOf(batch.tokens, maxLength), rowsOf(batch.targets, maxLength), rowsOf(batch.context, contextLength)];
}
