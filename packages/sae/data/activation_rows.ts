import { type HostTensor, Tensor, TensorError, tensor } from "@cursive/tensor";

/** Rows of activations as a source gives them, with a say in which are wanted. */
export interface ActivationRows {
  /** `[N, D]`, on the GPU or in main memory. */
  readonly rows: Tensor | HostTensor;
  /** One flag a row: rows whose flag is 0 or false are left out (padding, word ends, r tokens). In main memory. Default: all stay. */
  readonly mask?: ArrayLike<number | boolean>;
}

/** Where rows come from: a model as it runs, files, an array. */
export type RowSource = AsyncIterable<ActivationRows> | AsyncIterator<ActivationRows>;

/** The rows that a mask keeps, on the GPU; undefined if none. @throws TensorError unless there are as many flags as rows. */
export function keptRows({ rows, mask }: ActivationRows): Tensor | undefined {
  const count = rows.shape[0]!;
  if (rows.shape.length !== 2) throw new TensorError(`Expected rows [N, D] but found [${rows.shape.join(", ")}]`);
  if (mask && mask.length !== count) throw new TensorError(`Expected a mask of ${count} flags, one a row, but found ${mask.length}`);
  const all = rows instanceof Tensor ? rows.detach() : tensor(rows.data, { shape: rows.shape, dtype: rows.dtype });
  if (count === 0) return undefined;
  if (!mask) return all;
  const kept = Int32Array.from({ length: count }, (_, i) => i).filter((i) => mask[i]);
  if (kept.length === 0) return undefined;
  return kept.length === count ? all : all.indexSelect(tensor(kept, { device: all.device }), { axis: 0 });
}

/** The iterator of a source of either kind. */
export function iteratorOf<T>(source: AsyncIterable<T> | AsyncIterator<T>): AsyncIterator<T> {
  return Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source;
}
