/** Element types. All take 4 bytes on the GPU; `bool` is 0 or 1 in a u32. */
export type DType = "f32" | "i32" | "u32" | "bool";

/** What the host sees of a dtype. */
export type TypedArray = Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>;

/** Bytes per element on the GPU. */
export const BYTES = 4;

/** Views downloaded bytes as the host array of a dtype; `bool` becomes one byte an element. */
export function toTypedArray(bytes: ArrayBuffer, dtype: DType): TypedArray {
  if (dtype === "f32") return new Float32Array(bytes);
  if (dtype === "i32") return new Int32Array(bytes);
  if (dtype === "u32") return new Uint32Array(bytes);
  return Uint8Array.from(new Uint32Array(bytes));
}

/** Host numbers as the 4-byte elements that the GPU keeps. */
export function toElements(
  data: ArrayLike<number>,
  dtype: DType,
): Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint32Array<ArrayBuffer> {
  if (dtype === "f32") return data instanceof Float32Array ? (data as Float32Array<ArrayBuffer>) : Float32Array.from(data);
  if (dtype === "i32") return data instanceof Int32Array ? (data as Int32Array<ArrayBuffer>) : Int32Array.from(data);
  if (dtype === "u32") return data instanceof Uint32Array ? (data as Uint32Array<ArrayBuffer>) : Uint32Array.from(data);
  return Uint32Array.from(data, (v) => (v ? 1 : 0));
}
