import type { Device } from "../device/device.ts";
import { CaptureError } from "../errors.ts";
import type { Program } from "./program.ts";

const QUERY_RESOLVE = 0x200;
const COPY_SRC = 0x04;
const COPY_DST = 0x08;
const MAP_READ = 0x01;

/** WebGPU's limit for a set of queries. */
const QUERIES = 4096;

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
  readonly #clocks: readonly GPUQuerySet[];
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
    this.#clocks = Array.from({ length: Math.ceil(count / QUERIES) }, (_, i) =>
      device.gpu.createQuerySet({ type: "timestamp", count: Math.min(QUERIES, count - i * QUERIES) }),
    );
    this.#resolved = device.createBuffer(this.#bytes, QUERY_RESOLVE | COPY_SRC);
    this.#staging = device.createBuffer(this.#bytes, MAP_READ | COPY_DST);
  }

  /** Encodes the run, and the way of its times back. */
  encode(encoder: GPUCommandEncoder): void {
    if (this.#each === "step") this.program.encode(encoder, this.#clocks[0]!);
    else this.program.encodeTimed(encoder, this.#clocks);
    for (const [i, clock] of this.#clocks.entries()) encoder.resolveQuerySet(clock, 0, clock.count, this.#resolved, 8 * QUERIES * i);
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
    for (const clock of this.#clocks) clock.destroy();
    this.#device.destroyBuffer(this.#resolved);
    this.#device.destroyBuffer(this.#staging);
  }
}
