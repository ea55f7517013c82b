import { apply } from "../autograd/apply.ts";
import type { GradientContext, Op } from "../autograd/node.ts";
import { kernel } from "../device/kernel.ts";
import type { DType } from "../dtype.ts";
import { DTypeError } from "../errors.ts";
import { broadcastShapes, collapse, eight, type Shape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { dense, empty } from "./copy.ts";

/**
 * What the ops on single elements share: how `unary.wgsl` and `binary.wgsl` are launched. Which function a kernel computes is a template
 * parameter, so each function and layout is one pipeline for all shapes.
 */

/** The sign bit where a dtype's order is signed: kernels compare integers as unsigned ones after flipping it. */
const signBit = (dtype: DType): number => (dtype === "i32" ? 0x80000000 : 0);

/** The four bytes of a number in a dtype. @throws DTypeError for a fraction where integers are wanted. */
export function bitsOf(value: number, dtype: DType, op: string): number {
  if (dtype !== "f32" && !Number.isInteger(value))
    throw new DTypeError(`${op}: expected an integer to go with ${dtype} but found ${value}; convert the tensor with to("f32")`);
  const words = new Uint32Array(1);
  if (dtype === "f32") new Float32Array(words.buffer)[0] = value;
  else words[0] = value;
  return words[0]!;
}

/** Throws DTypeError unless a tensor's dtype is among those an op takes. */
export function expectDType(op: string, x: Tensor, allowed: readonly DType[]): void {
  if (!allowed.includes(x.dtype))
    throw new DTypeError(`${op}: expected ${allowed.join(" or ")} but found ${x.dtype}; convert with to("${allowed[0]}")`);
}

// ---- one operand ----

/** How {@link launchUnary} computes. */
export interface UnaryLaunch {
  /** Template parameters of `unary.wgsl`. */
  readonly defines: Readonly<Record<string, boolean>>;
  /** Of the result; default: the input's. */
  readonly dtype?: DType;
  readonly limits?: { readonly low: number; readonly high: number };
}

/** Runs a function of `unary.wgsl` over a tensor of any layout. */
export function launchUnary(x: Tensor, { defines, dtype = x.dtype, limits }: UnaryLaunch): Tensor {
  const y = empty(x.shape, { dtype, device: x.device });
  const vectors = Math.ceil(x.size / 4);
  x.device.run(kernel("unary", "forward", defines), {
    bindings: { x: dense(x), y },
    params: { vectors, signBit: signBit(x.dtype), ...limits },
    workgroups: Math.ceil(vectors / 64),
  });
  return y;
}

/** Runs a gradient of `unary.wgsl`: `dy` times the slope at what the op saved, its input or its output. */
export function launchUnaryGradient(dy: Tensor, saved: Tensor, { defines, limits }: UnaryLaunch): Tensor {
  const dx = empty(dy.shape, { device: dy.device });
  const vectors = Math.ceil(dy.size / 4);
  dy.device.run(kernel("unary", "gradient", defines), {
    bindings: { dx, dy: dense(dy), saved: dense(saved) },
    params: { vectors, ...limits },
    workgroups: Math.ceil(vectors / 64),
  });
  return dx;
}

/** What tells one unary op from another. */
export interface UnaryRule {
  readonly name: string;
  /** Its template parameter. */
  readonly define: string;
  /** Default: f32 only. */
  readonly dtypes?: readonly DType[];
  /** From what the fused gradient kernel computes the slope. */
  readonly saves?: "input" | "output";
  /** A gradient made of other ops instead; null for ops without any. */
  readonly gradient?: ((context: GradientContext<object>) => (Tensor | null)[]) | null;
  /** Of the result; default: the input's. */
  readonly result?: DType;
}

/** Makes the function of a unary op. */
export function unaryOp({ name, define, dtypes = ["f32"], saves = "input", gradient, result }: UnaryRule): (x: Tensor) => Tensor {
  const op: Op<object> = {
    name,
    check: ([x]) => expectDType(name, x!, dtypes),
    forward: ([x]) => [launchUnary(x!, { defines: definesFor(define, x!.dtype), dtype: result })],
    gradient:
      gradient !== undefined
        ? gradient
        : ({ inputs, outputs, gradients }) => {
            const saved = saves === "input" ? inputs[0]! : outputs[0]!;
            return [launchUnaryGradient(gradients[0]!, saved, { defines: { [define]: true } })];
          },
  };
  return (x) => apply(op, [x], {});
}

/** Template parameters for a function on elements of a dtype. */
export function definesFor(define: string, dtype: DType): Record<string, boolean> {
  return dtype === "f32" ? { [define]: true } : { [define]: true, INTEGER: true };
}

// ---- two operands ----

/** How {@link launchBinary} computes. */
export interface BinaryLaunch {
  /** Named in errors. */
  readonly op: string;
  /** Template parameter of `binary.wgsl`. */
  readonly define: string;
  /** Of the result; default: the operands'. */
  readonly dtype?: DType;
}

/** Runs a function of `binary.wgsl` over two tensors, broadcast, or over a tensor and a number. */
export function launchBinary([a, b]: readonly [Tensor, Tensor | number], launch: BinaryLaunch): Tensor {
  const { op, define, dtype: result = a.dtype } = launch;
  const defines = definesFor(define, a.dtype);
  const common = { signBit: signBit(a.dtype) };
  if (typeof b === "number") {
    const out = empty(a.shape, { dtype: result, device: a.device });
    const vectors = Math.ceil(a.size / 4);
    a.device.run(kernel("binary", "scalar", defines), {
      bindings: { out4: out, a4: dense(a) },
      params: { ...common, vectors, value: bitsOf(b, a.dtype, op) },
      workgroups: Math.ceil(vectors / 64),
    });
    return out;
  }
  const out = empty(broadcastShapes(op, a.shape, b.shape), { dtype: result, device: a.device });
  const walk = collapse(out.shape, [out.strides, stretched(a, out.shape), stretched(b, out.shape)]);
  const [aStrides, bStrides] = [walk.strides[1]!, walk.strides[2]!];
  const inVectors = walk.shape.length <= 1 || walk.shape.at(-1)! % 4 === 0;
  const aWay = inVectors ? wayOf(a, aStrides) : undefined;
  const bWay = inVectors ? wayOf(b, bStrides) : undefined;
  const params = {
    ...common,
    size: out.size,
    vectors: Math.ceil(out.size / 4),
    rank: walk.shape.length,
    shape: eight(walk.shape, 1),
    aStrides: eight(aStrides, 0),
    bStrides: eight(bStrides, 0),
    aOffset: a.offset,
    bOffset: b.offset,
    aSplat: aWay === "splat" ? 1 : 0,
    bSplat: bWay === "splat" ? 1 : 0,
  };
  if (aWay && bWay) {
    out.device.run(kernel("binary", "vectors", defines), {
      bindings: { out4: out, a4: a.whole, b4: b.whole },
      params,
      workgroups: Math.ceil(params.vectors / 64),
    });
  } else {
    out.device.run(kernel("binary", "elements", defines), {
      bindings: { out, a: a.whole, b: b.whole },
      params,
      workgroups: Math.ceil(params.size / 64),
    });
  }
  return out;
}

/** Strides of a tensor broadcast to a shape. */
export function stretched(x: Tensor, shape: Shape): readonly number[] {
  const added = shape.length - x.rank;
  return shape.map((n, i) => (i < added || (x.shape[i - added] === 1 && n !== 1) ? 0 : x.strides[i - added]!));
}

/** How an operand gives four neighbours at once: as one aligned vector, or as one element four times; undefined where it cannot. */
function wayOf(x: Tensor, strides: readonly number[]): "vector" | "splat" | undefined {
  const last = strides.at(-1) ?? 1;
  if (last === 0) return "splat";
  return last === 1 && x.offset % 4 === 0 && strides.every((s, i) => i === strides.length - 1 || s % 4 === 0) ? "vector" : undefined;
}
