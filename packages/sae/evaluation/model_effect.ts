import { type Estimate, Ratio } from "./ratio.ts";
import type { Codec } from "./splice.ts";
import { type SequenceEffect, type SpliceLossesOptions, spliceLosses, type Variant } from "./splice_losses.ts";

/** What becomes of the model's predictions when something else stands at the site. All in nats, means over targets. */
export interface VariantEffect {
  readonly ce: Estimate;
  /** How much the cross-entropy rises: this one's minus the original's, target by target. */
  readonly deltaCe: Estimate;
  /** KL(original ‖ this). */
  readonly kl: Estimate;
}

/** How much of what an ablation destroys the autoencoder leaves intact: 1 all, 0 nothing, below 0 where it does more harm than the ablation. */
export interface Recovered {
  /** (CE of ablation − CE with autoencoder) / (CE of ablation − CE), of means over all targets. */
  readonly ce: Estimate;
  /** (KL of ablation − KL with autoencoder) / KL of ablation. */
  readonly kl: Estimate;
  /** The ablation raises the cross-entropy by less than 0.01 nats: then `ce` divides by almost nothing and says little. */
  readonly isIllConditioned: boolean;
  /** The same of the ablation's divergence and `kl`. */
  readonly isKlIllConditioned: boolean;
}

/** Effects on some of the targets. */
export interface TargetsEffect {
  /** How many. */
  readonly targets: number;
  /** The model as it is, in nats. */
  readonly ce: Estimate;
  readonly sae: VariantEffect;
  /** Zeros at the site. */
  readonly zero: VariantEffect;
  /** The mean activation at every place. */
  readonly mean: VariantEffect;
  /** Against the ablations: zeros are often far from anything the model knows, which flatters; the mean is the stricter one. */
  readonly recovered: { readonly zero: Recovered; readonly mean: Recovered };
}

/** What {@link measureModelEffect} finds. */
export interface ModelEffect {
  readonly sequences: number;
  /** Over all targets, padding included: the PyTorch original's definition. */
  readonly all: TargetsEffect;
  /** Over targets that are not padding. */
  readonly real: TargetsEffect;
}

/** Options of {@link measureModelEffect}. */
export interface ModelEffectOptions extends Omit<SpliceLossesOptions, "kl" | "mean"> {
  /** `[D]`: what the mean ablation puts in. */
  readonly mean: ArrayLike<number>;
  /** The padding's token. */
  readonly padToken: number;
}

/** Below this an ablation's harm, in nats, is no measure for anything. */
const LEAST_HARM = 0.01;

/**
 * Puts an autoencoder's reconstruction in the place of the activation, and zeros, and the mean, and measures what the model loses. All sums
 * are in float64, sequence by sequence.
 *
 * @example
 * ```ts
 * const { real } = await measureModelEffect(sae, { model: spliceSite(model, "blocks.0.hook_mlp_out"), batches, mean, padToken });
 * console.log(`${real.sae.deltaCe.value} nats lost; ${real.recovered.mean.ce.value} recovered of what mean ablation loses`);
 * ```
 */
export async function measureModelEffect(sae: Codec, options: ModelEffectOptions): Promise<ModelEffect> {
  const [all, real] = [new EffectTally(), new EffectTally()];
  let sequences = 0;
  for await (const sequence of spliceLosses(sae, options)) {
    sequences++;
    all.add(sequence, (target) => target >= 0);
    real.add(sequence, (target) => target >= 0 && target !== options.padToken);
  }
  return { sequences, all: all.result(), real: real.result() };
}

/** Sums over a sequence's targets. */
interface EffectSums {
  readonly count: number;
  readonly ce: Readonly<Record<Variant, number>>;
  readonly kl: Readonly<Record<Variant, number>>;
}

class EffectTally {
  readonly #sequences: EffectSums[] = [];

  /** Adds the targets of a sequence that are wanted; one without any is none of these. */
  add({ targets, losses, kl }: SequenceEffect, isWanted: (target: number) => boolean): void {
    const places = Array.from(targets.keys()).filter((place) => isWanted(targets[place]!));
    if (places.length === 0) return;
    const sums = (of: ReadonlyMap<Variant, Float32Array>): Record<Variant, number> => {
      const total = (values: Float32Array | undefined): number => places.reduce((sum, place) => sum + (values?.[place] ?? 0), 0);
      return { original: total(of.get("original")), sae: total(of.get("sae")), zero: total(of.get("zero")), mean: total(of.get("mean")) };
    };
    this.#sequences.push({ count: places.length, ce: sums(losses), kl: sums(kl) });
  }

  result(): TargetsEffect {
    const [sae, zero, mean] = [this.#effect("sae"), this.#effect("zero"), this.#effect("mean")];
    return {
      targets: this.#sequences.reduce((sum, { count }) => sum + count, 0),
      ce: this.#ratio(({ ce }) => ce.original),
      sae,
      zero,
      mean,
      recovered: { zero: this.#recovered("zero", zero), mean: this.#recovered("mean", mean) },
    };
  }

  #effect(variant: Variant): VariantEffect {
    return {
      ce: this.#ratio(({ ce }) => ce[variant]),
      deltaCe: this.#ratio(({ ce }) => ce[variant] - ce.original),
      kl: this.#ratio(({ kl }) => kl[variant]),
    };
  }

  #recovered(ablation: Variant, { deltaCe, kl: divergence }: VariantEffect): Recovered {
    return {
      ce: this.#ratio(
        ({ ce }) => ce[ablation] - ce.sae,
        ({ ce }) => ce[ablation] - ce.original,
      ),
      kl: this.#ratio(
        ({ kl }) => kl[ablation] - kl.sae,
        ({ kl }) => kl[ablation],
      ),
      isIllConditioned: !(deltaCe.value >= LEAST_HARM),
      isKlIllConditioned: !(divergence.value >= LEAST_HARM),
    };
  }

  #ratio(above: (sums: EffectSums) => number, below: (sums: EffectSums) => number = ({ count }) => count): Estimate {
    const ratio = new Ratio();
    for (const sums of this.#sequences) ratio.add(above(sums), below(sums));
    return ratio.estimate();
  }
}
