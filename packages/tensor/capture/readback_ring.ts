import type { Range } from "../device/command.ts";
import type { Device } from "../device/device.ts";
import { DeviceError } from "../errors.ts";

const MAP_READ = 0x01;
const COPY_DST = 0x08;

interface Entry {
  readonly staging: GPUBuffer;
  /** Counts the entry's uses, so that a late reader sees that its run's values are gone. */
  use: number;
  reading: Promise<ArrayBuffer> | undefined;
}

/**
 * Staging buffers for a step's small results: every run copies them out in its own submit, so a loss can be read a few runs later without
 * holding up the GPU and without creating anything.
 */
export class ReadbackRing {
  readonly #device: Device;
  readonly #entries: Entry[];
  readonly #bytes: number;
  #next = 0;

  constructor(device: Device, options: { bytes: number; depth: number }) {
    this.#device = device;
    this.#bytes = Math.max(4, options.bytes);
    this.#entries = Array.from({ length: options.depth }, () => ({
      staging: device.createBuffer(this.#bytes, MAP_READ | COPY_DST),
      use: 0,
      reading: undefined,
    }));
  }

  /** The next entry's buffer to copy into, once nobody is reading it; `read` gives this run's bytes, later. */
  async take(): Promise<{ staging: GPUBuffer; read: () => Promise<ArrayBuffer> }> {
    const entry = this.#entries[this.#next]!;
    this.#next = (this.#next + 1) % this.#entries.length;
    await entry.reading;
    entry.reading = undefined;
    const use = ++entry.use;
    return { staging: entry.staging, read: () => this.#read(entry, use) };
  }

  /** Of all its buffers. */
  get bytes(): number {
    return this.#bytes * this.#entries.length;
  }

  destroy(): void {
    for (const entry of this.#entries) this.#device.destroyBuffer(entry.staging);
  }

  #read(entry: Entry, use: number): Promise<ArrayBuffer> {
    if (entry.use !== use) {
      throw new DeviceError(
        `Expected a result of one of the last ${this.#entries.length} runs but found an older one: read results as training goes on`,
      );
    }
    entry.reading ??= this.#map(entry);
    return entry.reading;
  }

  async #map(entry: Entry): Promise<ArrayBuffer> {
    await this.#device.readStaging(entry.staging, this.#bytes);
    const bytes = entry.staging.getMappedRange().slice(0);
    entry.staging.unmap();
    return bytes;
  }
}

/** Lays ranges out one after another; returns their places and the bytes in all. */
export function layOut(ranges: readonly Range[]): { places: number[]; bytes: number } {
  let bytes = 0;
  const places = ranges.map((r) => {
    const place = bytes;
    bytes += Math.ceil(r.bytes / 4) * 4;
    return place;
  });
  return { places, bytes };
}
