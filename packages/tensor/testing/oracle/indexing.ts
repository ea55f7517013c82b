/** Oracles of the ops that read or write where an array of indices says. */
import { at, build, flatten, frontAxis, type Nd, nd, replaced } from "../nd.ts";

/** Rows of weight `[V, C]`: indices `[...]` → `[..., C]`. */
export function embedding(indices: Nd, weight: Nd): Nd {
  return build([...indices.shape, weight.shape[1]!], (index) => at(weight, [at(indices, index), index.at(-1)!]));
}

/** Along the axis, the place that `indices` gives; elsewhere the same place: `out[i][j] = x[indices[i][j]][j]` for axis 0. */
export function gather(x: Nd, indices: Nd, { axis }: { axis: number }): Nd {
  const front = frontAxis(axis, x.shape.length);
  return build(indices.shape, (index) => at(x, replaced(index, front, at(indices, index))));
}

/** A copy of x with every element of `source` added where {@linkcode gather} would have read it: `out[indices[i][j]][j] += source[i][j]`. */
export function scatterAdd(x: Nd, indices: Nd, source: Nd, { axis }: { axis: number }): Nd {
  const front = frontAxis(axis, x.shape.length);
  const result = nd(x.shape, x.data);
  build(indices.shape, (index) => {
    result.data[flatten(replaced(index, front, at(indices, index)), x.shape)]! += at(source, index);
    return 0;
  });
  return result;
}

/** Whole slices along the axis, in the order of indices `[N]`. */
export function indexSelect(x: Nd, indices: Nd, { axis }: { axis: number }): Nd {
  const front = frontAxis(axis, x.shape.length);
  return build(replaced(x.shape, front, indices.data.length), (index) => at(x, replaced(index, front, indices.data[index[front]!]!)));
}
