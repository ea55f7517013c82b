import { broadcastShapes, collapse, sizeOf } from "../../shape.ts";
import type { Tensor } from "../../tensor.ts";

/** A matrix in each batch of a storage, in elements. Strides of 0 repeat. */
export interface Operand {
  readonly tensor: Tensor;
  /** From one row to the next. */
  readonly row: number;
  /** From one column to the next. */
  readonly column: number;
  /** Along each axis of the problem's batch. */
  readonly batch: readonly number[];
}

/** A batch of products `[m, k] · [k, n]` as the kernels see it. */
export interface Problem {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Batch axes that could not be merged with one another or with the rows. */
  readonly batchShape: readonly number[];
  readonly batches: number;
  readonly a: Operand;
  readonly b: Operand;
}

/**
 * Reads the product of `a [.., M, K]` and `b [.., K, N]` off their shapes and strides, batch axes broadcast. Where one matrix `b` serves
 * neighbouring batches of `a` whose rows go on without a jump, they become rows of a single product: `[B, T, K] · [K, N]` is
 * `[B·T, K] · [K, N]`.
 */
export function describe(a: Tensor, b: Tensor): Problem {
  const batch = broadcastShapes("matmul", a.shape.slice(0, -2), b.shape.slice(0, -2));
  const [k, n] = b.shape.slice(-2) as [number, number];
  let m = a.shape.at(-2)!;
  let row = a.strides.at(-2)!;
  const aBatch = batchStrides(a, batch.length);
  const bBatch = batchStrides(b, batch.length);
  while (batch.length > 0 && bBatch.at(-1) === 0 && (m === 1 || batch.at(-1) === 1 || aBatch.at(-1) === m * row)) {
    if (m === 1) row = aBatch.at(-1)!;
    m *= batch.pop()!;
    aBatch.pop();
    bBatch.pop();
  }
  const walk = collapse(batch, [aBatch, bBatch]);
  return {
    m,
    n,
    k,
    batchShape: walk.shape,
    batches: sizeOf(batch),
    a: { tensor: a, row, column: a.strides.at(-1)!, batch: walk.strides[0]! },
    b: { tensor: b, row: b.strides.at(-2)!, column: b.strides.at(-1)!, batch: walk.strides[1]! },
  };
}

/** Strides along the batch axes: 0 where an axis is missing or of size 1. */
function batchStrides(x: Tensor, rank: number): number[] {
  const own = x.strides.slice(0, -2).map((stride, i) => (x.shape[i] === 1 ? 0 : stride));
  return [...new Array<number>(rank - own.length).fill(0), ...own];
}
