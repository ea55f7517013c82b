import { apply } from "../autograd/apply.ts";
import type { Op } from "../autograd/node.ts";
import { kernel } from "../device/kernel.ts";
import type { DType } from "../dtype.ts";
import { DTypeError, ShapeError } from "../errors.ts";
import { broadcastShapes, collapse, eight, format } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { empty, full } from "./copy.ts";
import { bitsOf, stretched } from "./elementwise.ts";
import { sumTo } from "./view.ts";

type Operand = Tensor | number;

/** Which of the two choices is a number; the tensors follow the condition among the inputs. */
interface Choices {
  readonly a?: number;
  readonly b?: number;
}

/** The choices as the caller gave them. */
function choicesOf(inputs: readonly Tensor[], { a, b }: Choices): [Operand, Operand] {
  return [a ?? inputs[1]!, b ?? inputs.at(-1)!];
}

const whereOp: Op<Choices> = {
  name: "where",
  check(inputs) {
    const [condition, ...choices] = inputs as [Tensor, ...Tensor[]];
    if (condition.dtype !== "bool")
      throw new DTypeError(`where: expected a condition of dtype bool but found ${condition.dtype}; compare it, as in x.gt(0)`);
    const [first, second] = choices;
    if (second && first!.dtype !== second.dtype)
      throw new DTypeError(
        `where: expected choices of one dtype but found ${first!.dtype} and ${second.dtype}; convert one with to("${first!.dtype}")`,
      );
    broadcastShapes("where", ...inputs.map((t) => t.shape));
  },
  forward(inputs, attributes) {
    const [a, b] = choicesOf(inputs, attributes);
    return [choose(inputs[0]!, a, b)];
  },
  gradient({ inputs, gradients, needs, attributes }) {
    const [condition] = inputs as [Tensor, ...Tensor[]];
    const g = gradients[0]!;
    const [a, b] = choicesOf(inputs, attributes);
    const results: (Tensor | null)[] = [null];
    if (typeof a !== "number") results.push(needs[1] ? sumTo(where(condition, g, 0), a.shape) : null);
    if (typeof b !== "number") results.push(needs.at(-1) ? sumTo(where(condition, 0, g), b.shape) : null);
    return results;
  },
};

/** Launches the kernel. At least one choice is a tensor. */
function choose(condition: Tensor, a: Operand, b: Operand): Tensor {
  const tensors = [condition, a, b].filter((x) => typeof x !== "number");
  const dtype: DType = tensors[1]!.dtype;
  const shape = broadcastShapes("where", ...tensors.map((t) => t.shape));
  const out = empty(shape, { dtype, device: condition.device });
  const defines = { A_NUMBER: typeof a === "number", B_NUMBER: typeof b === "number" };
  const number = typeof a === "number" ? bitsOf(a, dtype, "where") : typeof b === "number" ? bitsOf(b, dtype, "where") : 0;
  if (tensors.every((t) => t.isDense && t.size === out.size)) {
    out.device.run(kernel("where", "vectors", defines), {
      bindings: { out4: out, condition4: condition, ...(typeof a !== "number" && { a4: a }), ...(typeof b !== "number" && { b4: b }) },
      params: { size: out.size, number },
      workgroups: Math.ceil(out.size / 256),
    });
    return out;
  }
  const stridesOf = (x: Operand): readonly number[] => (typeof x === "number" ? shape.map(() => 0) : stretched(x, shape));
  const walk = collapse(shape, [out.strides, stridesOf(condition), stridesOf(a), stridesOf(b)]);
  const [, ofCondition, ofA, ofB] = walk.strides.map((s) => eight(s, 0));
  out.device.run(kernel("where", "elements", defines), {
    bindings: {
      out,
      condition: condition.whole,
      ...(typeof a !== "number" && { a: a.whole }),
      ...(typeof b !== "number" && { b: b.whole }),
    },
    params: {
      size: out.size,
      rank: walk.shape.length,
      number,
      shape: eight(walk.shape, 1),
      conditionOffset: condition.offset,
      conditionStrides: ofCondition!,
      aOffset: typeof a === "number" ? 0 : a.offset,
      aStrides: ofA!,
      bOffset: typeof b === "number" ? 0 : b.offset,
      bStrides: ofB!,
    },
    workgroups: Math.ceil(out.size / 64),
  });
  return out;
}

/**
 * `a` where the condition is true, else `b`; all three broadcast. What is not chosen does not matter, NaN included, and gets a gradient of 0.
 *
 * @example
 * ```ts
 * where(x.gt(0), x, 0); // relu
 * ```
 * @throws DTypeError unless the condition is bool and the choices are of one dtype.
 */
export function where(condition: Tensor, a: Operand, b: Operand): Tensor {
  if (typeof a === "number") {
    const other = typeof b === "number" ? full([], b, { device: condition.device }) : b;
    return apply(whereOp, [condition, other], { a });
  }
  return typeof b === "number" ? apply(whereOp, [condition, a], { b }) : apply(whereOp, [condition, a, b], {});
}

/** `value` where the mask is true, else `x`. The mask broadcasts to `x`. */
export function maskedFill(x: Tensor, mask: Tensor, value: number): Tensor {
  if (format(broadcastShapes("maskedFill", x.shape, mask.shape)) !== format(x.shape))
    throw new ShapeError(`maskedFill: expected a mask that broadcasts to ${format(x.shape)} but found ${format(mask.shape)}`);
  return where(mask, value, x);
}
