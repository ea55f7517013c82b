import { apply } from "../autograd/apply.ts";
import type { Op } from "../autograd/node.ts";
import type { Device } from "../device/device.ts";
import { kernel } from "../device/kernel.ts";
import { Storage } from "../device/memory.ts";
import { currentDevice } from "../device/open.ts";
import { BYTES, type DType } from "../dtype.ts";
import { AutogradError, DTypeError } from "../errors.ts";
import { checkShape, collapse, eight, format, type Shape, sizeOf, type Walk } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { expand } from "./view.ts";

/** A tensor with memory of its own and arbitrary contents: what kernels write into. While a step is captured the plan gives it memory. */
export function empty(shape: Shape, options: { dtype?: DType; device: Device }): Tensor {
  const { dtype = "f32", device } = options;
  checkShape(shape);
  const bytes = sizeOf(shape) * BYTES;
  const label = `${format(shape)} ${dtype}`;
  device.pool.checkFits(bytes, label);
  const storage = device.isRecording ? new Storage(bytes, { label }) : new Storage(bytes, { label, pool: device.pool });
  if (device.isRecording) storage.unreadable = "it is a temporary of a captured step: return it from the step to use it outside";
  return new Tensor(device, storage, { shape: [...shape], dtype });
}

/** A tensor of one value. */
export function full(shape: Shape, value: number, options: { dtype?: DType; device?: Device } = {}): Tensor {
  return fill(empty(shape, { dtype: options.dtype, device: options.device ?? currentDevice() }), value);
}

/** Sets every element in place. */
export function fill(x: Tensor, value: number | (() => number)): Tensor {
  forbidTape(x, "fill");
  const { shape, strides } = collapse(x.shape, [x.strides]);
  x.device.run(kernel("copy", "fill"), {
    bindings: { destination: x.whole },
    params: {
      size: x.size,
      rank: shape.length,
      shape: eight(shape, 1),
      destinationStrides: eight(strides[0]!, 0),
      sourceStrides: eight([], 0),
      destinationOffset: x.offset,
      sourceOffset: 0,
      value: bitsOf(value, x.dtype),
    },
    workgroups: Math.ceil(x.size / 64),
  });
  return x;
}

/** The value's 4 bytes as a u32, so that one kernel fills every dtype. */
function bitsOf(value: number | (() => number), dtype: DType): number | (() => number) {
  const words = new Uint32Array(1);
  const view = dtype === "f32" ? new Float32Array(words.buffer) : dtype === "i32" ? new Int32Array(words.buffer) : words;
  const bits = (v: number): number => {
    view[0] = dtype === "bool" ? (v ? 1 : 0) : v;
    return words[0]!;
  };
  return typeof value === "function" ? () => bits(value()) : bits(value);
}

/** Overwrites `target` in place with `source`, broadcast to its shape. */
export function copyInto(target: Tensor, source: Tensor): Tensor {
  forbidTape(target, "copyFrom");
  if (source.dtype !== target.dtype)
    throw new DTypeError(`copyFrom: expected ${target.dtype} but found ${source.dtype}; convert with to()`);
  // No buffer may be read and written by one dispatch, so within one storage the values take a detour.
  const apart = source.storage === target.storage ? clone(source.detach()) : source.detach();
  launchCopy(target, expand(apart, target.shape));
  return target;
}

function forbidTape(target: Tensor, what: string): void {
  if (target.tape)
    throw new AutogradError(`${what}: expected a tensor outside of the tape; a computed tensor's history would no longer match its values`);
}

function launchCopy(target: Tensor, source: Tensor): void {
  const walk = collapse(target.shape, [target.strides, source.strides]);
  const straight = walk.shape.length <= 1 && walk.strides.every((s) => (s[0] ?? 1) === 1) && target.isDense && source.isDense;
  if (straight) {
    target.device.run(kernel("copy", "straight"), {
      bindings: { destination4: target, source4: source },
      params: { size: target.size },
      workgroups: Math.ceil(target.size / 256),
    });
    return;
  }
  const offsets = [target.offset, source.offset];
  const unit = isOfVectors(walk, offsets) ? 4 : 1;
  const { shape, strides } = unit === 4 ? inVectors(walk) : walk;
  target.device.run(kernel("copy", unit === 4 ? "strided4" : "strided"), {
    bindings: unit === 4 ? { destination4: target.whole, source4: source.whole } : { destination: target.whole, source: source.whole },
    params: {
      size: target.size / unit,
      rank: shape.length,
      shape: eight(shape, 1),
      destinationStrides: eight(strides[0]!, 0),
      sourceStrides: eight(strides[1]!, 0),
      destinationOffset: offsets[0]! / unit,
      sourceOffset: offsets[1]! / unit,
    },
    workgroups: Math.ceil(target.size / unit / 64),
  });
}

/** Whether all operands have the last axis in whole aligned vectors of four neighbours. */
function isOfVectors({ shape, strides }: Walk, offsets: readonly number[]): boolean {
  const last = shape.length - 1;
  return (
    last >= 0 &&
    shape[last]! % 4 === 0 &&
    offsets.every((offset) => offset % 4 === 0) &&
    strides.every((list) => list.every((s, i) => (i === last ? s === 1 : s % 4 === 0)))
  );
}

/** The same walk with a vector as the unit. */
function inVectors({ shape, strides }: Walk): Walk {
  const last = shape.length - 1;
  return {
    shape: shape.map((n, i) => (i === last ? n / 4 : n)),
    strides: strides.map((list) => list.map((s, i) => (i === last ? s : s / 4))),
  };
}

/** Copies to fresh row-major memory; the gradient passes straight through. */
const cloneOp: Op = {
  name: "clone",
  forward([x]) {
    const out = empty(x!.shape, { dtype: x!.dtype, device: x!.device });
    launchCopy(out, x!);
    return [out];
  },
  gradient: ({ gradients }) => [gradients[0]!],
};

/** A copy with memory of its own. */
export function clone(x: Tensor): Tensor {
  return apply(cloneOp, [x], {});
}

/** `x` if it is contiguous, else a contiguous copy. */
export function contiguous(x: Tensor): Tensor {
  return x.isContiguous ? x : clone(x);
}

/** `x` if a kernel can be bound straight to it, else a copy that can. For use inside `forward`, where nothing is taped. */
export function dense(x: Tensor): Tensor {
  if (x.isDense) return x;
  const out = empty(x.shape, { dtype: x.dtype, device: x.device });
  launchCopy(out, x);
  return out;
}
