import type { Device, KernelFamily } from "../../device/device.ts";
import { type Kernel, kernel } from "../../device/kernel.ts";
import { ALIGNMENT } from "../../device/memory.ts";
import { BYTES } from "../../dtype.ts";
import { ShapeError } from "../../errors.ts";
import { format, sizeOf } from "../../shape.ts";
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

/** Where a cache's rows lie: `[B, H, capacity, 4 ⌈D / 4⌉]` dense, 0 beyond D. */
export interface KeyValueMemory {
  readonly keys: Tensor;
  readonly values: Tensor;
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
  readonly batch: number;
  readonly heads: number;
  readonly headSize: number;
  readonly capacity: number;
  /** For kernels that go through several caches. */
  readonly memory: KeyValueMemory;
  #length = 0;

  /**
   * Several caches side by side in one piece of memory, so that one launch can use them all; apart where that is more than a launch can bind.
   * Releasing one of them releases all.
   * @throws ShapeError, OutOfMemoryError as for one.
   */
  static together(all: readonly KeyValueCacheOptions[]): KeyValueCache[] {
    const { device } = all[0]!;
    const starts: number[] = [];
    let end = 0;
    for (const options of all) {
      starts.push(end);
      end += ROW_ALIGNMENT * Math.ceil(sizeOf(memoryShape(options)) / ROW_ALIGNMENT);
    }
    if (BYTES * end > Math.min(device.limits.maxStorageBufferBindingSize, device.limits.maxBufferSize))
      return all.map((options) => new KeyValueCache(options));
    const [keys, values] = [full([end], 0, { device }), full([end], 0, { device })];
    return all.map((options, i) => {
      const shape = memoryShape(options);
      const own = (x: Tensor): Tensor => x.narrow(0, { start: starts[i]!, length: sizeOf(shape) }).reshape(shape);
      return new KeyValueCache(options, { keys: own(keys), values: own(values) });
    });
  }

  /** @throws ShapeError for a head that is too wide. @throws OutOfMemoryError if it is too large for the device. */
  constructor(options: KeyValueCacheOptions, memory?: KeyValueMemory) {
    const { batch, heads, headSize, capacity, device } = options;
    if (!(headSize >= 1 && headSize <= MAX_HEAD_SIZE))
      throw new ShapeError(`KeyValueCache: expected a head size of 1 to ${MAX_HEAD_SIZE} but found ${headSize}`);
    this.batch = batch;
    this.heads = heads;
    this.headSize = headSize;
    this.capacity = capacity;
    const shape = memoryShape(options);
    this.memory = memory ?? { keys: full(shape, 0, { device }), values: full(shape, 0, { device }) };
  }

  /** Places filled so far. */
  get length(): number {
    return this.#length;
  }

  /** Puts keys and values `[B, H, n, D]` into the first n places, and forgets all others. @throws ShapeError if they do not fit. */
  fill({ key, value }: KeyValue): void {
    const [count, headSize] = [key.shape.at(-2)!, this.headSize];
    const { keys, values } = this.memory;
    this.#check("fill", key, count);
    this.#check("fill", value, count);
    if (count > this.capacity) throw new ShapeError(`KeyValueCache.fill: expected at most ${this.capacity} places but found ${count}`);
    for (const [kept, given] of [[keys, key], [values, value]] as const) // biome-ignore format: pairs
      kept.narrow(2, { start: 0, length: count }).narrow(3, { start: 0, length: headSize }).copyFrom(given);
    keys.device.hostEffect(() => {
      this.#length = count;
    });
  }

  /** Forgets all places from `length` on. @throws RangeError if there are not so many. */
  truncate(length: number): void {
    if (!(length >= 0 && length <= this.#length)) throw new RangeError(`Expected a length of at most ${this.#length} but found ${length}`);
    this.#length = length;
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
    query.device.hostEffect(() => this.grow());
    return result;
  }

  /** Places filled, for a kernel that adds one or reads them. @throws RangeError when one is to be added and there is no place left. */
  lengthFor(what: "append" | "attend"): number {
    if (what === "append" && this.#length >= this.capacity)
      throw new RangeError(`Expected a place left in the cache but found all ${this.capacity} taken`);
    return this.#length;
  }

  /** Counts one place more: a kernel that is not this file's has filled it. */
  grow(): void {
    this.#length++;
  }

  /** Gives the memory back now. The cache cannot be used any more. */
  release(): void {
    this.memory.keys.storage.release();
    this.memory.values.storage.release();
  }

  #launch(query: Tensor, own: readonly Tensor[]): Tensor {
    const { device } = query;
    const isAppending = own.length > 0;
    const result = emptyHeads(query);
    const operands = readable([query, ...own], [result]);
    const { count, inner, places } = headsOf([...operands, result])!;
    const [ownKey, ownValue] = operands.slice(1);
    device.run(cachedKernel(device.family, { headSize: this.headSize, isAppending }), {
      bindings: {
        query: operands[0]!.whole,
        result: result.whole,
        ...this.memory,
        ...(ownKey && ownValue && { ownKey: ownKey.whole, ownValue: ownValue.whole }),
      },
      params: {
        heads: count,
        inner,
        capacity: this.capacity,
        length: () => this.lengthFor(isAppending ? "append" : "attend"),
        headSize: this.headSize,
        scale: 1 / Math.sqrt(this.headSize),
        queryLayout: places[0]!,
        ownKeyLayout: places[1]!,
        ownValueLayout: places[2] ?? places[1]!,
        resultLayout: places.at(-1)!,
      },
      workgroups: count,
    });
    return result;
  }

  #check(what: string, x: Tensor, count: number): void {
    const expected = format([this.batch, this.heads, count, this.headSize]);
    if (format(x.shape) !== expected) throw new ShapeError(`KeyValueCache.${what}: expected ${expected} but found ${format(x.shape)}`);
  }
}

/** Bound ranges start at multiples of so many elements. */
const ROW_ALIGNMENT = ALIGNMENT / BYTES;

function memoryShape({ batch, heads, headSize, capacity }: KeyValueCacheOptions): number[] {
  return [batch, heads, capacity, 4 * Math.ceil(headSize / 4)];
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
