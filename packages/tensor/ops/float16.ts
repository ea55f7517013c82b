import { apply } from "../autograd/apply.ts";
import type { Op } from "../autograd/node.ts";
import { kernel } from "../device/kernel.ts";
import { ShapeError } from "../errors.ts";
import { format } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { dense, empty } from "./copy.ts";
import { expectDType } from "./elementwise.ts";

const packOp: Op<object> = {
  name: "packFloat16",
  check([x]) {
    expectDType("packFloat16", x!, ["f32"]);
    if (!x!.rank || x!.shape.at(-1)! % 2)
      throw new ShapeError(`packFloat16: expected a last axis of even length but found ${format(x!.shape)}`);
  },
  forward([x]) {
    const words = empty([...x!.shape.slice(0, -1), x!.shape.at(-1)! / 2], { dtype: "u32", device: x!.device });
    x!.device.run(kernel("float16", "pack"), {
      bindings: { x: dense(x!), words },
      params: { words: words.size },
      workgroups: Math.ceil(words.size / 64),
    });
    return [words];
  },
  gradient: null,
};

const unpackOp: Op<object> = {
  name: "unpackFloat16",
  check([packed]) {
    expectDType("unpackFloat16", packed!, ["u32"]);
    if (!packed!.rank) throw new ShapeError("unpackFloat16: expected at least one axis but found []");
  },
  forward([packed]) {
    const y = empty([...packed!.shape.slice(0, -1), 2 * packed!.shape.at(-1)!], { device: packed!.device });
    packed!.device.run(kernel("float16", "unpack"), {
      bindings: { packed: dense(packed!), y },
      params: { words: packed!.size },
      workgroups: Math.ceil(packed!.size / 64),
    });
    return [y];
  },
  gradient: null,
};

/**
 * Packs f32 `[.., D]` as IEEE 754 binary16, two in a u32 `[.., D / 2]`: half the memory, 11 bits of precision, at most 65,504. Rounds to the
 * nearest, ties to even, with the same bits on every adapter; needs no feature of it. No gradient.
 *
 * @example
 * ```ts
 * const stored = packFloat16(activations); // [N, 64] f32 → [N, 32] u32
 * const batch = unpackFloat16(stored.indexSelect(rows, { axis: 0 })); // [B, 64] f32
 * ```
 * @throws ShapeError if D is odd.
 */
export function packFloat16(x: Tensor): Tensor {
  return apply(packOp, [x], {});
}

/** What {@link packFloat16} packed, `[.., D / 2]` u32 → `[.., D]` f32, exactly. */
export function unpackFloat16(packed: Tensor): Tensor {
  return apply(unpackOp, [packed], {});
}
