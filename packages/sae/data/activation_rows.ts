import { fromHost, type HostTensor, Tensor, TensorError, tensor } from "@cursive/tensor";

/** Rows of activations as a source gives them, with a say in which are wanted. */
export interface ActivationRows {
  /** `[N, D]`, on the GPU or in main memory. */
  readonly rows: Tensor | HostTensor;
  /** One flag a row: rows whose flag is 0 or false are left out (padding, word ends, r tokens). In main memory. Default: all stay. */
  readonly mask?: ArrayLike<number | boolean>;
}

/** Where rows come from: a model as it runs, files, an array. */
export type RowSource = AsyncIterable<ActivationRows> | AsyncIterator<ActivationRows>;

/** The rows that a mask keeps, on the GPU; undefined if none. No others get there. @throws TensorError unless there are as many flags as rows. */
export function keptRows({ rows, mask }: ActivationRows): Tensor | undefined {
  const count = rows.shape[0]!;
  if (rows.shape.length !== 2) throw new TensorError(`Expected rows [N, D] but found [${rows.shape.join(", ")}]`);
  if (mask && mask.length !== count) throw new TensorError(`Expected a mask of ${count} flags, one a row, but found ${mask.length}`);
  const kept = mask && Int32Array.from({ length: count }, (_, i) => i).filter((i) => mask[i]);
  const left = kept?.length ?? count;
  if (left === 0) return undefined;
  if (!(rows instanceof Tensor)) return fromHost(kept && left < count ? chosenRows(rows, kept) : rows);
  const all = rows.detach();
  return kept && left < count ? all.indexSelect(tensor(kept, { device: all.device }), { axis: 0 }) : all;
}

function chosenRows({ shape, dtype, data }: HostTensor, places: Int32Array): HostTensor {
  const width = shape[1]!;
  const chosen = data.slice(0, places.length * width); // an array of the same kind, all of it overwritten
  for (const [i, row] of places.entries()) chosen.set(data.subarray(row * width, (row + 1) * width), i * width);
  return { shape: [places.length, width], dtype, data: chosen };
}

/** The iterator of a source of either kind. */
export function iteratorOf<T>(source: AsyncIterable<T> | AsyncIterator<T>): AsyncIterator<T> {
  return Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source;
}
