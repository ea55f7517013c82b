import type { DType } from "../dtype.ts";

/** A tensor in main memory: dense, row-major. What checkpoints hold and state dictionaries exchange. */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** As many elements as the shape has: `Float32Array` for f32, `Int32Array` for i32, `Uint32Array` for u32, 0 or 1 in `Uint8Array` for bool. */
  readonly data: Float32Array | Int32Array | Uint32Array | Uint8Array;
}
