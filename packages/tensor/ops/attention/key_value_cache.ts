import type { Device, KernelFamily } from "../../device/device.ts";
import { type Kernel, kernel } from "../../device/kernel.ts";
import { ShapeError } from "../../errors.ts";
import { format } from "../../shape.ts";
import type { Tensor } from "../../tensor.ts";
import { full } from "../copy.ts";
import { MAX_HEAD_SIZE } from "./form.ts";
import { emptyHeads, headsOf, readable } from "./layout.ts";

/** Sizes of a {@link KeyValueCache}. */
export interface KeyValueCacheOptions {
  readonly batch: number;
  readonly heads: number;
  /** D, at most 128. */
  readonly headSize: number;
  /** The most places that it can hold. */
  readonly capacity: number;
  readonly device: Device;
}

/** Keys and values that come with a query. */
export interface KeyValue {
  /** `[B, H, n, D]` */
  readonly key: Tensor;
  /** `[B, H, n, D]` */
  readonly value: Tensor;
}

/**
 * The keys and values of an attention, kept so that a sequence that grows by a token costs the attention of that token only. Nothing here has a
 * gradient.
 *
 * How many places are filled is data: a captured step that appends goes on by a place at every run.
 *
 * @example
 * ```ts
 * const cache = new KeyValueCache({ batch: B, heads: H, headSize: D, capacity: T, device });
 * cache.fill({ key, value });                       // [B, H, n, D]: what was there at first
 * const y = cache.append(query, { key, value });    // [B, H, 1, D] each: one more place, which sees all before it and itself
 * ```
 */
export class KeyValueCache {
  readonly capacity: number;
  readonly #shape: readonly [batch: number, heads: number];
  readonly #headSize: number;
  readonly #keys: Tensor; // (B, H, capacity, 4 ⌈D / 4⌉), 0 beyond D
  readonly #values: Tensor;
  #length = 0;

  /** @throws ShapeError for a head that is too wide. @throws OutOfMemoryError if it is too large for the device. */
  constructor({ batch, heads, headSize, capacity, device }: KeyValueCacheOptions) {
    if (!(headSize >= 1 && headSize <= MAX_HEAD_SIZE))
      throw new ShapeError(`KeyValueCache: expected a head size of 1 to ${MAX_HEAD_SIZE} but found ${headSize}`);
    this.capacity = capacity;
    this.#shape = [batch, heads];
    this.#headSize = headSize;
    const shape = [batch, heads, capacity, 4 * Math.ceil(headSize / 4)];
    this.#keys = full(shape, 0, { device });
    this.#values = full(shape, 0, { device });
  }

  /** Places filled so far. */
  get length(): number {
    return this.#length;
  }

  /** Puts keys and values `[B, H, n, D]` into the first n places, and forgets all others. @throws ShapeError if they do not fit. */
  fill({ key, value }: KeyValue): void {
    const [count, headSize] = [key.shape.at(-2)!, this.#headSize];
    this.#check("fill", key, count);
    this.#check("fill", value, count);
    if (count > this.capacity) throw new ShapeError(`KeyValueCache.fill: expected at most ${this.capacity} places but found ${count}`);
    for (const [kept, given] of [[this.#keys, key], [this.#values, value]] as const) // biome-ignore format: pairs
      kept.narrow(2, { start: 0, length: count }).narrow(3, { start: 0, length: headSize }).copyFrom(given);
    this.#keys.device.hostEffect(() => {
      this.#length = count;
    });
  }

  /** Attention of one query a head, `[B, H, 1, D]`, to all that is kept; its result lies as `[B, 1, H, D]`. */
  attend(query: Tensor): Tensor {
    this.#check("attend", query, 1);
    return this.#launch(query, []);
  }

  /**
   * Adds a place: `query`, `key` and `value` are `[B, H, 1, D]`. @returns The query's attention to all that was kept and to its own place.
   * @throws RangeError when there is no place left: in a captured step, at the run that wants it.
   */
  append(query: Tensor, { key, value }: KeyValue): Tensor {
    for (const x of [query, key, value]) this.#check("append", x, 1);
    const result = this.#launch(query, [key, value]);
    query.device.hostEffect(() => {
      this.#length++;
    });
    return result;
  }

  /** Gives the memory back now. The cache cannot be used any more. */
  release(): void {
    this.#keys.storage.release();
    this.#values.storage.release();
  }

  #launch(query: Tensor, own: readonly Tensor[]): Tensor {
    const { device } = query;
    const isAppending = own.length > 0;
    const result = emptyHeads(query);
    const operands = readable([query, ...own], [result]);
    const { count, inner, places } = headsOf([...operands, result])!;
    const [ownKey, ownValue] = operands.slice(1);
    device.run(cachedKernel(device.family, { headSize: this.#headSize, isAppending }), {
      bindings: {
        query: operands[0]!.whole,
        result: result.whole,
        keys: this.#keys,
        values: this.#values,
        ...(ownKey && ownValue && { ownKey: ownKey.whole, ownValue: ownValue.whole }),
      },
      params: {
        heads: count,
        inner,
        capacity: this.capacity,
        length: () => this.#lengthFor(isAppending),
        headSize: this.#headSize,
        scale: 1 / Math.sqrt(this.#headSize),
        queryLayout: places[0]!,
        ownKeyLayout: places[1]!,
        ownValueLayout: places[2] ?? places[1]!,
        resultLayout: places.at(-1)!,
      },
      workgroups: count,
    });
    return result;
  }

  #lengthFor(isAppending: boolean): number {
    if (isAppending && this.#length >= this.capacity)
      throw new RangeError(`Expected a place left in the cache but found all ${this.capacity} taken`);
    return this.#length;
  }

  #check(what: string, x: Tensor, count: number): void {
    const expected = format([...this.#shape, count, this.#headSize]);
    if (format(x.shape) !== expected) throw new ShapeError(`KeyValueCache.${what}: expected ${expected} but found ${format(x.shape)}`);
  }
}

/** Up to this head size kernels keep rows in registers, spelled out. */
const WIDEST_UNROLLED = 32;
/** Lanes that share a head: a SIMD register's on software adapters, where more would only wait for each other. */
const lanes: Readonly<Record<KernelFamily, number>> = { portable: 16, panel: 8, tile: 64 };

function cachedKernel(family: KernelFamily, { headSize, isAppending }: { headSize: number; isAppending: boolean }): Kernel {
  const UNROLL = headSize <= WIDEST_UNROLLED;
  // Sums of all lanes lie in workgroup memory, of which every adapter has 16 KiB.
  const LANES = UNROLL ? lanes[family] : Math.min(16, lanes[family]);
  return kernel("attention_cached", "attend", {
    D4: UNROLL ? Math.ceil(headSize / 4) : MAX_HEAD_SIZE / 4,
    LANES,
    UNROLL,
    OWN: isAppending,
  });
}
