import { type Device, randn } from "../../mod.ts";
import { shortestTime } from "./timing.ts";

/** How fast a product of matrices is. */
export interface MatmulSpeed {
  /** `512³`, or `m×k×n`. */
  readonly shape: string;
  readonly milliseconds: number;
  /** 10⁹ multiplications and additions a second: 2 m k n a product. */
  readonly gigaflops: number;
  /** Arithmetic for each byte that has to be moved at least. */
  readonly flopsPerByte: number;
}

type Shape = readonly [m: number, k: number, n: number];

const cube = (size: number): Shape => [size, size, size];
/** What the preset tiny multiplies most: its tokens through the first half of an MLP. */
const inTiny: Shape = [2048, 64, 256];
const ofSoftware: readonly Shape[] = [inTiny, cube(128), cube(256), cube(512)];
const ofHardware: readonly Shape[] = [inTiny, cube(512), cube(1024), cube(2048), cube(4096)];
/** Longest product worth waiting for, in milliseconds. */
const PATIENCE = 300;

/** Times matrix products, from small ones to what still takes no patience. */
export async function measureMatmul(device: Device, progress: (text: string) => void): Promise<MatmulSpeed[]> {
  const results: MatmulSpeed[] = [];
  for (const [m, k, n] of device.isSoftware ? ofSoftware : ofHardware) {
    const flops = 2 * m * k * n;
    const last = results.at(-1);
    if (last && flops / last.gigaflops / 1e6 > PATIENCE) break;
    const shape = m === k && k === n ? `${m}³` : `${m}×${k}×${n}`;
    progress(`timing matrix products: ${shape}`);
    const [a, b] = [randn([m, k], { device }), randn([k, n], { device })];
    const milliseconds = await shortestTime(device, { launch: () => a.matmul(b).storage.release(), budget: 250 });
    results.push({ shape, milliseconds, gigaflops: flops / milliseconds / 1e6, flopsPerByte: flops / (4 * (m * k + k * n + m * n)) });
    for (const tensor of [a, b]) tensor.storage.release();
  }
  return results;
}
