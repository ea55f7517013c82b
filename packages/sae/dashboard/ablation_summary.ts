import { type StrokeTokenizer, strokeTokenClasses } from "@cursive/cursive-model";
import { createRng } from "@cursive/tensor";
import type { AblationSequence, LatentAblation, SequenceFirings } from "../analysis/ablate_latents.ts";
import type { LatentFirings } from "../analysis/activation_index.ts";
import { longestOf, type ReadSequence } from "./corpus.ts";
import type { FeatureAblation } from "./feature_pages.ts";

/** Which sequences each feature is ablated in, and what comes of it. */
export class AblationPlan {
  readonly #sequences: readonly ReadSequence[];
  readonly #most: number;
  /** Sequences in one random order: each feature takes the first in it, so that features share sequences. */
  readonly #order: readonly number[];
  readonly #firings = new Map<number, (SequenceFirings & { readonly positions: readonly number[] })[]>();
  readonly #tallies = new Map<number, Tally>();
  readonly #targets: number;
  readonly #tokenizer: StrokeTokenizer;

  constructor(
    sequences: readonly ReadSequence[],
    { most, seed, tokenizer }: { readonly most: number; readonly seed: number; readonly tokenizer: StrokeTokenizer },
  ) {
    this.#sequences = sequences;
    this.#most = most;
    this.#tokenizer = tokenizer;
    const rng = createRng(seed, "ablation");
    const order = sequences.map((_, sequence) => sequence);
    for (let i = order.length - 1; i > 0; i--) {
      const other = rng.integer(i + 1);
      [order[i], order[other]] = [order[other]!, order[i]!];
    }
    this.#order = order;
    this.#targets = sequences.reduce((sum, { targets }) => sum + targets.filter((target) => target >= 0).length, 0);
  }

  /** Ablations that are planned. */
  get size(): number {
    return [...this.#firings.values()].reduce((sum, { length }) => sum + length, 0);
  }

  /** Plans a feature's. */
  add(latent: number, { sequences, positions, activations }: LatentFirings): void {
    const own = new Map<number, { positions: number[]; activations: number[] }>();
    for (let i = 0; i < sequences.length; i++) {
      const found = own.get(sequences[i]!) ?? { positions: [], activations: [] };
      found.positions.push(positions[i]!);
      found.activations.push(activations[i]!);
      own.set(sequences[i]!, found);
    }
    const chosen = this.#order.filter((sequence) => own.has(sequence)).slice(0, this.#most);
    for (const sequence of chosen) this.#firings.set(sequence, [...(this.#firings.get(sequence) ?? []), { latent, ...own.get(sequence)! }]);
    this.#tallies.set(latent, new Tally(own.size));
  }

  /** What to run: sequences of a few lengths, each cut after its last target or filled up with padding. */
  *runs(): Generator<AblationSequence> {
    const longest = longestOf(this.#sequences);
    const unit = Math.max(8, Math.ceil(longest / LENGTHS / 8) * 8);
    const runs = [...this.#firings].map(([sequence, latents]) => {
      const { tokens, targets, context } = this.#sequences[sequence]!;
      const lastTarget = targets.findLastIndex((target) => target >= 0);
      const end = 1 + latents.reduce((last, { positions }) => Math.max(last, positions.at(-1)!), lastTarget);
      const length = Math.min(longest, Math.ceil(end / unit) * unit);
      const filled = (values: ArrayLike<number>, fill: number): Int32Array =>
        Int32Array.from({ length }, (_, place) => values[place] ?? fill);
      return { sequence, tokens: filled(tokens, this.#tokenizer.padToken), targets: filled(targets, -1), context, latents };
    });
    yield* runs.sort((a, b) => a.tokens.length - b.tokens.length || a.sequence - b.sequence);
  }

  /** Takes a result in. */
  take({ sequence, latent, deltaCe, kl }: LatentAblation): void {
    const { targets } = this.#sequences[sequence]!;
    const { positions } = this.#firings.get(sequence)!.find((one) => one.latent === latent)!;
    const classes = positions.map((place) => ({ place, target: targets[place]! })).filter(({ target }) => target >= 0);
    this.#tallies.get(latent)!.add(
      targets.reduce((sum, target, place) => (target >= 0 ? sum + deltaCe[place]! : sum), 0),
      classes.map(({ place, target }) => ({ token: this.#classOf(target), deltaCe: deltaCe[place]!, kl: kl[place]! })),
    );
  }

  /** What a feature's ablation costs; null unless it was planned and run. */
  summary(latent: number): FeatureAblation | null {
    return this.#tallies.get(latent)?.summary(this.#targets) ?? null;
  }

  #classOf(target: number): string {
    const meaning = this.#tokenizer.meaning(target);
    const place = { theta: 0, radius: meaning.kind === "radius" && meaning.pen === 1 ? 1 : 2, word: 3, end: 4, pad: 5, unknown: 5 };
    return strokeTokenClasses[place[meaning.kind]]!;
  }
}

/** Lengths that sequences are cut to. */
const LENGTHS = 4;

class Tally {
  readonly #firing: number;
  /** ΔCE of each sequence that was run, summed over its targets. */
  readonly #totals: number[] = [];
  #kl = 0;
  readonly #classes = new Map<string, { sum: number; count: number }>();

  constructor(sequencesFiring: number) {
    this.#firing = sequencesFiring;
  }

  add(total: number, firings: readonly { readonly token: string; readonly deltaCe: number; readonly kl: number }[]): void {
    this.#totals.push(total);
    for (const { token, deltaCe, kl } of firings) {
      const found = this.#classes.get(token) ?? { sum: 0, count: 0 };
      found.sum += deltaCe;
      found.count++;
      this.#kl += kl;
      this.#classes.set(token, found);
    }
  }

  summary(targets: number): FeatureAblation {
    const classes = [...this.#classes].map(([token, { sum, count }]) => ({ token, deltaCe: sum / count, count }));
    const count = classes.reduce((sum, one) => sum + one.count, 0);
    const where = classes.reduce((sum, one) => sum + one.deltaCe * one.count, 0);
    const order = (token: string): number => strokeTokenClasses.indexOf(token);
    const run = this.#totals.length;
    const mean = run > 0 ? this.#totals.reduce((a, b) => a + b, 0) / run : 0;
    const spread = this.#totals.reduce((sum, total) => sum + (total - mean) ** 2, 0) / Math.max(1, run - 1);
    const perTarget = this.#firing / targets;
    return {
      deltaCe: mean * perTarget,
      // of a mean over some of finitely many, of which none is left where all were run
      deltaCeError: run === this.#firing ? 0 : run < 2 ? null : perTarget * Math.sqrt((spread / run) * (1 - run / this.#firing)),
      deltaCeWhereFiring: count > 0 ? where / count : 0,
      klWhereFiring: count > 0 ? this.#kl / count : 0,
      byClass: classes.sort((a, b) => order(a.token) - order(b.token)),
      sequences: run,
      sequencesFiring: this.#firing,
      count,
    };
  }
}
