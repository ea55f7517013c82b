/**
 * Random numbers by counting: Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
 *
 * A block of four words is a pure function of a counter and a key, so any element of any stream can be computed on its own: on the
 * host one after another ({@linkcode createRng}), on the GPU all at once. The rule both follow for a key and a counter offset:
 *
 * - element `i` is lane `i % 4` of the block with counter `[offset + floor(i / 4), 0, 0, 0]` (modulo 2³²);
 * - uniform: `(word >>> 8) * 2⁻²⁴`, which f32 holds exactly, in [0, 1);
 * - normal, from the lane's pair (words 0 and 1, or 2 and 3) by Box–Muller: with `u1 = 1 - uniform(first)` in (0, 1] and
 *   `u2 = uniform(second)`, the even lane is `sqrt(-2 ln u1) cos(2π u2)` and the odd lane `sqrt(-2 ln u1) sin(2π u2)`.
 *
 * On the host every bit of both is the same in all runtimes.
 */

import { portableCos, portableLog, portableSin } from "./portable_math.ts";

/** Names one stream of random numbers among 2⁶⁴. Two 32-bit words. */
export type PhiloxKey = readonly [number, number];

/** Four 32-bit words: the argument of one block. */
export type PhiloxCounter = readonly [number, number, number, number];

const rounds = 10;
const multiplier0 = 0xd2511f53;
const multiplier1 = 0xcd9e8d57;
const weyl0 = 0x9e3779b9; // the golden ratio
const weyl1 = 0xbb67ae85; // sqrt(3) - 1

/** The upper 32 bits of the 64-bit product of two 32-bit words, exactly: every partial product of halves fits a float64. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  return aHigh * bHigh + (middle >>> 16) + ((aLow * bHigh + (middle & 0xffff)) >>> 16);
}

/**
 * One block of Philox4x32-10: four random words from a counter and a key.
 *
 * @example
 * ```ts
 * philox4x32([0, 0, 0, 0], [0, 0]); // Uint32Array [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]
 * ```
 */
export function philox4x32(counter: PhiloxCounter, key: PhiloxKey): Uint32Array {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < rounds; round++) {
    const high0 = multiplyHigh(multiplier0, c0);
    const low0 = Math.imul(multiplier0, c0);
    const high1 = multiplyHigh(multiplier1, c2);
    const low1 = Math.imul(multiplier1, c2);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = (k0 + weyl0) | 0;
    k1 = (k1 + weyl1) | 0;
  }
  return Uint32Array.of(c0, c1, c2, c3);
}

/**
 * The key of the stream that a seed and a path of names select. Streams with different seeds or paths are independent; `1` and `"1"`
 * are different names.
 *
 * @throws {RangeError} if a number is not finite.
 * @example
 * ```ts
 * philoxKey(42, "init", "h.0.mlp.c_fc.weight");
 * philoxKey(42, "dropout", 3);
 * ```
 */
export function philoxKey(seed: number, ...stream: (string | number)[]): PhiloxKey {
  const path = [seed, ...stream];
  for (const name of path) {
    if (typeof name === "number" && !Number.isFinite(name)) throw new RangeError(`Expected a finite seed and stream but found ${name}`);
  }
  // JSON tells every path from every other and holds no NUL, so padding with zeros is unambiguous; Philox itself compresses the text.
  const text = JSON.stringify(path);
  const word = (at: number) => (text.charCodeAt(at) || 0) | ((text.charCodeAt(at + 1) || 0) << 16);
  let key: PhiloxKey = [0, 0];
  for (let at = 0; at < text.length; at += 8) {
    const block = philox4x32([word(at), word(at + 2), word(at + 4), word(at + 6)], key);
    key = [block[0]!, block[1]!];
  }
  return key;
}

/** A random word as a number in [0, 1): 24 bits, so that f32 holds it exactly. */
function unitInterval(word: number): number {
  return (word >>> 8) * 2 ** -24;
}

/** A pair of independent standard normals from two random words (Box and Muller 1958), in float64. At most 5.77 in size. */
function boxMuller(first: number, second: number): [number, number] {
  const radius = Math.sqrt(-2 * portableLog(1 - unitInterval(first)));
  const angle = 2 * Math.PI * unitInterval(second);
  return [radius * portableCos(angle), radius * portableSin(angle)];
}

/** Where a run of elements starts. */
export interface PhiloxRange {
  /** Counter of the block that holds element 0. Each block serves four elements. Default 0. */
  offset?: number;
}

