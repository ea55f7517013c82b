import { OutOfMemoryError } from "../errors.ts";
import type { BufferLedger } from "./buffer_ledger.ts";
import { isMutating } from "./kernel.ts";

/**
 * GPU memory. One owner: a {@link Storage} owns its buffer, and gives it back to the {@link BufferPool} when it is released or when the
 * last tensor on it has been collected. Buffers are reused because first touch of fresh memory costs about 1 ms a MB on software adapters.
 */

// GPUBufferUsage's bits: the global is missing in Node.
const STORAGE = 0x80;
const COPY_SRC = 0x04;
const COPY_DST = 0x08;

/** Offsets of bound ranges and of tensors packed in an arena are multiples of this, in bytes. */
export const ALIGNMENT = 256;

let nextId = 1;

/** How many storages there were so far: those made from now on have ids of at least this. */
export function storageClock(): number {
  return nextId;
}

/** A piece of GPU memory that tensors are views of. */
export class Storage {
  readonly id: number = nextId++;
  readonly bytes: number;
  /** What it holds, for error messages: `"[8, 1000, 64] f32"`. */
  readonly label: string;
  /** Undefined while a step is being captured: the plan decides where its temporaries live. */
  buffer: GPUBuffer | undefined;
  /** Why reading this storage is an error, where it is one. */
  unreadable: string | undefined;
  /** Another way to read it than copying from the buffer: a captured step's results are copied out by the run itself. */
  readback: ((range: { offset: number; bytes: number }) => Promise<ArrayBuffer>) | undefined;
  readonly #pool: BufferPool | undefined;

  constructor(bytes: number, options: { label: string; pool?: BufferPool }) {
    this.bytes = Math.max(16, Math.ceil(bytes / 16) * 16);
    this.label = options.label;
    this.#pool = options.pool;
    if (options.pool) this.buffer = options.pool.take(this);
  }

  /** Gives the memory back now instead of at collection. Using a tensor on it afterwards is an error. */
  release(): void {
    if (!this.buffer || !this.#pool) return;
    this.#pool.giveBack(this);
    this.buffer = undefined;
    this.unreadable = "its memory was released";
  }
}

/** What a pool knows about itself, in bytes. */
export interface PoolStats {
  /** Of tensors that exist. */
  readonly bytesInUse: number;
  /** Kept for tensors to come. */
  readonly bytesPooled: number;
  /** The most that was in use at once. */
  readonly peakBytes: number;
}

/** Hands out buffers by size class and keeps the returned ones. */
export class BufferPool {
  readonly #ledger: BufferLedger;
  readonly #limit: number;
  readonly #free = new Map<number, GPUBuffer[]>();
  readonly #collected: FinalizationRegistry<GPUBuffer>;
  #inUse = 0;
  #pooled = 0;
  #peak = 0;
  #sinceNudge = 0;
  /** Called before buffers are destroyed: no pending command may still use them. */
  readonly #beforeDestroy: () => void;

  constructor(ledger: BufferLedger, options: { limits: GPUSupportedLimits; beforeDestroy: () => void }) {
    this.#ledger = ledger;
    this.#limit = Math.min(options.limits.maxStorageBufferBindingSize, options.limits.maxBufferSize);
    this.#beforeDestroy = options.beforeDestroy;
    this.#collected = new FinalizationRegistry((buffer) => this.#recycle(buffer));
  }

  stats(): PoolStats {
    return { bytesInUse: this.#inUse, bytesPooled: this.#pooled, peakBytes: this.#peak };
  }

  /** A buffer for a storage; the storage's collection or release brings it back. Contents are arbitrary. */
  take(storage: Storage): GPUBuffer {
    this.checkFits(storage.bytes, storage.label);
    const size = sizeClass(storage.bytes, this.#limit);
    const buffer = this.#bufferOf(size);
    this.#inUse += size;
    this.#peak = Math.max(this.#peak, this.#inUse);
    this.#collected.register(storage, buffer, storage);
    this.#nudgeCollector(size);
    return buffer;
  }

  #bufferOf(size: number): GPUBuffer {
    const usage = STORAGE | COPY_SRC | COPY_DST;
    // What a broken kernel leaves unwritten must not hold what the whole one has put there before, or it passes for whole.
    if (isMutating()) return this.#ledger.createPoisoned(size, usage);
    const pooled = this.#free.get(size)?.pop();
    if (!pooled) return this.#ledger.create(size, usage);
    this.#pooled -= size;
    return pooled;
  }

  giveBack(storage: Storage): void {
    this.#collected.unregister(storage);
    this.#recycle(storage.buffer!);
  }

  /** @throws OutOfMemoryError where a tensor cannot be bound on this device at all. */
  checkFits(bytes: number, label: string): void {
    if (bytes <= this.#limit) return;
    throw new OutOfMemoryError(
      `Expected a tensor of at most ${this.#limit} bytes (this device's storage binding limit) but found ${bytes} bytes for ${label}`,
    );
  }

  /** Destroys pooled buffers. */
  trim(): void {
    this.#beforeDestroy();
    for (const buffers of this.#free.values()) for (const buffer of buffers) this.#ledger.destroy(buffer);
    this.#free.clear();
    this.#pooled = 0;
  }

  #recycle(buffer: GPUBuffer): void {
    const { size } = buffer;
    this.#inUse -= size;
    this.#pooled += size;
    const list = this.#free.get(size);
    if (list) list.push(buffer);
    else this.#free.set(size, [buffer]);
    if (this.#pooled > Math.max(KEEP_POOLED, this.#inUse)) this.trim();
  }

  /**
   * The JavaScript collector does not see GPU bytes, so tensors nobody holds any more could pile up. When much was handed out since the
   * last time, allocate and drop some untouched memory that the collector does count: it runs, and finalizers bring the buffers back.
   */
  #nudgeCollector(size: number): void {
    this.#sinceNudge += size;
    if (this.#sinceNudge < Math.max(NUDGE_BYTES, this.#inUse / 4)) return;
    this.#sinceNudge = 0;
    for (let i = 0; i < 4; i++) new ArrayBuffer(NUDGE_BYTES);
  }
}

const NUDGE_BYTES = 64 << 20;
const KEEP_POOLED = 256 << 20;

/** Sizes in steps of an eighth of a power of two: few classes, at most 1/8 wasted; exact near the limit, where 1/8 more would not fit. */
function sizeClass(bytes: number, limit: number): number {
  if (bytes <= 2048) return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
  const step = 2 ** (Math.floor(Math.log2(bytes)) - 3);
  const size = Math.ceil(bytes / step) * step;
  return size <= limit ? size : bytes;
}
