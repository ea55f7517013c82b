import type { Device, Tensor } from "../../mod.ts";
import { dotBound, type Nd, oracle, seededValues } from "../../testing/float64.ts";
import { adjointness, agreement, type KernelCase, type KernelCheck, upload } from "./kernel_check.ts";

/** A product `[.., m, k] · [.., k, n]`, of operands that lie transposed in memory where `a` or `b` says so. */
interface Product {
  readonly a: readonly number[];
  readonly b: readonly number[];
  readonly transposed?: "a" | "b";
}

const products: readonly Product[] = [
  { a: [33, 70], b: [70, 65] }, // a little more than a tile
  { a: [33, 70], b: [70, 65], transposed: "a" },
  { a: [33, 70], b: [70, 65], transposed: "b" },
  { a: [8, 1100], b: [1100, 12] }, // long and thin: split along k
  { a: [2, 3, 17, 20], b: [3, 20, 9] }, // batches that broadcast
  { a: [160, 256], b: [256, 192] },
  { a: [4096, 12], b: [12, 1024] }, // large enough for the largest tiles
];

function productCase({ a, b, transposed }: Product, seed: number): KernelCase {
  const [left, right] = [seededValues(seed, a), seededValues(seed + 1, b)];
  const laid =
    (x: Nd, side: "a" | "b") =>
    (device: Device): Tensor =>
      transposed === side ? upload(oracle.transpose(x, -1, -2), device).transpose(-1, -2) : upload(x, device);
  const [layLeft, layRight] = [laid(left, "a"), laid(right, "b")];
  return agreement({
    launch: (device) => layLeft(device).matmul(layRight(device)),
    exact: () => oracle.matmul(left, right),
    bound: () => dotBound(a.at(-1)!, oracle.matmul(oracle.abs(left), oracle.abs(right))),
  });
}

/** Matrix products: odd sizes, transposed, batched, split, and their gradients. */
export const matmulCheck: KernelCheck = {
  id: "matmul",
  name: "matmul",
  cases: [
    ...products.map((product, i) => productCase(product, 10 * i)),
    adjointness({
      inputs: [seededValues(80, [21, 34]), seededValues(81, [34, 20])],
      forward: (a, b) => a!.matmul(b!),
      formula: (a, b) => oracle.matmul(a!, b!),
    }),
  ],
};