/** Elements 0 … count − 1 of the uniform rule above, as a kernel computes them: equal to the last bit. */
export function philoxUniforms(key: PhiloxKey, count: number, { offset = 0 }: PhiloxRange = {}): Float64Array {
  const values = new Float64Array(count);
  for (let i = 0; i < count; i += 4) {
    const block = philox4x32([offset + i / 4, 0, 0, 0], key);
    for (let lane = 0; lane < 4 && i + lane < count; lane++) values[i + lane] = unitInterval(block[lane]!);
  }
  return values;
}

/** Elements 0 … count − 1 of the normal rule above. A kernel takes the same words; its `log`, `sqrt` and `cos` round to f32. */
export function philoxNormals(key: PhiloxKey, count: number, { offset = 0 }: PhiloxRange = {}): Float64Array {
  const values = new Float64Array(count);
  for (let i = 0; i < count; i += 4) {
    const [w0, w1, w2, w3] = philox4x32([offset + i / 4, 0, 0, 0], key) as unknown as [number, number, number, number];
    values.set([...boxMuller(w0, w1), ...boxMuller(w2, w3)].slice(0, count - i), i);
  }
  return values;
}

/** Where a generator stands, as plain JSON. */
export interface RngState {
  readonly key: PhiloxKey;
  /** How many 32-bit words have been drawn. */
  readonly position: number;
}

/** A generator that hands out one stream's words in order. */
export interface Rng {
  /** An integer in [0, 2³²). */
  nextUint32(): number;
  /** A number in [low, high), by default [0, 1), with 24 random bits. */
  uniform(low?: number, high?: number): number;
  /** A standard normal. Takes two words. */
  normal(): number;
  /**
   * An integer in [0, n), each equally likely.
   * @throws {RangeError} unless n is an integer from 1 to 2³².
   */
  integer(n: number): number;
  /** The numbers 0 … n − 1 in random order (Fisher–Yates). */
  permutation(n: number): Uint32Array;
  /** Everything needed to go on from here later. */
  state(): RngState;
  /**
   * Goes on from a state, of this or another generator.
   * @throws {RangeError} if the state is not one that `state()` gives.
   */
  restore(state: RngState): void;
}

/**
 * A generator for the stream that a seed and a path of names select. Its n-th word is element n of the stream, so `uniform()` called
 * n times gives `philoxUniforms(philoxKey(seed, ...stream), n)`.
 *
 * @throws {RangeError} if a number is not finite.
 * @example
 * ```ts
 * const rng = createRng(42, "batches", epoch);
 * const order = rng.permutation(1000);
 * const saved = JSON.stringify(rng.state()); // resume from here, bit for bit
 * ```
 */
export function createRng(seed: number, ...stream: (string | number)[]): Rng {
  let key = philoxKey(seed, ...stream);
  let position = 0;
  let block: Uint32Array | undefined; // the words around `position`, once drawn

  const rng: Rng = {
    nextUint32(): number {
      const lane = position % 4;
      if (lane === 0 || block === undefined) {
        const index = Math.floor(position / 4);
        block = philox4x32([index >>> 0, Math.floor(index / 2 ** 32), 0, 0], key);
      }
      position++;
      return block[lane]!;
    },
    uniform(low = 0, high = 1): number {
      const value = low + (high - low) * unitInterval(rng.nextUint32());
      return value < high ? value : low; // the sum may round up to high
    },
    normal(): number {
      return boxMuller(rng.nextUint32(), rng.nextUint32())[0];
    },
    integer(n: number): number {
      if (!Number.isInteger(n) || n < 1 || n > 2 ** 32) throw new RangeError(`Expected an integer from 1 to 2^32 but found ${n}`);
      const limit = 2 ** 32 - (2 ** 32 % n); // words from here on would favour small results
      for (;;) {
        const word = rng.nextUint32();
        if (word < limit) return word % n;
      }
    },
    permutation(n: number): Uint32Array {
      const order = Uint32Array.from({ length: n }, (_, i) => i);
      for (let i = n - 1; i > 0; i--) {
        const j = rng.integer(i + 1);
        [order[i], order[j]] = [order[j]!, order[i]!];
      }
      return order;
    },
    state(): RngState {
      return { key: [key[0], key[1]], position };
    },
    restore(state: RngState): void {
      const isWord = (x: unknown) => Number.isInteger(x) && (x as number) >= 0 && (x as number) < 2 ** 32;
      if (!Array.isArray(state.key) || state.key.length !== 2 || !state.key.every(isWord)) {
        throw new RangeError(`Expected a key of two 32-bit words but found ${JSON.stringify(state.key)}`);
      }
      if (!Number.isSafeInteger(state.position) || state.position < 0) {
        throw new RangeError(`Expected a position that is a whole number but found ${state.position}`);
      }
      key = [state.key[0], state.key[1]];
      position = state.position;
      block = undefined;
    },
  };
  return rng;
}
