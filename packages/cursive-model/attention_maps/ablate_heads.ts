import { capture, crossEntropy, type HostTensor, noGrad, type Tensor } from "@cursive/tensor";
import type { Split, WordDataset } from "../data/dataset.ts";
import type { HookRequest } from "../hooks/scope.ts";
import { type LossMeasure, MeanLoss } from "../losses/mean_loss.ts";
import { batchInputs } from "../losses/target_losses.ts";
import type { Transformer } from "../transformer.ts";

/** The two attentions of a block. */
export const attentionKinds = ["attn", "cross_attn"] as const;
/** `"attn"` looks at earlier ink, `"cross_attn"` at the text. */
export type AttentionKind = (typeof attentionKinds)[number];

/** One head of a model. Layers and heads count from 0. */
export interface AttentionHead {
  readonly attention: AttentionKind;
  readonly layer: number;
  readonly head: number;
}

/** How much a loss rises, in nats a target, with the standard error of this difference over sequences. */
export interface LossRise {
  readonly loss: number;
  readonly standardError: number;
}

/** What a model loses without one head. */
export interface HeadAblation extends AttentionHead {
  /** Over all targets, padding included: the PyTorch original's loss. */
  readonly all: LossRise;
  /** Over targets that are ink, WORD or END. */
  readonly real: LossRise;
}

/** What {@linkcode ablateHeads} finds. */
export interface HeadAblations {
  readonly split: Split;
  readonly sequences: number;
  /** The model as it is. */
  readonly all: LossMeasure;
  readonly real: LossMeasure;
  readonly heads: readonly HeadAblation[];
}

/** Options of {@linkcode ablateHeads}. */
export interface AblateHeadsOptions {
  readonly dataset: WordDataset;
  /** Default `"test"`, the held-out words. */
  readonly split?: Split;
  /** Sequences, from the split's first. Default 32. */
  readonly sequences?: number;
  /** The most sequences on the GPU at once; no figure depends on it. Default 32. */
  readonly pieceSize?: number;
  readonly signal?: AbortSignal;
  /** Called after each pass of the model over the sequences. */
  readonly onPass?: (done: number, total: number) => void;
}

/** All heads of a model, layer by layer, self-attention first. */
export function attentionHeads({ nLayer, nHead }: { readonly nLayer: number; readonly nHead: number }): AttentionHead[] {
  return Array.from({ length: nLayer }, (_, layer) =>
    attentionKinds.flatMap((attention) => Array.from({ length: nHead }, (_, head) => ({ attention, layer, head }))),
  ).flat();
}

/**
 * What each head is worth: the rise in loss where its output z is zeroed, one head at a time, on the same sequences. One captured step does
 * all of it; which head is off is one of its inputs.
 *
 * @throws {RangeError} unless sizes are whole numbers from 1. @throws The reason of `signal`.
 * @example
 * ```ts
 * const { heads } = await ablateHeads(model, { dataset, sequences: 32 });
 * const most = heads.toSorted((a, b) => b.real.loss - a.real.loss)[0]; // the head that matters most
 * ```
 */
export async function ablateHeads(model: Transformer, options: AblateHeadsOptions): Promise<HeadAblations> {
  const { dataset, split = "test", sequences = 32, pieceSize = 32, signal, onPass } = options;
  const { nLayer, nHead } = model.config;
  if (!Number.isInteger(pieceSize) || pieceSize < 1) throw new RangeError(`Expected pieceSize from 1 but found ${pieceSize}`);
  const batch = dataset.batch({ step: 0, batchSize: sequences, split });
  const pieces = Array.from({ length: Math.ceil(sequences / pieceSize) }, (_, i) =>
    batchInputs(batch, { dataset, start: i * pieceSize, end: Math.min(sequences, (i + 1) * pieceSize) }),
  );
  const heads = attentionHeads(model.config);
  let gates: Tensor | undefined; // [sites, H]: 1 leaves a head as it is
  const fwdHooks = Array.from({ length: nLayer }, (_, layer) =>
    attentionKinds.map((attention, kind): HookRequest => {
      const site = layer * attentionKinds.length + kind;
      return [`blocks.${layer}.${attention}.hook_z`, (z) => z.mul(gates!.narrow(0, { start: site, length: 1 }).reshape([1, 1, nHead, 1]))];
    }),
  ).flat();
  using _scope = model.hooks({ fwdHooks });
  const step = capture(
    (tokens: Tensor, targets: Tensor, context: Tensor, open: Tensor) =>
      noGrad(() => {
        gates = open;
        return crossEntropy(model.forward(tokens, context).logits, targets, { reduction: "none" }); // (B, T)
      }),
    { device: model.lm_head.weight.device },
  );
  try {
    const lossesWithout = async (off: number | null): Promise<Float32Array> => {
      const data = Float32Array.from({ length: heads.length }, (_, i) => (i === off ? 0 : 1));
      const open: HostTensor = { shape: [heads.length / nHead, nHead], dtype: "f32", data };
      const losses = new Float32Array(batch.targets.length);
      for (const [i, inputs] of pieces.entries()) {
        signal?.throwIfAborted();
        losses.set((await (await step(...inputs, open)).data()) as Float32Array, i * pieceSize * dataset.maxLength);
      }
      onPass?.(off === null ? 1 : off + 2, heads.length + 1);
      return losses;
    };
    const baseline = await lossesWithout(null);
    const isReal = (target: number): boolean => target !== dataset.tokenizer.padToken;
    const over = (losses: Float32Array, where: (target: number) => boolean): LossMeasure =>
      meanOver(losses, { targets: batch.targets, length: dataset.maxLength, where });
    const found: HeadAblation[] = [];
    for (const [i, head] of heads.entries()) {
      const losses = await lossesWithout(i);
      const rise = losses.map((loss, at) => loss - baseline[at]!);
      const riseOver = (where: (target: number) => boolean): LossRise => {
        const { loss, standardError } = over(rise, where);
        return { loss, standardError };
      };
      found.push({ ...head, all: riseOver(() => true), real: riseOver(isReal) });
    }
    return { split, sequences, all: over(baseline, () => true), real: over(baseline, isReal), heads: found };
  } finally {
    step.destroy();
  }
}

/** Mean of values `[B, T]` over the targets that `where` accepts, a sequence at a time. */
function meanOver(
  values: Float32Array,
  { targets, length, where }: { readonly targets: Int32Array; readonly length: number; readonly where: (target: number) => boolean },
): LossMeasure {
  const mean = new MeanLoss();
  for (let start = 0; start < values.length; start += length) {
    let [loss, count] = [0, 0];
    for (let at = start; at < start + length; at++) {
      if (!where(targets[at]!)) continue;
      loss += values[at]!;
      count++;
    }
    mean.add({ loss, count, hits: 0 });
  }
  return mean.measure();
}
