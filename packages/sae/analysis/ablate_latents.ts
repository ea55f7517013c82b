import { capture, crossEntropy, type Device, embedding, type HostTensor, noGrad, type Tensor } from "@cursive/tensor";
import type { SpliceableModel } from "../evaluation/sequences.ts";
import type { SparseAutoencoder } from "../sae.ts";

/** What one latent does in a sequence: nothing but at these places. */
export interface SequenceFirings {
  readonly latent: number;
  readonly positions: ArrayLike<number>;
  readonly activations: ArrayLike<number>;
}

/** A sequence and the latents to ablate in it, each by itself. */
export interface AblationSequence {
  /** The caller's number of it. */
  readonly sequence: number;
  /** `[T]`: longer ones may be cut after the last target that counts, for no token depends on later ones. */
  readonly tokens: ArrayLike<number>;
  /** `[T]`: at each place the token that should come next; below 0 where nothing is asked. */
  readonly targets: ArrayLike<number>;
  /** `[S]` */
  readonly context: ArrayLike<number>;
  readonly latents: readonly SequenceFirings[];
}

/** What a sequence loses without one latent, place by place. */
export interface LatentAblation {
  readonly sequence: number;
  readonly latent: number;
  /** `[T]`: cross-entropy without it minus that with it, in nats; 0 where nothing is asked. */
  readonly deltaCe: Float32Array;
  /** `[T]`: KL(with ‖ without), in nats. */
  readonly kl: Float32Array;
}

/** Options of {@link ablateLatents}. */
export interface AblateLatentsOptions {
  readonly model: SpliceableModel;
  /** Sequences of few different lengths T, best in order of it: each length is recorded anew. */
  readonly sequences: Iterable<AblationSequence>;
  /** Ablations on the GPU at once, and the untouched model beside them. Default 15. */
  readonly atOnce?: number;
  readonly device?: Device;
  readonly signal?: AbortSignal;
  /** Called after each ablation's result with how many are done. */
  readonly onAblations?: (done: number) => void;
}

/**
 * What the model loses when one latent is set to 0, for many latents: x − f·W_dec goes on at the places where it fires, so that all other
 * latents and what the autoencoder misses stay (a latent does not change what its own site reads, so f is that of the untouched run). Of one
 * sequence many latents are ablated side by side, with the untouched one among them, through the same kernels.
 *
 * @example
 * ```ts
 * for await (const { latent, deltaCe } of ablateLatents(sae, { model: spliceSite(model, hook), sequences })) add(latent, deltaCe);
 * ```
 * @throws RangeError for a latent or position that is not there. @throws The reason of `signal`, if it asks to stop.
 */
export async function* ablateLatents(sae: Pick<SparseAutoencoder, "W_dec">, options: AblateLatentsOptions): AsyncGenerator<LatentAblation> {
  const { model, sequences, atOnce = 15, device, signal, onAblations } = options;
  if (!Number.isInteger(atOnce) || atOnce < 1) throw new RangeError(`Expected atOnce of at least 1 but found ${atOnce}`);
  const rows = atOnce + 1; // the first one is untouched
  const step = capture(
    (tokens: Tensor, targets: Tensor, context: Tensor, latents: Tensor, features: Tensor) =>
      noGrad(() => {
        const directions = embedding(latents, sae.W_dec); // (b, D)
        const logits = model.logits(tokens, context, (x) => x.sub(features.unsqueeze(2).mul(directions.unsqueeze(1)))); // (b, T, V)
        const ce = crossEntropy(logits, targets, { ignoreIndex: -1, reduction: "none" }); // (b, T)
        const logProbabilities = logits.logSoftmax({ axis: -1 });
        const untouched = logProbabilities.narrow(0, { start: 0, length: 1 });
        const kl = untouched.exp().mul(untouched.sub(logProbabilities)).sum({ axis: -1 });
        return { ce, kl };
      }),
    { device },
  );
  let done = 0;
  try {
    for (const { sequence, tokens, targets, context, latents } of sequences) {
      const length = tokens.length;
      for (let start = 0; start < latents.length; start += atOnce) {
        signal?.throwIfAborted();
        const own = latents.slice(start, start + atOnce);
        const { chosen, features } = silenced(own, { rows, length, latents: sae.W_dec.shape[0]! });
        const { ce, kl } = await step(
          repeated(tokens, rows),
          repeated(
            Int32Array.from(targets, (target) => Math.max(-1, target)),
            rows,
          ),
          repeated(context, rows),
          chosen,
          features,
        );
        const [losses, divergences] = (await Promise.all([ce.data(), kl.data()])) as [Float32Array, Float32Array];
        for (const [i, { latent }] of own.entries()) {
          const from = (i + 1) * length;
          const deltaCe = losses.slice(from, from + length).map((loss, place) => loss - losses[place]!);
          yield { sequence, latent, deltaCe, kl: divergences.slice(from, from + length) };
        }
        done += own.length;
        onAblations?.(done);
      }
    }
  } finally {
    step.destroy();
  }
}

/** Which latent each row goes without, `[rows]`, and what it is at each place, `[rows, T]`: 0 in the first row and in those left over. */
function silenced(
  own: readonly SequenceFirings[],
  { rows, length, latents }: { readonly rows: number; readonly length: number; readonly latents: number },
): { readonly chosen: HostTensor; readonly features: HostTensor } {
  const [chosen, features] = [new Int32Array(rows), new Float32Array(rows * length)];
  for (const [i, { latent, positions, activations }] of own.entries()) {
    if (!(Number.isInteger(latent) && latent >= 0 && latent < latents))
      throw new RangeError(`Expected a latent below ${latents} but found ${latent}`);
    chosen[i + 1] = latent;
    for (let k = 0; k < positions.length; k++) {
      const position = positions[k]!;
      if (!(position < length)) throw new RangeError(`Expected a position below ${length} but found ${position}`);
      features[(i + 1) * length + position] = activations[k]!;
    }
  }
  return {
    chosen: { shape: [rows], dtype: "i32", data: chosen },
    features: { shape: [rows, length], dtype: "f32", data: features },
  };
}

function repeated(values: ArrayLike<number>, rows: number): HostTensor {
  const data = new Int32Array(rows * values.length);
  for (let row = 0; row < rows; row++) data.set(values, row * values.length);
  return { shape: [rows, values.length], dtype: "i32", data };
}
