/** What a {@link BufferLedger} knows, in buffers and bytes. */
export interface LedgerStats {
  readonly buffersCreated: number;
  /** Of all buffers created, those since destroyed included. */
  readonly bytesCreated: number;
  /** Of the buffers that exist now: tensors', those kept for later ones, captured steps', staging. */
  readonly bytesHeld: number;
}

/** Makes and destroys all buffers of a device, and counts those that exist: neither destroyed nor collected with whoever held them. */
export class BufferLedger {
  readonly #gpu: GPUDevice;
  readonly #held = new WeakSet<GPUBuffer>();
  readonly #collected = new FinalizationRegistry<number>((size) => {
    this.#bytesHeld -= size;
  });
  #created = 0;
  #bytesCreated = 0;
  #bytesHeld = 0;

  constructor(gpu: GPUDevice) {
    this.#gpu = gpu;
  }

  stats(): LedgerStats {
    return { buffersCreated: this.#created, bytesCreated: this.#bytesCreated, bytesHeld: this.#bytesHeld };
  }

  create(size: number, usage: number): GPUBuffer {
    const buffer = this.#gpu.createBuffer({ size, usage });
    this.#held.add(buffer);
    this.#collected.register(buffer, size, buffer);
    this.#created++;
    this.#bytesCreated += size;
    this.#bytesHeld += size;
    return buffer;
  }

  /** A buffer full of NaNs (of -1 to those who read integers): what is never written to it shows. */
  createPoisoned(size: number, usage: number): GPUBuffer {
    const buffer = this.create(size, usage);
    this.#gpu.queue.writeBuffer(buffer, 0, new Uint8Array(size).fill(0xff));
    return buffer;
  }

  /** Frees a buffer's memory; once is enough. */
  destroy(buffer: GPUBuffer): void {
    buffer.destroy();
    if (!this.#held.delete(buffer)) return;
    this.#collected.unregister(buffer);
    this.#bytesHeld -= buffer.size;
  }
}
