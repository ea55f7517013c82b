import type { Device } from "./device/device.ts";
import { Storage } from "./device/memory.ts";
import { currentDevice } from "./device/open.ts";
import { BYTES, type DType, toElements } from "./dtype.ts";
import { ShapeError } from "./errors.ts";
import type { HostTensor } from "./io/host_tensor.ts";
import { full } from "./ops/copy.ts";
import { checkShape, format, type Shape, sizeOf } from "./shape.ts";
import { Tensor } from "./tensor.ts";

/** Options of the functions that make tensors. */
export interface CreateOptions {
  readonly dtype?: DType;
  /** Default: the device opened last. */
  readonly device?: Device;
  /** Ask for a gradient: makes the tensor a leaf that `backward` fills in. */
  readonly requiresGrad?: boolean;
}

/** Numbers in nested arrays. */
export type Nested = number | boolean | readonly Nested[];

/**
 * A tensor from host values: a typed array (its dtype is kept), nested arrays, or a number.
 *
 * @example
 * ```ts
 * const x = tensor([[1, 2], [3, 4]]);              // [2, 2] f32
 * const tokens = tensor(new Int32Array(6), { shape: [2, 3] });
 * ```
 * @throws ShapeError if the number of values is not the shape's.
 */
export function tensor(
  data: Nested | Float32Array | Int32Array | Uint32Array | Uint8Array,
  options: CreateOptions & { readonly shape?: Shape } = {},
): Tensor {
  const flat = ArrayBuffer.isView(data) ? data : flatten(data);
  const shape = options.shape ?? (ArrayBuffer.isView(data) ? [data.length] : shapeOf(data));
  const dtype = options.dtype ?? dtypeOf(data);
  checkShape(shape);
  if (flat.length !== sizeOf(shape))
    throw new ShapeError(`tensor: expected ${sizeOf(shape)} values for shape ${format(shape)} but found ${flat.length}`);
  const device = options.device ?? currentDevice();
  // Real memory even while a step is captured: host values are constants of the step.
  const storage = new Storage(flat.length * BYTES, { label: `${format(shape)} ${dtype}`, pool: device.pool });
  device.upload(storage, toElements(flat, dtype));
  const result = new Tensor(device, storage, { shape: [...shape], dtype });
  if (options.requiresGrad) result.requiresGrad = true;
  return result;
}

/** A tensor from what `readSafetensors` gives. */
export function fromHost(host: HostTensor, options: CreateOptions = {}): Tensor {
  return tensor(host.data, { shape: host.shape, dtype: host.dtype, ...options });
}

/** All zeros. */
export function zeros(shape: Shape, options: CreateOptions = {}): Tensor {
  return leaf(full(shape, 0, options), options);
}

/** All ones. */
export function ones(shape: Shape, options: CreateOptions = {}): Tensor {
  return leaf(full(shape, 1, options), options);
}

/**
 * `start`, `start + step`, … up to but not including `end`. Integers give i32 unless a dtype is asked for.
 * @throws ShapeError for a range that never ends.
 */
export function arange(range: { start?: number; end: number; step?: number }, options: CreateOptions = {}): Tensor {
  const { start = 0, end, step = 1 } = range;
  const count = Math.max(0, Math.ceil((end - start) / step));
  if (!Number.isSafeInteger(count)) throw new ShapeError(`arange: expected a range that ends but found ${start} to ${end} by ${step}`);
  const values = Array.from({ length: count }, (_, i) => start + i * step);
  return tensor(values, { dtype: values.every(Number.isInteger) ? "i32" : "f32", ...options, shape: [count] });
}

function leaf(result: Tensor, options: CreateOptions): Tensor {
  if (options.requiresGrad) result.requiresGrad = true;
  return result;
}

function dtypeOf(data: unknown): DType {
  if (data instanceof Int32Array) return "i32";
  if (data instanceof Uint32Array) return "u32";
  if (data instanceof Uint8Array) return "bool";
  let first = data;
  while (Array.isArray(first)) first = first[0];
  return typeof first === "boolean" ? "bool" : "f32";
}

function flatten(data: Nested): number[] {
  return typeof data === "object" ? data.flatMap(flatten) : [Number(data)];
}

function shapeOf(data: Nested): number[] {
  if (typeof data !== "object") return [];
  const inner = data.length ? shapeOf(data[0]!) : [];
  for (const part of data) {
    if (format(shapeOf(part)) !== format(inner))
      throw new ShapeError("tensor: expected nested arrays of equal lengths but found ragged ones");
  }
  return [data.length, ...inner];
}
