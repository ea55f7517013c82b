/**
 * How elements lie in files of tensors, little-endian as on every machine with WebGPU, and what they become here: floats f32, signed
 * integers i32, unsigned ones u32.
 */
import type { DType } from "../dtype.ts";
import { TensorError } from "../errors.ts";
import { decodeFloat16, widenBfloat16 } from "./half_precision.ts";
import type { HostTensor } from "./host_tensor.ts";

/** A dtype in a file: its width there and how its bytes become a tensor's data. */
export interface StoredDType {
  readonly size: number;
  readonly dtype: DType;
  /** @throws TensorError for a value that the tensor's dtype cannot hold. */
  decode(bytes: ArrayBuffer): HostTensor["data"];
}

/** By the names that safetensors gives them. */
export const storedDTypes: ReadonlyMap<string, StoredDType> = new Map<string, StoredDType>([
  ["F64", { size: 8, dtype: "f32", decode: (bytes) => Float32Array.from(new Float64Array(bytes)) }],
  ["F32", { size: 4, dtype: "f32", decode: (bytes) => new Float32Array(bytes) }],
  ["F16", { size: 2, dtype: "f32", decode: (bytes) => Float32Array.from(new Uint16Array(bytes), decodeFloat16) }],
  ["BF16", { size: 2, dtype: "f32", decode: (bytes) => new Float32Array(Uint32Array.from(new Uint16Array(bytes), widenBfloat16).buffer) }],
  ["I64", { size: 8, dtype: "i32", decode: (bytes) => Int32Array.from(new BigInt64Array(bytes), narrowInt64) }],
  ["I32", { size: 4, dtype: "i32", decode: (bytes) => new Int32Array(bytes) }],
  ["I16", { size: 2, dtype: "i32", decode: (bytes) => Int32Array.from(new Int16Array(bytes)) }],
  ["I8", { size: 1, dtype: "i32", decode: (bytes) => Int32Array.from(new Int8Array(bytes)) }],
  ["U32", { size: 4, dtype: "u32", decode: (bytes) => new Uint32Array(bytes) }],
  ["U16", { size: 2, dtype: "u32", decode: (bytes) => Uint32Array.from(new Uint16Array(bytes)) }],
  ["U8", { size: 1, dtype: "u32", decode: (bytes) => Uint32Array.from(new Uint8Array(bytes)) }],
  ["BOOL", { size: 1, dtype: "bool", decode: (bytes) => checkBooleans(new Uint8Array(bytes)) }],
]);

/** @throws TensorError unless all are 0 or 1. */
export function checkBooleans(data: Uint8Array): Uint8Array {
  const wrong = data.find((value) => value > 1);
  if (wrong !== undefined) throw new TensorError(`Expected booleans of 0 or 1 but found ${wrong}`);
  return data;
}

function narrowInt64(value: bigint): number {
  if (value !== BigInt.asIntN(32, value)) throw new TensorError(`Expected integers of 32 bits but found ${value}`);
  return Number(value);
}
