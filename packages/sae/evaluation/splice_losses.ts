import { capture, crossEntropy, type Device, embedding, noGrad, type Tensor, tensor, where } from "@cursive/tensor";
import { type SequenceOptions, type SpliceableModel, sequencePieces } from "./sequences.ts";
import { type Codec, spliceHook } from "./splice.ts";

/** What stands at the site: its own activation, the autoencoder's reconstruction, zeros, or one mean vector at every place. */
export type Variant = "original" | "sae" | "zero" | "mean";

/** One sequence and what the model says with each variant. */
export interface SequenceEffect {
  /** Which batch. */
  readonly batch: number;
  /** `[T]` */
  readonly targets: Int32Array;
  /** `[T]`: each target's cross-entropy in nats. */
  readonly losses: ReadonlyMap<Variant, Float32Array>;
  /** `[T]`: KL(original ‖ variant) at each place, in nats. */
  readonly kl: ReadonlyMap<Variant, Float32Array>;
}

/** Options of {@link spliceLosses}. */
export interface SpliceLossesOptions extends SequenceOptions {
  readonly model: SpliceableModel;
  /** `[D]`: what `"mean"` puts in; without it there is none. */
  readonly mean?: ArrayLike<number>;
  /** Measure the KL divergence too. Default true. */
  readonly kl?: boolean;
  /** Keep what the autoencoder misses; then nothing may change. Default false. */
  readonly errorTerm?: boolean;
  /** 1 for each token id at whose places to replace, `[V]`; elsewhere the site keeps its activation. Default: everywhere. */
  readonly spliceAt?: ArrayLike<number>;
  readonly device?: Device;
}

/** Runs all sequences with each variant in one captured step, and gives them one after another. */
export async function* spliceLosses(sae: Codec, options: SpliceLossesOptions): AsyncGenerator<SequenceEffect> {
  const { model, kl = true, errorTerm, spliceAt, device } = options;
  const mean = options.mean && tensor(Float32Array.from(options.mean), { device });
  const table = spliceAt && tensor(Float32Array.from(spliceAt), { shape: [spliceAt.length, 1], device });
  const variants: Variant[] = ["original", "sae", "zero", ...(mean ? (["mean"] as const) : [])];
  const step = capture(
    (tokens: Tensor, targets: Tensor, context: Tensor) =>
      noGrad(() => {
        const at = table && embedding(tokens, table).gt(0); // (b, T, 1)
        const replace: Record<Variant, (x: Tensor) => Tensor | undefined> = {
          original: () => undefined,
          sae: spliceHook(sae, { errorTerm, at }),
          zero: (x) => placed(at, x.zerosLike(), x),
          mean: (x) => placed(at, x.zerosLike().add(mean!), x),
        };
        let original: Tensor | undefined;
        const results: Tensor[] = [];
        for (const variant of variants) {
          const logits = model.logits(tokens, context, replace[variant]); // (b, T, V)
          results.push(crossEntropy(logits, targets, { ignoreIndex: -1, reduction: "none" }));
          if (!kl) continue;
          const logProbabilities = logits.logSoftmax({ axis: -1 });
          if (original) results.push(original.exp().mul(original.sub(logProbabilities)).sum({ axis: -1 }));
          else original = logProbabilities;
        }
        return results;
      }),
    { device },
  );
  try {
    for (const { tokens, targets, context, count, batchOf } of sequencePieces(options)) {
      const length = targets.shape[1]!;
      const results = await step(tokens, targets, context);
      const values = (await Promise.all(results.map((result) => result.data()))) as Float32Array[];
      for (let row = 0; row < count; row++) {
        const own = values.map((all) => all.subarray(row * length, (row + 1) * length));
        const losses = new Map<Variant, Float32Array>();
        const divergences = new Map<Variant, Float32Array>();
        for (const variant of variants) {
          losses.set(variant, own.shift()!);
          if (kl && variant !== "original") divergences.set(variant, own.shift()!);
        }
        yield {
          batch: batchOf[row]!,
          targets: (targets.data as Int32Array).subarray(row * length, (row + 1) * length),
          losses,
          kl: divergences,
        };
      }
    }
  } finally {
    step.destroy();
  }
}

function placed(at: Tensor | undefined, replaced: Tensor, x: Tensor): Tensor {
  return at ? where(at, replaced, x) : replaced;
}
