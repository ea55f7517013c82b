import { createRng } from "@cursive/tensor";
import type { LatentFirings } from "../analysis/activation_index.ts";
import type { AttributedSequence, FiringPlace, PlaceAttribution } from "../analysis/letter_attribution.ts";
import type { LetterPath } from "../analysis/letter_path.ts";
import { longestOf, type ReadSequence } from "./corpus.ts";
import type { LetterAttribution } from "./feature_pages.ts";

/** Characters from the one being written that are told apart. */
const FARTHEST = 6;

/** At which firings features are attributed to letters, and what comes of it. */
export class LetterPlan {
  readonly #sequences: readonly ReadSequence[];
  readonly #path: LetterPath;
  readonly #heads: number;
  readonly #most: number;
  readonly #seed: number;
  readonly #places = new Map<number, FiringPlace[]>();
  readonly #tallies = new Map<number, Tally>();

  constructor(
    sequences: readonly ReadSequence[],
    { path, heads, most, seed }: { readonly path: LetterPath; readonly heads: number; readonly most: number; readonly seed: number },
  ) {
    this.#sequences = sequences;
    this.#path = path;
    this.#heads = heads;
    this.#most = most;
    this.#seed = seed;
  }

  /** Sequences that are planned. */
  get size(): number {
    return this.#places.size;
  }

  /** Plans a feature's: firings drawn at random, each equally likely. */
  add(latent: number, { sequences, positions }: LatentFirings): void {
    const rng = createRng(this.#seed, "letters", latent);
    const order = Uint32Array.from(sequences.keys());
    const count = Math.min(this.#most, order.length);
    for (let i = 0; i < count; i++) {
      const other = i + rng.integer(order.length - i);
      [order[i], order[other]] = [order[other]!, order[i]!];
      const [sequence, position] = [sequences[order[i]!]!, positions[order[i]!]!];
      this.#places.set(sequence, [...(this.#places.get(sequence) ?? []), { latent, position }]);
    }
    if (count > 0) this.#tallies.set(latent, new Tally({ path: this.#path, heads: this.#heads }));
  }

  /** What to run, filled up to one length with what comes after the text. */
  *runs({ padToken }: { readonly padToken: number }): Generator<AttributedSequence> {
    const length = longestOf(this.#sequences);
    for (const [sequence, places] of [...this.#places].sort(([a], [b]) => a - b)) {
      const { tokens, context } = this.#sequences[sequence]!;
      yield { sequence, tokens: Int32Array.from({ length }, (_, place) => tokens[place] ?? padToken), context, places };
    }
  }

  /** Takes a result in. */
  take(result: PlaceAttribution): void {
    const { text, letters } = this.#sequences[result.sequence]!;
    this.#tallies.get(result.latent)!.add(result, { characters: [...text], letter: letters[result.position]! });
  }

  /** Which letters drive a feature; null unless it fires. */
  summary(latent: number): LetterAttribution | null {
    return this.#tallies.get(latent)?.summary() ?? null;
  }
}

/** Sums by what they are of. */
class Sums<K> {
  readonly #sums = new Map<K, { sum: number; count: number }>();

  add(key: K, value: number): void {
    const found = this.#sums.get(key) ?? { sum: 0, count: 0 };
    found.sum += value;
    found.count++;
    this.#sums.set(key, found);
  }

  means(): { readonly key: K; readonly mean: number; readonly count: number }[] {
    return [...this.#sums].map(([key, { sum, count }]) => ({ key, mean: sum / count, count }));
  }
}

class Tally {
  readonly #path: LetterPath;
  readonly #heads: number;
  #count = 0;
  #preActivation = 0;
  #total = 0;
  readonly #characters = new Sums<string>();
  readonly #offsets = new Sums<number>();
  readonly #byHead: Float64Array;

  constructor({ path, heads }: { readonly path: LetterPath; readonly heads: number }) {
    this.#path = path;
    this.#heads = heads;
    this.#byHead = new Float64Array(path.blocks.length * heads);
  }

  add(
    { contributions, preActivation }: PlaceAttribution,
    { characters, letter }: { readonly characters: readonly string[]; readonly letter: number },
  ): void {
    const places = contributions.length / this.#byHead.length;
    const byPlace = new Float64Array(places);
    for (let k = 0; k < contributions.length; k++) {
      byPlace[k % places]! += contributions[k]!;
      this.#byHead[Math.floor(k / places)]! += contributions[k]!;
      this.#total += contributions[k]!;
    }
    this.#count++;
    this.#preActivation += preActivation;
    const byCharacter = new Map<string, number>();
    for (const [place, value] of byPlace.entries()) {
      const character = characters[place] ?? "";
      byCharacter.set(character, (byCharacter.get(character) ?? 0) + value);
      const offset = place - letter;
      if (letter >= 0 && character !== "" && Math.abs(offset) <= FARTHEST) this.#offsets.add(offset, value);
    }
    for (const [character, value] of byCharacter) this.#characters.add(character, value);
  }

  summary(): LetterAttribution {
    const characters = this.#characters.means().sort((a, b) => b.mean - a.mean || (a.key < b.key ? -1 : 1));
    const offsets = this.#offsets.means().sort((a, b) => a.key - b.key);
    return {
      method: this.#path.method,
      count: this.#count,
      preActivation: this.#preActivation / this.#count,
      total: this.#total / this.#count,
      characters: characters.map(({ key: character, mean, count }) => ({ character, mean, count })),
      offsets: offsets.map(({ key: offset, mean, count }) => ({ offset, mean, count })),
      heads: Array.from(this.#byHead, (sum, i) => ({
        layer: this.#path.blocks[Math.floor(i / this.#heads)]!,
        head: i % this.#heads,
        mean: sum / this.#count,
      })),
    };
  }
}
