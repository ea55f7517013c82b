import { apply } from "../autograd/apply.ts";
import type { Op } from "../autograd/node.ts";
import { kernel } from "../device/kernel.ts";
import { DTypeError, ShapeError } from "../errors.ts";
import { collapse, eight, format, normalizeAxes, normalizeAxis } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { copyInto, empty, full } from "./copy.ts";
import { narrow, slice, split, unsqueeze } from "./view.ts";

// ---- cat and stack ----

const catOp: Op<{ axis: number }> = {
  name: "cat",
  check([first, ...rest], { axis }) {
    for (const x of rest) {
      if (x.dtype !== first!.dtype)
        throw new DTypeError(
          `cat: expected tensors of one dtype but found ${first!.dtype} and ${x.dtype}; convert with to("${first!.dtype}")`,
        );
      if (x.rank !== first!.rank || x.shape.some((n, i) => i !== axis && n !== first!.shape[i]))
        throw new ShapeError(
          `cat: expected shapes that differ on axis ${axis} only but found ${format(first!.shape)} and ${format(x.shape)}`,
        );
    }
  },
  forward(inputs, { axis }) {
    const [first] = inputs as [Tensor];
    const total = inputs.reduce((sum, x) => sum + x.shape[axis]!, 0);
    const shape = first.shape.map((n, i) => (i === axis ? total : n));
    const out = empty(shape, { dtype: first.dtype, device: first.device });
    let start = 0;
    for (const x of inputs) {
      const length = x.shape[axis]!;
      copyInto(narrow(out, axis, { start, length }), x);
      start += length;
    }
    return [out];
  },
  gradient: ({ inputs, gradients, attributes: { axis } }) =>
    split(
      gradients[0]!,
      inputs.map((x) => x.shape[axis]!),
      axis,
    ),
};

/**
 * Tensors end to end along an axis, on which alone their shapes may differ.
 *
 * @example
 * ```ts
 * cat([zeros([2, 3]), ones([2, 1])], { axis: 1 }); // [2, 4]
 * ```
 * @throws ShapeError if the other axes differ or there are no tensors, DTypeError if the dtypes do.
 */
export function cat(tensors: readonly Tensor[], options: { axis?: number } = {}): Tensor {
  const [first] = tensors;
  if (!first) throw new ShapeError("cat: expected at least one tensor but found none");
  if (first.rank === 0) throw new ShapeError("cat: expected tensors with an axis but found shape []; use stack()");
  return apply(catOp, tensors, { axis: normalizeAxis(options.axis ?? 0, first.rank) });
}

/**
 * Tensors of one shape side by side along a new axis.
 *
 * @throws ShapeError if the shapes differ or there are no tensors.
 */
export function stack(tensors: readonly Tensor[], options: { axis?: number } = {}): Tensor {
  const [first] = tensors;
  if (!first) throw new ShapeError("stack: expected at least one tensor but found none");
  for (const x of tensors) {
    if (format(x.shape) !== format(first.shape))
      throw new ShapeError(`stack: expected tensors of one shape but found ${format(first.shape)} and ${format(x.shape)}`);
  }
  const axis = normalizeAxis(options.axis ?? 0, first.rank + 1);
  return cat(
    tensors.map((x) => unsqueeze(x, axis)),
    { axis },
  );
}

// ---- pad ----

/** Elements to put before and after, one pair per axis from the front; missing axes get none. */
export type Padding = readonly (readonly [before: number, after: number])[];

/** Options of {@link pad}. */
export interface PadOptions {
  readonly padding: Padding;
  /** What to put there. Default 0. */
  readonly value?: number;
}

const padOp: Op<{ padding: Padding; value: number }> = {
  name: "pad",
  check([x], { padding }) {
    if (padding.length > x!.rank)
      throw new ShapeError(`pad: expected at most ${x!.rank} pairs for ${format(x!.shape)} but found ${padding.length}`);
    for (const n of padding.flat())
      if (!Number.isInteger(n) || n < 0) throw new ShapeError(`pad: expected whole numbers ≥ 0 but found ${n}; use slice() to cut`);
  },
  forward([x], { padding, value }) {
    const shape = x!.shape.map((n, i) => n + (padding[i]?.[0] ?? 0) + (padding[i]?.[1] ?? 0));
    const out = full(shape, value, { dtype: x!.dtype, device: x!.device });
    copyInto(slice(out, inner(x!, padding)), x!);
    return [out];
  },
  gradient: ({ inputs, gradients, attributes }) => [slice(gradients[0]!, inner(inputs[0]!, attributes.padding))],
};

/** Where the original lies in the padded tensor. */
function inner(x: Tensor, padding: Padding): [number, number][] {
  return x.shape.map((n, i) => {
    const before = padding[i]?.[0] ?? 0;
    return [before, before + n];
  });
}

/**
 * `x` with elements of one value around it.
 *
 * @example
 * ```ts
 * pad(x, { padding: [[0, 3], [1, 2]] }); // [4, 5] becomes [7, 8]
 * pad(x, [[0, 3]]);                      // zeros after the first axis
 * ```
 * @throws ShapeError for negative padding, or more pairs than axes.
 */
export function pad(x: Tensor, options: PadOptions | Padding): Tensor {
  const { padding, value = 0 } = "padding" in options ? options : { padding: options };
  return apply(padOp, [x], { padding, value });
}

// ---- flip ----

const flipOp: Op<{ axes: readonly number[] }> = {
  name: "flip",
  forward([x], { axes }) {
    const out = empty(x!.shape, { dtype: x!.dtype, device: x!.device });
    // The copy kernel walks backwards by a negative stride: its u32 arithmetic wraps around to the right place.
    const backwards = x!.strides.map((s, i) => (axes.includes(i) ? -s : s));
    const sourceOffset = axes.reduce((place, a) => place + (x!.shape[a]! - 1) * x!.strides[a]!, x!.offset);
    const { shape, strides } = collapse(x!.shape, [out.strides, backwards]);
    out.device.run(kernel("copy", "strided"), {
      bindings: { destination: out.whole, source: x!.whole },
      params: {
        size: out.size,
        rank: shape.length,
        shape: eight(shape, 1),
        destinationStrides: eight(strides[0]!, 0),
        sourceStrides: eight(strides[1]!, 0),
        destinationOffset: out.offset,
        sourceOffset,
      },
      workgroups: Math.ceil(out.size / 64),
    });
    return [out];
  },
  gradient: ({ gradients, attributes }) => [apply(flipOp, [gradients[0]!], attributes)],
};

/** The elements in reverse order along the given axes. */
export function flip(x: Tensor, options: { axis: number | readonly number[] }): Tensor {
  return apply(flipOp, [x], { axes: normalizeAxes(options.axis, x.rank) });
}
