import type { MatmulCase } from "../cases.ts";
import { uniformValues } from "./values.ts";

/** The factors of a product, `[m, k]` and `[k, n]`. */
export function matmulInputs({ m, k, n }: MatmulCase): { a: Float32Array<ArrayBuffer>; b: Float32Array<ArrayBuffer> } {
  return { a: uniformValues({ shape: [m, k], spread: 1 }, 0), b: uniformValues({ shape: [k, n], spread: 1 }, 1) };
}
