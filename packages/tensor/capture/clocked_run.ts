import type { Device } from "../device/device.ts";
import { CaptureError } from "../errors.ts";
import type { Program } from "./program.ts";

const QUERY_RESOLVE = 0x200;
const COPY_SRC = 0x04;
const COPY_DST = 0x08;
const MAP_READ = 0x01;

/** Whether launches can be timed on a device: it needs the feature `timestamp-query`. */
export function canTime(device: Device): boolean {
  return device.gpu.features.has("timestamp-query");
}

/** From when to when something ran, in milliseconds of the GPU's clock, which starts anywhere. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** One run of a captured step with the GPU's clock read around the whole of it, or around each launch, which then has a pass of its own. */
export class ClockedRun {
  readonly program: Program;
  readonly #device: Device;
  readonly #each: "step" | "launch";
  readonly #clock: GPUQuerySet;
  readonly #bytes: number;
  readonly #resolved: GPUBuffer;
  readonly #staging: GPUBuffer;

  /** @throws CaptureError where the adapter has no clock. */
  constructor(device: Device, program: Program, { each }: { readonly each: "step" | "launch" }) {
    if (!canTime(device)) throw new CaptureError(`Expected an adapter with timestamp-query but found none on ${device.name}`);
    this.program = program;
    this.#device = device;
    this.#each = each;
    const count = each === "step" ? 2 : 2 * program.dispatches;
    this.#bytes = 8 * count;
    this.#clock = device.gpu.createQuerySet({ type: "timestamp", count });
    this.#resolved = device.createBuffer(this.#bytes, QUERY_RESOLVE | COPY_SRC);
    this.#staging = device.createBuffer(this.#bytes, MAP_READ | COPY_DST);
  }

  /** Encodes the run, and the way of its times back. */
  encode(encoder: GPUCommandEncoder): void {
    if (this.#each === "step") this.program.encode(encoder, this.#clock);
    else this.program.encodeTimed(encoder, this.#clock);
    encoder.resolveQuerySet(this.#clock, 0, this.#bytes / 8, this.#resolved, 0);
    encoder.copyBufferToBuffer(this.#resolved, 0, this.#staging, 0, this.#bytes);
  }

  /** The step's span, or its launches' in order, once the run is submitted. Frees everything. */
  async read(): Promise<Span[]> {
    try {
      await this.#device.readStaging(this.#staging, this.#bytes);
      const ticks = new BigUint64Array(this.#staging.getMappedRange()); // nanoseconds
      return Array.from({ length: ticks.length / 2 }, (_, i) => {
        const [start, end] = [Number(ticks[2 * i]!) / 1e6, Number(ticks[2 * i + 1]!) / 1e6];
        return { start, end: Math.max(start, end) };
      });
    } finally {
      this.destroy();
    }
  }

  destroy(): void {
    this.#clock.destroy();
    this.#resolved.destroy();
    this.#staging.destroy();
  }
}
