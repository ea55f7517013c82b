import { kernel } from "../device/kernel.ts";
import type { Tensor } from "../tensor.ts";
import { empty, full } from "./copy.ts";
import { stableOrder } from "./counting_sort.ts";

/** Rows to be summed by index. */
export interface Segments {
  /** Dense, n elements of i32 or u32 in any shape. Values beyond `vocab`, negative ones too, belong nowhere. */
  readonly index: Tensor;
  /** Dense [outer, n, inner]. */
  readonly source: Tensor;
  readonly outer: number;
  readonly inner: number;
  /** How many different indices there are. */
  readonly vocab: number;
}

/** Most places that {@link byWalking} takes; beyond, one invocation a column is too few for adapters of many cores. */
const LONGEST_WALK = 4096;
/** Most rows that it clears. */
const MOST_WALKED_ROWS = 8192;

/**
 * `out[o, v, i] = Σ source[o, j, i]` over the j with `index[j] = v`: [outer, vocab, inner], exact zeros where there are none. Sums run in a
 * fixed order, so that equal inputs give equal bits. One dispatch for few places on software adapters; else the places are sorted by index,
 * and long segments (one token may be a fifth of a batch) shared out over many invocations: five dispatches while vocab < 2048.
 */
export function segmentSum(segments: Segments): Tensor {
  const { source, outer, inner, vocab } = segments;
  if (source.size * vocab === 0) return full([outer, vocab, inner], 0, { device: source.device });
  return isWalk(segments) ? byWalking(segments, { periodic: false }).sums : bySorting(segments);
}

/**
 * {@link segmentSum} and, for index [.., T], the sums of all rows at the same place of its last axis, `periodic` [T, inner], in one dispatch;
 * undefined where that would not pay. `outer` must be 1.
 */
export function segmentAndPeriodicSum(segments: Segments): { sums: Tensor; periodic: Tensor } | undefined {
  if (segments.source.size * segments.vocab === 0 || !isWalk(segments)) return undefined;
  const { sums, periodic } = byWalking(segments, { periodic: true });
  return { sums, periodic: periodic! };
}

function isWalk({ index, vocab }: Segments): boolean {
  return index.device.family !== "tile" && index.size <= LONGEST_WALK && vocab <= MOST_WALKED_ROWS;
}

/** Columns that an invocation takes at once. */
const vectorOf = (inner: number): 1 | 4 => (inner % 4 === 0 ? 4 : 1);

function byWalking({ index, source, outer, inner, vocab }: Segments, also: { periodic: boolean }): { sums: Tensor; periodic?: Tensor } {
  const { device } = source;
  const vec = vectorOf(inner);
  const columns = inner / vec;
  const period = index.shape.at(-1) ?? 1;
  const out = empty([outer, vocab, inner], { device });
  const periodic = also.periodic ? empty([period, inner], { device }) : undefined;
  device.run(kernel("segments", "walk", { VEC: vec, PERIODIC: also.periodic }), {
    bindings: { index, [`source${vec}`]: source, [`out${vec}`]: out, ...(periodic && { [`periodic${vec}`]: periodic }) },
    params: { n: index.size, vocab, outer, columns, period },
    workgroups: Math.ceil((outer * columns) / 8),
  });
  return { sums: out, periodic };
}

function bySorting({ index, source, outer, inner, vocab }: Segments): Tensor {
  const { device } = source;
  const n = index.size;
  const { order, starts = segmentBounds(index, order, vocab) } = stableOrder({ keys: index, rows: 1, n, kind: "index", limit: vocab });
  const vec = vectorOf(inner);
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
