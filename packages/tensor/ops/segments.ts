import { kernel } from "../device/kernel.ts";
import type { Tensor } from "../tensor.ts";
import { empty, full } from "./copy.ts";
import { stableOrder } from "./counting_sort.ts";

/** Rows to be summed by index. */
export interface Segments {
  /** Dense [n] i32 or u32. Values beyond `vocab`, negative ones too, belong nowhere. */
  readonly index: Tensor;
  /** Dense [outer, n, inner]. */
  readonly source: Tensor;
  readonly outer: number;
  readonly inner: number;
  /** How many different indices there are. */
  readonly vocab: number;
}

/**
 * `out[o, v, i] = Σ source[o, j, i]` over the j with `index[j] = v`: [outer, vocab, inner], exact zeros where there are none. The places are
 * sorted by index, then summed segment by segment in a fixed order, so that equal inputs give equal bits. Five dispatches while
 * vocab < 2048; long segments (one token may be a fifth of a batch) are shared out over many invocations.
 */
export function segmentSum({ index, source, outer, inner, vocab }: Segments): Tensor {
  const { device } = source;
  const n = index.size;
  if (n * outer * inner * vocab === 0) return full([outer, vocab, inner], 0, { device });
  const { order, starts = segmentBounds(index, order, vocab) } = stableOrder({ keys: index, rows: 1, n, kind: "index", limit: vocab });

  const vec = inner % 4 === 0 ? 4 : 1;
  const columns = inner / vec;
  const tile = tileSize(n);
  const tiles = Math.ceil(n / tile);
  const carry = empty([tiles, 2, outer, inner], { device });
  const out = empty([outer, vocab, inner], { device });
  const params = { n, vocab, outer, columns, tile, tiles };
  device.run(kernel("segments", "sum_tiles", { VEC: vec }), {
    bindings: { index, order, starts, [`source${vec}`]: source, [`carry${vec}`]: carry, [`out${vec}`]: out },
    params,
    workgroups: Math.ceil((tiles * outer * columns) / 64),
  });
  device.run(kernel("segments", "finish", { VEC: vec }), {
    bindings: { starts, [`carry${vec}`]: carry, [`out${vec}`]: out },
    params,
    workgroups: Math.ceil((vocab * outer * columns) / 64),
  });
  return out;
}

function segmentBounds(index: Tensor, order: Tensor, vocab: number): Tensor {
  const starts = empty([vocab + 1], { dtype: "i32", device: index.device });
  index.device.run(kernel("segments", "bounds", { VEC: 4 }), {
    bindings: { index, order, new_starts: starts },
    params: { n: index.size, vocab },
    workgroups: Math.ceil((vocab + 1) / 64),
  });
  return starts;
}

/** About √n / 2, so that neither the walk through a tile nor the sum of a long segment's carries gets long; a power of two. */
export function tileSize(n: number): number {
  return 2 ** Math.min(8, Math.max(4, Math.floor(Math.log2(Math.sqrt(n) / 2))));
}
