import { apply } from "../autograd/apply.ts";
import type { Op } from "../autograd/node.ts";
import type { Launch } from "../device/device.ts";
import { kernel } from "../device/kernel.ts";
import { collapse, eight, normalizeAxis, sizeOf } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { empty } from "./copy.ts";
import { expectFloat } from "./reduce/fold.ts";
import { rowForm, rowGroups } from "./rows.ts";

/** Launches a kernel of `shaders/softmax.wgsl` along an axis; `input` is any view, `result` dense and of its shape. */
function launch(entry: string, about: { axis: number; log: boolean; input: Tensor; result: Tensor; bindings: Launch["bindings"] }): void {
  const { axis, input, result } = about;
  const others = <T>(list: readonly T[]): T[] => list.filter((_, i) => i !== axis);
  const { shape, strides } = collapse(others(input.shape), [others(input.strides), others(result.strides)]);
  const rows = sizeOf(shape);
  const length = input.shape[axis]!;
  const inputStep = input.strides[axis]!;
  // Where neighbouring rows lie closer together than neighbours in a row, an invocation a row reads in order.
  const interleaved = inputStep > (strides[0]!.at(-1) ?? Number.POSITIVE_INFINITY);
  const form = interleaved ? { FORM: 0, LANES: 1, WORKGROUP: 64 } : rowForm(input.device, { rows, length });
  input.device.run(kernel("softmax", entry, { ...form, LOG: about.log }), {
    bindings: about.bindings,
    params: {
      rows,
      length,
      rank: shape.length,
      inputOffset: input.offset,
      inputStep,
      step: result.strides[axis]!,
      shape: eight(shape, 1),
      inputStrides: eight(strides[0]!, 0),
      strides: eight(strides[1]!, 0),
    },
    workgroups: rowGroups(rows, form),
  });
}

function softmaxOp(name: string, log: boolean): Op<{ axis: number }> {
  return {
    name,
    check: expectFloat(name),
    forward([x], { axis }) {
      const y = empty(x!.shape, { device: x!.device });
      launch("forward", { axis, log, input: x!, result: y, bindings: { y, x: x!.whole } });
      return [y];
    },
    gradient({ outputs: [y], attributes: { axis }, gradients }) {
      const dy = gradients[0]!;
      const dx = empty(y!.shape, { device: y!.device });
      launch("backward", { axis, log, input: dy, result: dx, bindings: { dx, dy: dy.whole, saved_y: y! } });
      return [dx];
    },
  };
}

const softmaxOnce = softmaxOp("softmax", false);
const logSoftmaxOnce = softmaxOp("logSoftmax", true);

/**
 * exp(x) / Σ exp(x) along an axis, shifted by the greatest element so that nothing overflows. A row of −∞ gives NaN, as in PyTorch.
 *
 * @example
 * ```ts
 * logits.softmax({ axis: -1 }); // [B, T, V], every row adds up to 1
 * ```
 */
export function softmax(x: Tensor, options: { axis: number }): Tensor {
  return apply(softmaxOnce, [x], { axis: normalizeAxis(options.axis, x.rank) });
}

/** The logarithm of {@link softmax}, right also where the softmax underflows. */
export function logSoftmax(x: Tensor, options: { axis: number }): Tensor {
  return apply(logSoftmaxOnce, [x], { axis: normalizeAxis(options.axis, x.rank) });
}
