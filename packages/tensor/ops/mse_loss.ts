import { apply } from "../autograd/apply.ts";
import type { Op } from "../autograd/node.ts";
import { kernel } from "../device/kernel.ts";
import { DTypeError } from "../errors.ts";
import { broadcastShapes } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { dense, empty } from "./copy.ts";
import type { Reduction } from "./cross_entropy.ts";
import { COMBINE, fold } from "./reduce/fold.ts";
import { expand } from "./view.ts";

/** Options of {@link mseLoss}. */
export interface MseLossOptions {
  /** Default `"mean"`. */
  readonly reduction?: Reduction;
}

/** Most steps of four elements that one invocation adds up by itself. */
const LONGEST_PART = 64;

const mseLossOp: Op<Required<MseLossOptions>> = {
  name: "mseLoss",
  check([a, b]) {
    if (a!.dtype !== "f32" || b!.dtype !== "f32")
      throw new DTypeError(`mseLoss: expected f32 tensors but found ${a!.dtype} and ${b!.dtype}`);
  },

  forward([a, b], { reduction }) {
    const { size, device } = a!;
    const bindings = { a: dense(a!), b: dense(b!) };
    if (reduction === "none") {
      const loss = empty(a!.shape, { device });
      device.run(kernel("mse_loss", "elements"), { bindings: { ...bindings, loss }, params: { size }, workgroups: Math.ceil(size / 256) });
      return [loss];
    }
    const steps = Math.ceil(size / 4);
    const busy = device.isSoftware ? 2048 : 65_536; // invocations that keep the adapter busy
    const parts = Math.max(Math.min(steps, busy), Math.ceil(steps / LONGEST_PART));
    const part = empty([parts], { device });
    device.run(kernel("mse_loss", "parts"), {
      bindings: { ...bindings, part },
      params: { size, parts },
      workgroups: Math.ceil(parts / 64),
    });
    const scale = reduction === "mean" ? 1 / size : 1;
    return [fold(part, { kept: [], reduced: [0], shape: [], length: parts }, { combine: COMBINE.add, scale })];
  },

  gradient({ inputs: [a, b], attributes: { reduction }, gradients, needs }) {
    const { size, device } = a!;
    const slope = dense(gradients[0]!);
    const perElement = reduction === "none";
    /** 2 · (from − to) · slope. */
    const towards = (from: Tensor, to: Tensor): Tensor => {
      const da = empty(from.shape, { device });
      device.run(kernel("mse_loss", "backward", { PER_ELEMENT: perElement }), {
        bindings: { da, a: dense(from), b: dense(to), ...(perElement ? { slope4: slope } : { slope }) },
        params: { size, scale: reduction === "mean" ? 2 / size : 2 },
        workgroups: Math.ceil(size / 256),
      });
      return da;
    };
    return [needs[0] ? towards(a!, b!) : null, needs[1] ? towards(b!, a!) : null];
  },
};

/**
 * Mean of (a − b)², PyTorch's `mse_loss`. Shapes broadcast; the difference is never stored.
 *
 * @example
 * ```ts
 * const loss = mseLoss(sae.decode(features), activations); // [N, D], [N, D] → []
 * ```
 */
export function mseLoss(a: Tensor, b: Tensor, options: MseLossOptions = {}): Tensor {
  const shape = broadcastShapes("mseLoss", a.shape, b.shape);
  return apply(mseLossOp, [expand(a, shape), expand(b, shape)], { reduction: "mean", ...options });
}
