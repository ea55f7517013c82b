import type { Device, LaunchCost } from "@cursive/tensor";
import { measureMatmul, measureMemory } from "@cursive/tensor/self_test";

/** What bounds every kernel on an adapter, as measured: 10⁹ a second. */
export interface Roofline {
  /** Multiplications and additions of the fastest product of matrices that was tried. */
  readonly gigaflops: number;
  /** Its shape. */
  readonly shape: string;
  /** Bytes of a copy, read and written. */
  readonly gigabytesPerSecond: number;
}

/** Measures both roofs, in a second or two. */
export async function measureRoofline(device: Device, progress: (text: string) => void): Promise<Roofline> {
  progress("timing a copy");
  const memory = await measureMemory(device);
  const products = await measureMatmul(device, progress);
  const best = products.reduce((a, b) => (b.gigaflops > a.gigaflops ? b : a));
  return { gigaflops: best.gigaflops, shape: best.shape, gigabytesPerSecond: memory.copy };
}

/** The better of two measurements: other programs can only make them worse. */
export function better(a: Roofline, b: Roofline): Roofline {
  const { gigaflops, shape } = a.gigaflops >= b.gigaflops ? a : b;
  return { gigaflops, shape, gigabytesPerSecond: Math.max(a.gigabytesPerSecond, b.gigabytesPerSecond) };
}

/**
 * The least time in milliseconds that a launch could take: its operations at the peak or its bytes at the copy's speed, whichever is longer.
 * Undefined where its bytes are not known.
 */
export function leastTime({ flops = 0, bytes }: LaunchCost, roofline: Roofline): number | undefined {
  if (bytes === undefined) return undefined;
  return Math.max(flops / roofline.gigaflops, bytes / roofline.gigabytesPerSecond) / 1e6;
}
