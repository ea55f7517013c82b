/**
 * The numbers that every engine starts from, given by a formula short enough to be written down in each language, so that all do the same
 * work on the same values and their losses can be compared. `bench/peers/torch_step.py` has the same functions in Python.
 */

/** An array's shape and the range its values are drawn from; 0 for zeros. */
export interface Values {
  readonly shape: readonly number[];
  /** Values lie in [center − spread, center + spread). */
  readonly spread: number;
  readonly center?: number;
}

/** Arrays by name. The place in the list is the stream that an array's values are drawn from. */
export type NamedValues = readonly (readonly [name: string, values: Values])[];

/** lowbias32, an integer hash (https://nullprogram.com/blog/2018/07/31/). */
function mix(x: number): number {
  let h = x;
  h ^= h >>> 16;
  h = Math.imul(h, 0x7feb352d);
  h ^= h >>> 15;
  h = Math.imul(h, 0x846ca68b);
  h ^= h >>> 16;
  return h >>> 0;
}

/** The `index`-th whole number below 2³² of a stream. */
function draw(stream: number, index: number): number {
  return mix((mix(stream + 1) + index) | 0);
}

/** Uniform values of a stream. */
export function uniformValues({ shape, spread, center = 0 }: Values, stream: number): Float32Array<ArrayBuffer> {
  const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
  for (let i = 0; i < values.length; i++) values[i] = spread === 0 ? center : center + spread * (draw(stream, i) / 2 ** 31 - 1);
  return values;
}

/** Whole numbers below `limit`. */
export function wholeValues(size: number, options: { readonly limit: number; readonly stream: number }): Int32Array<ArrayBuffer> {
  return Int32Array.from({ length: size }, (_, i) => draw(options.stream, i) % options.limit);
}
