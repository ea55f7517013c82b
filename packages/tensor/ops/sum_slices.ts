import type { Range } from "../device/command.ts";
import type { Device } from "../device/device.ts";
import { kernel } from "../device/kernel.ts";
import { ALIGNMENT } from "../device/memory.ts";
import { BYTES } from "../dtype.ts";
import { Tensor } from "../tensor.ts";
import { empty } from "./copy.ts";

/** Two results side by side in slices of partial sums, such as those of a weight's gradient and its bias's. */
export interface SlicePair {
  /** Elements of the first. */
  readonly first: number;
  /** Elements of the second, which may be 0. */
  readonly second: number;
}

/** Where a pair lies in a slice: the second begins where a kernel, or an optimizer's arena, can be bound to. */
export function pairLayout({ first, second }: SlicePair): { readonly secondAt: number; readonly slice: number } {
  const step = ALIGNMENT / BYTES;
  const secondAt = Math.ceil(first / step) * step;
  return { secondAt, slice: second > 0 ? secondAt + second : first };
}

/** Partial sums, `splits` slices one after another. */
interface Slices {
  readonly partials: Range;
  readonly pair: SlicePair;
  readonly splits: number;
  /** Elements from one slice to the next, if that is more than they take. */
  readonly apart?: number;
  readonly device: Device;
}

/**
 * Adds up what workgroups left of sums that they shared, into `out`, which lies as a slice does. The order of the sums is that of the splits,
 * whoever adds them up: a captured step does it for all gradients at once (capture/merge_sums.ts).
 */
export function sumInto(out: Range, { partials, pair, splits, apart, device }: Slices): void {
  const { secondAt, slice } = pairLayout(pair);
  device.run(kernel("sum_slices", "main"), {
    bindings: { partials, out },
    params: { first: pair.first, second: secondAt, secondCount: pair.second, slice: apart ?? slice, splits },
    workgroups: Math.ceil((pair.first + pair.second) / 64),
  });
}

/** Partials `[splits, slice]` → the slice's two parts, flat, `[first]` and `[second]`. Without a launch if there is one slice only. */
export function sumSlices(partials: Tensor, { pair, splits, ...rest }: Pick<Slices, "pair" | "splits" | "apart">): [Tensor, Tensor] {
  const { device } = partials;
  const { secondAt, slice } = pairLayout(pair);
  let { storage } = partials;
  if (splits > 1) {
    const out = empty([slice], { device });
    sumInto(out.range, { partials: partials.range, pair, splits, ...rest, device });
    storage = out.storage;
  }
  return [
    new Tensor(device, storage, { shape: [pair.first], dtype: "f32" }),
    new Tensor(device, storage, { shape: [pair.second], offset: pair.second > 0 ? secondAt : 0, dtype: "f32" }),
  ];
}
