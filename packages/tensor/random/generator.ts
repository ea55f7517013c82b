import type { Param } from "../device/command.ts";
import type { Device } from "../device/device.ts";
import { createRng, type PhiloxKey, philoxKey, type Rng, type RngState } from "./philox.ts";

/** Words that one block of Philox gives. */
const LANES = 4;

/**
 * A stream of random numbers for tensors. It holds a key and a position; every draw takes the next whole blocks, so the n-th draw is a pure
 * function of seed, stream and what was drawn before, on every device. Inside a captured step each replay draws anew.
 *
 * @example
 * ```ts
 * const generator = new Generator(42, "dropout");
 * const mask = bernoulli([8, 64], { probability: 0.9, generator });
 * const saved = generator.state(); // plain JSON
 * ```
 */
export class Generator {
  #key: PhiloxKey;
  /** Blocks drawn so far. */
  #blocks = 0;

  /** The stream that a seed and a path of names select. @throws RangeError if a number is not finite. */
  constructor(seed: number, ...stream: (string | number)[]) {
    this.#key = philoxKey(seed, ...stream);
  }

  /** Where the stream stands, as plain JSON; the form is that of the host's `Rng`. */
  state(): RngState {
    return { key: [this.#key[0], this.#key[1]], position: this.#blocks * LANES };
  }

  /** Goes on from a state; a position inside of a block moves on to the next. @throws RangeError if it is not one that `state()` gives. */
  restore(state: RngState): void {
    const { key, position } = checked(state).state();
    this.#key = key;
    this.#blocks = Math.ceil(position / LANES);
  }

  /** The parameters of `random.wgsl` that say where a draw starts: read when the kernel runs, in a captured step at each replay. */
  params(): Record<"keyLow" | "keyHigh" | "offsetLow" | "offsetHigh", Param> {
    return {
      keyLow: () => this.#key[0],
      keyHigh: () => this.#key[1],
      offsetLow: () => this.#blocks % 2 ** 32,
      offsetHigh: () => Math.floor(this.#blocks / 2 ** 32),
    };
  }

  /** Moves on past `count` elements, after the kernel that drew them. */
  advance(device: Device, count: number): void {
    device.hostEffect(() => {
      this.#blocks += Math.ceil(count / LANES);
    });
  }

  /** Draws on the host: what `draw` takes from the stream is gone from it. */
  onHost<T>(draw: (rng: Rng) => T): T {
    const rng = checked(this.state());
    const result = draw(rng);
    this.restore(rng.state());
    return result;
  }
}

/** A host generator at a state. */
function checked(state: RngState): Rng {
  const rng = createRng(0);
  rng.restore(state);
  return rng;
}

/** What functions draw from that are given no generator. Starts as `manualSeed(0)` would. */
export const defaultGenerator: Generator = new Generator(0);

/** Starts the default generator anew, as torch's `manual_seed`. @throws RangeError if the seed is not finite. */
export function manualSeed(seed: number): void {
  defaultGenerator.restore({ key: philoxKey(seed), position: 0 });
}
